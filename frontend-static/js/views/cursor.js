// cursor.js: the keyboard over a list of threats: a cursor that moves, opens, selects and decides.
import { h } from "../dom.js";
import { T } from "../texts.js";
import * as route from "../route.js";
import { button, dialog } from "../parts.js";
import { suppressDialog } from "./rules.js";

export const mayDecide = (state) => ["analyst", "admin"].includes(state.session.user?.role);
export const toggleDetail = (id) => route.amend({ t: route.current().query.t === id ? null : id }, true);

// items(): what the list shows; table: from threatTable; choose: whether rows can be selected. Gives {id(), index(), set(id), keep(), unmount}.
export function listCursor({ store, actions, items, table, choose = false, redraw }) {
  let id = null;
  let index = 0;

  const move = (step) => {
    const list = items();
    if (!list.length) return;
    const at = list.findIndex((t) => t.threat_id === id);
    // Where the row has gone, the cursor stands before what took its place.
    index = at < 0 ? (id === null ? (step > 0 ? 0 : list.length - 1) : Math.min(index, list.length - 1)) : Math.min(list.length - 1, Math.max(0, at + step));
    id = list[index].threat_id;
    redraw();
    table.row(id)?.scrollIntoView({ block: "nearest" });
    if (route.current().query.t) route.amend({ t: id }, true);
  };
  const current = () => items().find((t) => t.threat_id === id) ?? null;
  const meant = () => {
    const { chosen } = store.get();
    return choose && chosen.size ? items().filter((t) => chosen.has(t.threat_id)) : [current()].filter(Boolean);
  };
  const decide = (status) => {
    if (!mayDecide(store.get())) return actions.notify(T.inbox.viewer, { kind: "bad" });
    return meant().length ? actions.setStatus(meant(), status) : null;
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    o: () => current() && toggleDetail(id),
    x: () => {
      if (!choose || !current()) return;
      const chosen = new Set(store.get().chosen);
      if (!chosen.delete(id)) chosen.add(id);
      actions.dispatch({ type: "choose", ids: chosen });
    },
    X: () => {
      const like = current();
      if (!choose || !like) return;
      actions.dispatch({ type: "choose", ids: items().filter((t) => t.threat_type === like.threat_type && t.source_ip === like.source_ip).map((t) => t.threat_id) });
    },
    a: () => decide("acknowledged"),
    e: () => decide("escalated"),
    c: () => decide("closed"),
    n: () => decide("new"),
    s: () => current() && mayDecide(store.get()) && suppressDialog(current(), actions),
    u: () => actions.undoLast(),
  };
  const onKey = (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.querySelector("dialog[open]")) return;
    if (e.key.startsWith("Arrow") && e.target.closest(".detail, .menu, select")) return;
    const call = keys[e.key];
    if (!call) return;
    e.preventDefault();
    call();
  };
  document.addEventListener("keydown", onKey);
  return {
    id: () => id,
    index: () => (id === null ? -1 : index),
    set: (next) => (id = next),
    // After a change of the list: a row that left gives the cursor to the one that follows.
    keep() {
      const list = items();
      const at = list.findIndex((t) => t.threat_id === id);
      if (at >= 0) index = at;
      else if (id !== null && list.length) {
        index = Math.min(index, list.length - 1);
        const was = id;
        id = list[index].threat_id;
        if (route.current().query.t === was) route.amend({ t: id }, true);
      }
    },
    unmount: () => document.removeEventListener("keydown", onKey),
  };
}

export const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

export function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const box = dialog(T.keys.title,
    h("dl", { class: "keys" }, T.keys.list.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("div", { class: "dialog-foot" }, button(T.keys.close, () => box.close())));
}
