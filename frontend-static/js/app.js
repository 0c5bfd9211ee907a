// app.js: puts the parts together: store, actions, the shell and whichever view the address names.

import { createStore } from "./store.js";
import { createActions } from "./actions.js";
import { createLink } from "./link.js";
import { initial, reduce } from "./state.js";
import { T } from "./texts.js";
import { h, setText } from "./dom.js";
import * as route from "./route.js";
import * as f from "./format.js";
import { failure, once } from "./parts.js";
import * as login from "./views/login.js";
import * as shell from "./views/shell.js";
import * as live from "./views/live.js";
import * as inbox from "./views/inbox.js";
import * as history from "./views/history.js";
import * as sensors from "./views/sensors.js";
import * as uploads from "./views/uploads.js";
import * as settings from "./views/settings.js";
import * as threat from "./views/threat.js";
import * as nowhere from "./views/nowhere.js";
import * as detail from "./views/detail.js";
import { showKeys, typing } from "./views/cursor.js";

const VIEWS = { live, inbox, history, sensors, uploads, settings, threat, nowhere };
const TITLES = { ...T.views, threat: T.detail.title, nowhere: T.nowhere.title };
const WITH_DETAIL = ["live", "inbox", "history"];
const SPEAK_MS = 4000;
const AGAIN_MS = 5000;

const root = document.getElementById("app");
const announce = document.getElementById("announce");
const store = createStore(reduce, initial);
const actions = createActions(store, createLink);

let frame = null; // the shell, while someone is signed in
let leaveView = () => {};
let leaveDetail = () => {};
let leaveLogin = () => {};
let shown = { phase: "", view: "", id: "" };
let again = 0;

function draw(state, before) {
  const { phase } = state.session;
  // A view that could not load tries again by itself once the server is back.
  if (state.connection.phase === "live" && before.connection.phase !== "live") for (const retry of document.querySelectorAll(".retry")) retry.click();
  if ((phase === "in") !== (shown.phase === "in") || shown.phase === "unknown" || shown.phase === "") {
    if (phase === "in") enter();
    else if (phase !== "unknown") exit();
  }
  shown.phase = phase;
  if (phase !== "in") return;
  const { view, id, query } = state.route;
  if (shown.view !== view || shown.id !== id) {
    shown = { ...shown, view, id };
    leaveView();
    leaveView = VIEWS[view].mount(frame.main, store, actions);
    document.title = `${TITLES[view]} · ${T.name}`;
  }
  const open = (WITH_DETAIL.includes(view) && query.t) || "";
  if (open !== shown.open) {
    shown.open = open;
    leaveDetail();
    leaveDetail = () => {};
    frame.aside.hidden = !open;
    frame.aside.scrollTop = 0;
    if (open) leaveDetail = detail.mount(frame.aside, store, actions, { id: open, onClose: closeDetail });
    else frame.aside.replaceChildren();
  }
}

// Focus that was in the panel goes back to the row it was opened from.
function closeDetail() {
  const { t } = route.current().query;
  const inside = frame.aside.contains(document.activeElement);
  route.amend({ t: null }, true);
  const row = [...document.querySelectorAll("tr[data-id]")].find((o) => o.dataset.id === t);
  if (inside) (row?.querySelector(".row-open") ?? frame.main).focus();
}

// Keys that hold everywhere; those of a list are its own.
document.addEventListener("keydown", (e) => {
  if (!frame || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
  if (typing(e.target)) return e.key === "Escape" && e.target.blur();
  if (e.key === "Escape" && route.current().query.t) return closeDetail();
  if (e.key === "?") showKeys();
  else if (e.key === "/") {
    e.preventDefault();
    (document.querySelector("#query") ?? frame.query).focus();
  }
});

// A menu closes when one leaves it, whichever way.
const closeMenus = (node) => {
  for (const box of document.querySelectorAll("details.menu[open]")) if (!box.contains(node)) box.open = false;
};
document.addEventListener("click", (e) => e.target.isConnected && closeMenus(e.target));
document.addEventListener("focusin", (e) => closeMenus(e.target));
document.addEventListener("keydown", (e) => {
  const box = e.key === "Escape" && e.target.closest?.("details.menu[open]");
  if (!box) return;
  e.stopImmediatePropagation();
  box.open = false;
  box.querySelector("summary").focus();
}, true);

// The address says what is shown, so the skip link may not write its own into it.
document.querySelector(".skip").addEventListener("click", (e) => {
  e.preventDefault();
  document.getElementById("main")?.focus();
});

function enter() {
  leaveLogin();
  leaveLogin = () => {};
  frame = shell.mount(root, store, actions);
  if (["out", "ended"].includes(shown.phase)) frame.main.focus();
  shown = { phase: "in", view: "", id: "", open: "" };
}

function exit() {
  leaveView();
  leaveDetail();
  leaveView = leaveDetail = () => {};
  frame?.unmount();
  frame = null;
  for (const box of document.querySelectorAll("dialog")) box.close();
  leaveLogin = login.mount(root, store, actions);
}

// The list itself is silent; a screen reader hears of new threats in one sentence, at most every few seconds.
setInterval(() => {
  const { count, high } = store.get().arrivals;
  if (!count) return;
  setText(announce, T.live.said(f.count(count), high ? f.count(high) : 0));
  store.dispatch({ type: "spoken" });
}, SPEAK_MS);

const follow = () => store.dispatch({ type: "route", route: route.current() });
addEventListener("hashchange", follow);
follow();
store.subscribe(draw);

const begin = once(async () => {
  clearTimeout(again);
  try {
    await actions.resume();
  } catch (error) {
    root.replaceChildren(h("main", { class: "login" }, failure(T.login.unreachable, error.status ? error.message : "", begin)));
    again = setTimeout(begin, AGAIN_MS);
  }
});
begin();
