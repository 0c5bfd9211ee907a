// cursor.js: the keyboard over a list of threats: a cursor that moves, opens, selects and decides.
import { h } from "../dom.js";
import { T } from "../texts.js";
import * as route from "../route.js";
import { button, dialog } from "../parts.js";
import { suppressDialog } from "./rules.js";

export const mayDecide = (state) => ["analyst", "admin"].includes(state.session.user?.role);
// Where the panel covers the list, the back button closes it.
const covers = matchMedia("(width < 720px)");
export const toggleDetail = (id) => {
  const { t } = route.current().query;
  route.amend({ t: t === id ? null : id }, Boolean(t) || !covers.matches);
};

// items(): what the list shows; table: from threatTable, null where one threat stands alone; choose: whether rows can be selected. Gives {id(), index(), set(id), keep(), unmount}.
export function listCursor({ store, actions, items, table = null, choose = false, redraw = () => {} }) {
  let id = null;
  let index = 0;
  let order = []; // the list as it was when the cursor came to stand there

  const at = (wanted) => items().findIndex((t) => t.threat_id === wanted);
  const stand = (next) => {
    const list = items();
    index = Math.min(list.length - 1, Math.max(0, next));
    id = list[index].threat_id;
    order = list;
    actions.dispatch({ type: "cursor", id });
  };
  // Where its row has gone, the cursor stands before the next of those that followed.
  const gap = () => {
    const places = new Map(items().map((t, i) => [t.threat_id, i]));
    return places.get(order.slice(index + 1).find((t) => places.has(t.threat_id))?.threat_id) ?? places.size;
  };
  const move = (step) => {
    const list = items();
    if (!list.length) return;
    const here = at(id);
    if (here >= 0) stand(here + step);
    else if (id === null) stand(step > 0 ? 0 : list.length - 1);
    else stand(step > 0 ? gap() : gap() - 1);
    redraw();
    table?.row(id)?.scrollIntoView({ block: "nearest" });
    if (route.current().query.t) route.amend({ t: id }, true);
  };
  // After a change of the list. A row that was decided here gives the cursor to the one that follows; one that others
  // took away leaves it where it is, on no row, until it is moved.
  const keep = () => {
    const here = at(id);
    if (here >= 0) return stand(here);
    if (id === null || !items().length || !actions.decidedHere(id)) return;
    const was = id;
    stand(gap());
    if (route.current().query.t === was) route.amend({ t: id }, true);
  };
  const current = () => items().find((t) => t.threat_id === id) ?? null;
  const meant = () => {
    const { chosen } = store.get();
    return choose && chosen.size ? items().filter((t) => chosen.has(t.threat_id)) : [current()].filter(Boolean);
  };
  // A key decides what was seen under it, never what has taken its place.
  const decide = (status) => {
    if (!mayDecide(store.get())) return actions.notify(T.inbox.viewer, { kind: "bad" });
    const threats = meant();
    if (threats.length) return actions.setStatus(threats, status);
    if (store.get().chosen.size) actions.dispatch({ type: "choose", ids: [] });
    return id !== null && items().length ? actions.notify(T.inbox.left, { kind: "bad" }) : null;
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    o: () => table && current() && toggleDetail(id),
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
    keep(); // the key before may have decided its row since the list was drawn
    call();
  };
  document.addEventListener("keydown", onKey);
  return {
    id: () => id,
    index: () => (id === null ? -1 : index),
    set(next) {
      if (next === null) {
        id = null;
        actions.dispatch({ type: "cursor", id });
      } else if (at(next) >= 0) stand(at(next));
    },
    keep,
    unmount() {
      document.removeEventListener("keydown", onKey);
      actions.dispatch({ type: "cursor", id: null });
    },
  };
}

export const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

export function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const box = dialog(T.keys.title,
    h("dl", { class: "keys" }, T.keys.list.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))),
    h("div", { class: "dialog-foot" }, button(T.keys.close, () => box.close())));
}
