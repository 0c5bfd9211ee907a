// parts.js: pieces that several views draw alike.

import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { T } from "./texts.js";
import * as f from "./format.js";
import { simulated } from "./state.js";

export const badge = (severity) =>
  h("span", { class: `badge sev-${f.SEVERITIES.includes(severity) ? severity : "none"}` }, (T.severity[severity] ?? severity ?? "–").toUpperCase());

// A name of several words may be broken between them.
export const typeWord = (type) => h("span", { class: "type" }, f.typeName(type).split(/(?<=_)/).flatMap((part) => [part, h("wbr")]).slice(0, -1));

export const statusChip = (status) => h("span", { class: `chip status-${status}` }, T.status[status] ?? status);

export const when = (text) => h("time", { datetime: text, title: f.utc(text) }, f.time(text));
export const fullWhen = (text) => h("time", { datetime: text, title: f.utc(text) }, f.fullTime(text));

export function marks(threat) {
  const list = [];
  if (simulated(threat)) list.push(h("span", { class: "chip sim", title: T.simulatedTitle }, T.simulated[0], h("span", { class: "long" }, T.simulated[1])));
  if (threat.details?.source === "pcap") list.push(h("span", { class: "chip" }, T.fromFile));
  return list;
}

export const button = (label, onclick, { kind = "", image, ...props } = {}) =>
  h("button", { type: "button", class: `button ${kind}`, onclick, ...props }, image ? icon(image) : null, label);

// Something is missing, wrong or on its way: said in words, with what can be done.
export const nothing = (title, hint, ...more) =>
  h("div", { class: "nothing" }, icon("shield"), h("p", { class: "nothing-title" }, title), hint ? h("p", {}, hint) : null, ...more);
export const failure = (title, message, retry) =>
  h("div", { class: "nothing bad", role: "alert" }, h("p", { class: "nothing-title" }, title), message ? h("p", {}, message) : null,
    retry ? button(T.state.retry, retry, { kind: "retry" }) : null);
// Why figures are lower than what is listed. Gives {node, draw(statistics)}.
export function uncounted() {
  const node = h("p", { class: "muted small", hidden: true });
  return { node, draw(value) {
    node.hidden = !value?.uncounted;
    setText(node, node.hidden ? "" : T.statistics.uncounted(f.count(value.uncounted)));
  } };
}
export const loading = () => h("p", { class: "loading" }, T.state.loading);

export const field = (label, control, hint) => {
  const id = control.id || `f${(field.next = (field.next ?? 0) + 1)}`;
  control.id = id;
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint ? h("p", { class: "hint" }, hint) : null);
};
export const select = (options, value, onchange) =>
  h("select", { onchange: (e) => onchange?.(e.target.value) },
    options.map(([v, label]) => h("option", { value: v, selected: String(v) === String(value) }, label)));

// What was sent is not sent again before its answer, however often one presses.
export const once = (call) => {
  let busy = false;
  return async (...args) => {
    args[0]?.preventDefault?.();
    if (busy) return;
    busy = true;
    try {
      await call(...args);
    } finally {
      busy = false;
    }
  };
};

// Calls when the end of a list, its button for more, comes near; again() is for an answer that may leave it near.
export function nearEnd(more, call) {
  const watcher = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && !more.hidden && !more.disabled && call(), { rootMargin: "300px" });
  const again = () => {
    watcher.unobserve(more);
    watcher.observe(more);
  };
  return { again, stop: () => watcher.disconnect() };
}

// A dialog that is gone once it closes, whatever closed it. The browser puts focus back to where it was as it closes; the
// event comes later, when the next key may have moved it already.
export function dialog(title, ...content) {
  const id = `d${(dialog.next = (dialog.next ?? 0) + 1)}`;
  const box = h("dialog", { class: "dialog", "aria-labelledby": id }, h("h2", { id }, title), ...content);
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (e) => e.target === box && box.close());
  document.body.append(box);
  box.showModal();
  return box;
}

// Says an error of the API at the fields it names, the rest above them. Focus goes there, unless nobody has sent the form yet.
export function explain(form, error, sent = true) {
  for (const old of form.querySelectorAll(".wrong")) old.remove();
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  if (!error) return;
  let told = false;
  for (const { field: name, expected } of error.details ?? []) {
    const control = [...form.querySelectorAll("[name]")].find((o) => o.getAttribute("name") === name.split(".").pop());
    if (!control) continue;
    told = true;
    control.setAttribute("aria-invalid", "true");
    control.after(h("p", { class: "wrong" }, expected));
  }
  if (!told) form.prepend(h("p", { class: "wrong", role: "alert" }, error.message));
  if (sent) form.querySelector("[aria-invalid]")?.focus();
}
