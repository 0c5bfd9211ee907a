// shell.js: what stands around every view: the rail, the top bar, the place for the view and the detail beside it.
import { h, keyed, setAttr, setText } from "../dom.js";
import { icon } from "../icons.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { button } from "../parts.js";

const VIEWS = ["live", "inbox", "history", "sensors", "uploads", "settings"];

export function mount(root, store, actions) {
  const links = new Map();
  const rail = h("nav", { class: "rail", "aria-label": T.navigation },
    h("a", { class: "brand", href: "#/live", "aria-label": T.name }, icon("live"), h("span", {}, T.name)),
    h("ul", {}, VIEWS.map((view) => {
      const count = h("span", { class: "rail-count", hidden: true });
      const link = h("a", { href: `#/${view}`, title: T.views[view] }, icon(view), h("span", {}, T.views[view]), count);
      links.set(view, { link, count });
      return h("li", {}, link);
    })));

  const query = h("input", { type: "search", name: "q", "aria-label": T.history.query, placeholder: T.history.search, autocomplete: "off", spellcheck: "false" });
  const search = h("form", { class: "top-search", role: "search", onsubmit: (e) => {
    e.preventDefault();
    route.go({ view: "history", query: { q: query.value.trim() } });
  } }, icon("search"), query, h("kbd", { "aria-hidden": "true" }, "/"));

  const sensors = h("a", { class: "top-sensors", href: "#/sensors" });
  const phase = h("span", { class: "phase" });
  const retry = button(T.connection.retry, () => actions.retryNow(), { kind: "small", hidden: true });
  const connection = h("div", { class: "connection" }, h("span", { class: "dot", "aria-hidden": "true" }), phase, retry);
  const account = menu(store, actions);
  const banner = h("p", { class: "banner", hidden: true });
  const main = h("main", { id: "main", tabindex: "-1" });
  const aside = h("aside", { class: "detail", hidden: true, "aria-label": T.detail.title });
  const notices = h("div", { class: "notices" });

  root.replaceChildren(h("div", { class: "shell" }, rail,
    h("header", { class: "top" }, search, h("span", { class: "spacer" }), sensors, connection, account),
    banner, h("div", { class: "stage" }, main, aside)), notices);

  const draw = (state, before) => {
    if (state.route !== before?.route) {
      for (const [view, { link }] of links) setAttr(link, "aria-current", state.route.view === view ? "page" : null);
      if (state.route.view !== "history" || document.activeElement !== query) query.value = state.route.query.q ?? "";
      const left = state.route.view === "history" && search.contains(document.activeElement);
      search.hidden = state.route.view === "history";
      if (left) main.focus(); // or the next key would begin at the top of the page
    }
    const fresh = state.statistics.value?.byStatus?.new;
    const { count } = links.get("inbox");
    count.hidden = !fresh;
    if (fresh) setText(count, f.compact(fresh));
    drawSensors(sensors, state.sensors.items);
    drawNotices(notices, state.notices, actions);
    drawConnection();
  };
  const drawConnection = () => {
    const { connection: c } = store.get();
    const shown = { connecting: c.tries ? "retrying" : "connecting" }[c.phase] ?? c.phase;
    setAttr(connection, "data-phase", shown);
    setText(phase, connectionText(c));
    retry.hidden = c.phase !== "retrying" && c.phase !== "offline";
    const lost = ["retrying", "offline", "stale"].includes(c.phase) || (c.phase === "connecting" && c.tries > 0);
    banner.hidden = !lost;
    if (lost) setText(banner, T.connection.lost);
  };
  draw(store.get());
  const clock = setInterval(drawConnection, 1000);
  const leave = store.subscribe(draw);
  return { main, aside, query, unmount: () => (clearInterval(clock), leave()) };
}

function connectionText(c) {
  if (c.phase === "retrying") return T.connection.retrying(Math.ceil((c.retryAt - Date.now()) / 1000));
  if (c.phase === "stale") return T.connection.stale(f.ago(Date.now() - c.heard));
  return T.connection[c.phase] ?? c.phase;
}

function drawSensors(link, items) {
  const ill = items?.filter((o) => o.state !== "ok") ?? [];
  const bad = ill.length;
  setAttr(link, "data-state", !items?.length ? "none" : bad ? "bad" : "ok");
  setText(link, !items?.length ? T.sensorsStrip.none : bad === 1 ? T.sensorsStrip.one(ill[0].name, T.sensors.states[ill[0].state] ?? ill[0].state, f.time(ill[0].lastHeard)) : bad ? T.sensorsStrip.bad(bad, items.length) : T.sensorsStrip.ok(items.length));
}

function drawNotices(root, notices, actions) {
  keyed(root, notices, (n) => n.id, (n) => ({
    node: h("div", { class: `notice ${n.kind}`, role: n.kind === "bad" ? "alert" : "status" }, h("p", {}, n.text),
      n.undo ? button(T.inbox.undo, () => actions.undo(n.id), { kind: "small" }) : null,
      h("button", { type: "button", class: "icon-button", "aria-label": T.dismiss, onclick: () => actions.dismiss(n.id) }, icon("close"))),
  }));
}

function menu(store, actions) {
  const { user } = store.get().session;
  const now = () => {
    try {
      return localStorage.getItem("theme") ?? "system";
    } catch {
      return "system";
    }
  };
  const themes = h("select", { "aria-label": T.user.theme, onchange: (e) => setTheme(e.target.value) },
    Object.entries(T.user.themes).map(([v, label]) => h("option", { value: v, selected: v === now() }, label)));
  const box = h("details", { class: "menu" },
    h("summary", { "aria-label": T.user.menu }, icon("user"), h("span", {}, user.username)),
    h("div", { class: "menu-body" },
      h("p", { class: "menu-name" }, user.username, h("span", { class: "chip" }, T.settings.roles[user.role] ?? user.role)),
      h("label", { class: "menu-row" }, T.user.theme, themes),
      button(T.user.out, () => actions.logout(), { kind: "wide" })));
  return box;
}

export function setTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // then it holds until the page is left
  }
}
