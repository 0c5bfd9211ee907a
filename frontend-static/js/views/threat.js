// threat.js: one threat by its permalink; the keys that decide hold here, too.
import { h, put } from "../dom.js";
import { T } from "../texts.js";
import * as detail from "./detail.js";
import { listCursor } from "./cursor.js";

export function mount(root, store, actions) {
  const id = store.get().route.id ?? "";
  const place = h("div", { class: "panel" });
  put(root, h("div", { class: "view view-threat" }, h("h1", { class: "sr-only" }, T.detail.title), place));
  const items = () => [store.get().detail.record].filter((t) => t?.threat_id === id);
  const cursor = listCursor({ store, actions, items });
  const stand = () => cursor.id() ?? cursor.set(id);
  const leave = store.subscribe(stand); // before the detail is drawn
  const unmount = detail.mount(place, store, actions, { id });
  stand();
  return () => (leave(), cursor.unmount(), unmount());
}
