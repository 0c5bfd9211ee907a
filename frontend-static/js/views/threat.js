// threat.js: one threat by its permalink.
import { h, put } from "../dom.js";
import { T } from "../texts.js";
import * as detail from "./detail.js";

export function mount(root, store, actions) {
  const place = h("div", { class: "panel" });
  put(root, h("div", { class: "view view-threat" }, h("h1", { class: "sr-only" }, T.detail.title), place));
  return detail.mount(place, store, actions, { id: store.get().route.id ?? "" });
}
