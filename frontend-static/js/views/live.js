// live.js: what happens now: totals, the latest threats, charts of the last day, and the switch of the monitor.
import { h, put, setAttr, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { LIVE_MAX } from "../state.js";
import { button, failure, loading, nothing, uncounted } from "../parts.js";
import { threatTable } from "./table.js";
import { monitorBar } from "./monitor.js";
import { bars, timeline } from "./charts.js";
import { listCursor, toggleDetail } from "./cursor.js";

const FLOOD = 20; // so many new rows at once nobody can read: then the list rests a while, so that the page stays quick
const REST_MS = 300;
const CARDS = ["total", ...f.SEVERITIES];

export function mount(root, store, actions) {
  const numbers = {};
  const cards = h("dl", { class: "cards", "aria-label": T.statistics.title }, CARDS.map((name) => {
    numbers[name] = h("dd", { "data-stat": name }, "–");
    return h("div", { class: `card stat-${name}` }, h("dt", {}, T.statistics[name]), numbers[name]);
  }));
  const leftOut = uncounted();
  const wrong = h("p", { class: "wrong", role: "alert", hidden: true });

  const pause = button(T.live.pause, () => actions.dispatch({ type: "pause", on: !store.get().live.paused }), { kind: "small", "aria-pressed": "false" });
  const held = h("span", { class: "held" });
  const table = threatTable({
    caption: T.live.caption, columns: ["severity", "type", "source", "destination", "confidence", "time"],
    onOpen: (t) => {
      cursor.set(t.threat_id);
      toggleDetail(t.threat_id);
    },
  });
  const cursor = listCursor({ store, actions, items: () => store.get().live.shown, table, redraw: () => drawList(store.get()) });
  const state = h("div");
  const older = h("footer", { class: "panel-foot", hidden: true }, h("a", { href: "#/history" }, T.live.more));
  const list = h("section", { class: "panel list", "aria-labelledby": "latest" },
    h("header", { class: "panel-head" }, h("h2", { id: "latest" }, T.live.latest), h("span", { class: "spacer" }), held, pause),
    table.node, state, older);

  const monitor = monitorBar(store, actions);
  const charts = chartColumn();
  put(root, h("div", { class: "view view-live" },
    h("header", { class: "view-head" }, h("h1", {}, T.live.title), h("span", { class: "spacer" }), monitor.node),
    cards, leftOut.node, wrong, h("div", { class: "split" }, list, charts.node)));

  if (store.get().live.loaded && store.get().live.items.length < LIVE_MAX) actions.loadLive();
  if (store.get().charts.value) { // of when one was here last
    actions.loadCharts();
    actions.loadStatus();
  }

  let restUntil = 0;
  let resting = 0;
  const drawList = ({ live, route: { query } }) => {
    if (table.draw(live.shown, { open: query.t, cursor: cursor.id() }) > FLOOD) restUntil = performance.now() + REST_MS;
  };
  const drawArrivals = (now) => {
    if (performance.now() >= restUntil) return drawList(now);
    resting ||= setTimeout(() => {
      resting = 0;
      drawList(store.get());
    }, restUntil - performance.now());
    return null;
  };
  const draw = (now, before) => {
    const { statistics, live } = now;
    if (statistics !== before?.statistics) {
      for (const name of CARDS) setText(numbers[name], f.count(statistics.value?.[name]));
      leftOut.draw(statistics.value);
      wrong.hidden = !statistics.error;
      setText(wrong, statistics.error ? `${T.statistics.error} ${statistics.error}` : "");
    }
    if (live !== before?.live || now.route !== before?.route || now.monitor !== before?.monitor) {
      if (now.route !== before?.route || !live.shown.length) drawList(now);
      else drawArrivals(now);
      table.node.hidden = live.shown.length === 0;
      older.hidden = !live.loaded || !live.shown.length;
      setText(pause, live.paused ? T.live.resume : T.live.pause);
      setAttr(pause, "aria-pressed", String(live.paused));
      setText(held, live.paused && live.held ? T.live.held(f.count(live.held)) : "");
      const shows = live.shown.length ? "" : live.error ? "error" : live.loaded ? "empty" : "loading";
      const { monitoring, detector } = now.monitor.value ?? {};
      const hint = monitoring?.active ? T.live.emptyMonitoring : !detector || detector.healthy ? T.live.emptyIdle : detector.sensor ? T.live.emptyAway : T.live.emptyNone;
      if (state.dataset.shows !== `${shows}${hint}`) {
        state.dataset.shows = `${shows}${hint}`;
        if (shows === "error") put(state, failure(T.live.error, live.error, () => actions.loadLive()));
        else if (shows === "empty") put(state, nothing(T.live.empty, hint));
        else if (shows === "loading") put(state, loading());
        else put(state);
      }
    }
    monitor.draw(now, before);
    charts.draw(now, before);
  };
  draw(store.get());
  const leave = store.subscribe(draw);
  return () => (leave(), clearTimeout(resting), cursor.unmount(), monitor.unmount());
}

function chartColumn() {
  const line = timeline({ onSpan: (from, to) => route.go({ view: "history", query: { q: leftOut.trim(), from, to } }) });
  // Leads to the very threats that were counted: those of the span, without what the figures leave out.
  let leftOut = "";
  let day = {};
  const find = (name, span = () => ({})) => (value) => route.go({ view: "history", query: { q: `${name}:${/[\s"]/.test(value) ? JSON.stringify(value) : value}${leftOut}`, ...span() } });
  const severity = bars({ title: T.charts.bySeverity, tone: true, onPick: find("severity"), label: (k) => T.severity[k] ?? k });
  const type = bars({ title: T.charts.byType, onPick: find("type"), label: f.typeName });
  const sources = bars({ title: T.charts.topSources, span: T.charts.last, none: T.charts.noneLast, onPick: find("source", () => day), mono: true });
  const targets = bars({ title: T.charts.topDestinations, span: T.charts.last, none: T.charts.noneLast, onPick: find("destination", () => day), mono: true });
  const node = h("div", { class: "charts", hidden: true }, line.node, severity.node, type.node, sources.node, targets.node);
  return {
    node,
    draw(now, before) {
      node.hidden = !now.charts.value || !now.statistics.value; // all at once, so that nothing moves about
      if (now.charts !== before?.charts && now.charts.value) {
        const { value } = now.charts;
        day = { from: new Date(value.from).toISOString(), to: new Date(value.to).toISOString() };
        line.draw(value);
        sources.draw(pairs(value.topSources).slice(0, 5));
        targets.draw(pairs(value.topDestinations).slice(0, 5));
      }
      if (now.statistics !== before?.statistics && now.statistics.value) {
        const { value } = now.statistics;
        leftOut = value.uncounted ? " -is:simulated" : "";
        severity.draw(f.SEVERITIES.map((name) => [name, value[name] ?? 0]));
        type.draw(pairs(value.byType).slice(0, 8));
      }
    },
  };
}

// A list of counts comes as an object, or as a list of objects with a name and a count.
export function pairs(value) {
  const list = Array.isArray(value)
    ? value.map((o) => [o.value ?? o.address ?? o.name ?? o.key ?? o.type, o.count ?? o.n ?? 0])
    : Object.entries(value ?? {});
  return list.filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1] || String(a[0]).localeCompare(String(b[0])));
}
