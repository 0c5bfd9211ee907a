// nowhere.js: what the address names is not here; says so, and where one can go.
import { h, put } from "../dom.js";
import { T } from "../texts.js";
import { nothing } from "../parts.js";

export const wayOut = (title, hint = "") => nothing(title, hint, h("p", {}, h("a", { href: "#/live" }, T.nowhere.live), " · ", h("a", { href: "#/history" }, T.nowhere.history)));

export function mount(root) {
  put(root, h("div", { class: "view" }, h("h1", { class: "sr-only" }, T.nowhere.title), h("section", { class: "panel" }, wayOut(T.nowhere.view, T.nowhere.hint))));
  return () => {};
}
