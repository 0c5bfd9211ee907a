// inbox.js: what is to be decided, by keyboard or mouse, one by one or many at once.
import { h, put, setAttr, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { button, failure, loading, nearEnd, nothing, uncounted } from "../parts.js";
import { threatTable } from "./table.js";
import { listCursor, mayDecide, showKeys, toggleDetail } from "./cursor.js";

const TABS = [...f.STATUSES, "all"];
const PAGE = 100;
const STEP = 100; // rows drawn at first, and more as the end comes near: a thousand rows are slow to paint
const AROUND = 30; // rows drawn before the cursor, where it has run far from the top
const FEW = 30; // so many rows left, and the next page comes by itself

export function mount(root, store, actions) {
  const counts = {};
  const tabs = h("nav", { class: "tabs", "aria-label": T.inbox.title }, TABS.map((name) => {
    const count = h("span", { class: "num muted" });
    const link = h("a", { href: route.format({ view: "inbox", query: { status: name === "new" ? "" : name } }) }, T.status[name] ?? T.inbox.all, " ", count);
    counts[name] = { link, count };
    return link;
  }));
  const items = () => store.get().lists.inbox.items;
  const choose = (ids) => actions.dispatch({ type: "choose", ids });
  const table = threatTable({
    caption: T.inbox.caption, columns: ["severity", "type", "source", "destination", "confidence", "status", "assignee", "time"],
    onOpen: (t) => {
      cursor.set(t.threat_id);
      toggleDetail(t.threat_id);
    },
    onChoose: (t, on) => {
      const chosen = new Set(store.get().chosen);
      if (on) chosen.add(t.threat_id);
      else chosen.delete(t.threat_id);
      cursor.set(t.threat_id);
      choose(chosen);
    },
    chooseAll: (on) => choose(on ? items().map((t) => t.threat_id) : []),
  });
  const redraw = () => draw(store.get());
  const cursor = listCursor({ store, actions, items, table, choose: true, redraw });

  const word = h("span", { class: "num" });
  const act = (status) => () => actions.setStatus(items().filter((t) => store.get().chosen.has(t.threat_id)), status);
  const tools = h("div", { class: "tools", role: "toolbar", "aria-label": T.inbox.title }, word,
    button(T.inbox.acknowledge, act("acknowledged"), { kind: "small", image: "check" }), button(T.inbox.escalate, act("escalated"), { kind: "small", image: "up" }),
    button(T.inbox.close, act("closed"), { kind: "small", image: "close" }), button(T.inbox.none, () => choose([]), { kind: "small" }));
  const hint = h("p", { class: "key-hint small muted", "aria-hidden": "true" }, T.inbox.hints.map(([key, what]) => [key.split(" ").map((k) => h("kbd", {}, k)), ` ${what} `]));
  const newer = button("", () => {
    first = Math.max(0, first - STEP);
    drawn += STEP;
    cursor.set(null);
    redraw();
  }, { kind: "wide small", hidden: true });
  const further = () => {
    if (first + drawn < items().length) {
      drawn += STEP;
      redraw();
    } else if (store.get().lists.inbox.next) load(true);
  };
  const more = button(T.history.more, further, { kind: "wide" });
  const state = h("div");
  const leftOut = uncounted();
  const view = h("div", { class: "view view-inbox" },
    h("header", { class: "view-head" }, h("h1", {}, T.inbox.title), tabs, h("span", { class: "spacer" }), button(T.inbox.help, showKeys, { kind: "small key-hint" })), leftOut.node,
    h("section", { class: "panel list" }, h("header", { class: "panel-head decide-head" }, tools, hint), newer, table.node, state, h("footer", { class: "more" }, more)));
  put(root, view);

  const status = () => route.current().query.status || "new";
  const load = (append = false) => {
    const wanted = status() === "all" ? "" : status();
    return actions.loadList("inbox", { status: wanted, limit: PAGE }, { append, status: wanted, takesNew: wanted === "" || wanted === "new" });
  };
  let shownStatus = null;
  let drawn = STEP;
  let first = 0; // the rows that are drawn: so many, from here on

  // Far from the top only the rows around the cursor are drawn.
  function follow(length) {
    const at = cursor.index();
    if (length <= STEP || at < 0) first = 0;
    else if (at < first + AROUND / 2) first = Math.max(0, at - AROUND);
    else if (at >= first + drawn - AROUND / 2) [first, drawn] = [Math.max(0, at - AROUND), STEP];
    first = Math.min(first, Math.max(0, length - drawn));
  }

  function draw(now, before) {
    if (status() !== shownStatus && now.route.view === "inbox") {
      shownStatus = status();
      view.classList.toggle("one", shownStatus !== "all");
      cursor.set(null);
      choose([]);
      drawn = STEP;
      load();
    }
    if (before && now.gaps !== before.gaps) load();
    const list = now.lists.inbox;
    const byStatus = now.statistics.value?.byStatus ?? {};
    leftOut.draw(now.statistics.value);
    for (const name of TABS) {
      setAttr(counts[name].link, "aria-current", name === shownStatus ? "page" : null);
      setText(counts[name].count, f.compact((name === "all" ? now.statistics.value?.total : byStatus[name]) ?? 0));
    }
    if (list !== before?.lists.inbox) cursor.keep();
    // Rows that fell out of a full list lie before its cursor: then the list begins anew.
    if (list.loaded && !list.loading && !list.error && list.items.length < FEW && (list.cut || list.next)) load(!list.cut);
    if (list.items.length < STEP) drawn = STEP;
    follow(list.items.length);
    newer.hidden = first === 0;
    setText(newer, T.inbox.newer(f.count(first)));
    table.draw(list.items.slice(first, first + drawn), { open: now.route.query.t, cursor: cursor.id(), chosen: now.chosen });
    table.node.hidden = !list.items.length;
    tools.hidden = !now.chosen.size || !mayDecide(now);
    hint.hidden = !tools.hidden;
    setText(word, T.inbox.chosen(f.count(now.chosen.size)));
    more.hidden = !list.next && first + drawn >= list.items.length;
    more.disabled = list.loading;
    if (before?.lists.inbox.loading && !list.loading && !list.error) nearing.again();
    const shows = list.error ? `error ${list.error.message}` : list.items.length ? "" : list.loaded ? "empty" : "loading";
    if (state.dataset.shows !== shows) {
      state.dataset.shows = shows;
      if (list.error) put(state, failure(T.inbox.error, list.error.message, () => load()));
      else if (shows === "empty") put(state, nothing(shownStatus === "new" ? T.inbox.emptyNew : T.inbox.empty));
      else put(state, shows ? loading() : null);
    }
  }
  // So the next rows are asked for by themselves.
  const nearing = nearEnd(more, further);
  draw(store.get());
  const leave = store.subscribe(draw);
  nearing.again();
  return () => {
    nearing.stop();
    leave();
    cursor.unmount();
    choose([]);
  };
}
