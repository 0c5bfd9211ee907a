// settings.js: you, and for who may: users, keys, suppressions, blocklist, notices, what was not delivered, the audit log.
import { h, put, setAttr } from "../dom.js";
import { T } from "../texts.js";
import { button, dialog, explain, field, nothing, once } from "../parts.js";
import * as shelves from "./shelves.js";
import { desktopWanted, setDesktop } from "../desktop.js";

const SECTIONS = ["you", ...Object.keys(shelves.all), "clear"];

export function mount(root, store, actions) {
  const role = store.get().session.user?.role;
  const mine = SECTIONS.filter((name) => (name === "you" ? true : name === "clear" ? role === "admin" : shelves.may(name, role)));
  const place = h("div", { class: "settings-body" });
  const links = new Map();
  put(root, h("div", { class: "view view-settings" }, h("header", { class: "view-head" }, h("h1", {}, T.settings.title)),
    h("div", { class: "settings" }, h("nav", { class: "side", "aria-label": T.settings.title }, mine.map((name) => {
      const link = h("a", { href: `#/settings/${name}` }, name === "clear" ? T.settings.danger : T.settings.sections[name]);
      links.set(name, link);
      return link;
    })), place)));
  const wanted = store.get().route.id ?? "you";
  const section = mine.includes(wanted) ? wanted : "";
  for (const [name, link] of links) setAttr(link, "aria-current", name === section ? "page" : null);
  if (!section) put(place, h("section", { class: "panel" }, nothing(SECTIONS.includes(wanted) ? T.settings.admin : T.nowhere.section)));
  else if (section === "you") you(place, store, actions);
  else if (section === "clear") clear(place, actions);
  else shelves.mount(place, section, store, actions);
  return () => {};
}

function you(root, store, actions) {
  const { user } = store.get().session;
  const form = h("form", { class: "stack", novalidate: true, onsubmit: once(async () => {
    const { currentPassword, newPassword } = form.elements;
    try {
      await actions.api.put("/api/auth/password", { currentPassword: currentPassword.value, newPassword: newPassword.value }, { quiet: true });
      form.reset();
      explain(form, null);
      actions.notify(T.settings.changed);
    } catch (error) {
      explain(form, error);
    }
  }) }, h("input", { type: "text", name: "username", value: user.username, autocomplete: "username", hidden: true, readonly: true }),
  field(T.settings.oldPassword, h("input", { type: "password", name: "currentPassword", autocomplete: "current-password" })),
  field(T.settings.newPassword, h("input", { type: "password", name: "newPassword", autocomplete: "new-password" })),
  h("button", { class: "button primary", type: "submit" }, T.settings.change));
  const notice = h("input", { type: "checkbox", id: "desktop", checked: desktopWanted(), onchange: async () => {
    notice.checked = await setDesktop(notice.checked);
    if (!notice.checked && globalThis.Notification?.permission === "denied") actions.notify(T.settings.desktopNo, { kind: "bad" });
  } });
  put(root, h("section", { class: "panel pad" }, h("h2", {}, user.username, " ", h("span", { class: "chip" }, T.settings.roles[user.role] ?? user.role)), form),
    h("section", { class: "panel pad" }, h("label", { class: "check", for: "desktop" }, notice, T.settings.desktop)));
}

function clear(root, actions) {
  put(root, h("section", { class: "panel pad" }, h("h2", {}, T.settings.clear), h("p", { class: "muted" }, T.settings.clearLead),
    button(T.settings.clear, () => {
      const box = dialog(T.settings.sure(T.settings.clear.toLowerCase()), h("p", {}, T.settings.clearLead), h("div", { class: "dialog-foot" }, button(T.settings.no, () => box.close()),
        button(T.settings.yes, once(actions.shield(async () => {
          const answer = await actions.api.post("/api/network/clear-threats");
          box.close();
          actions.notify(T.settings.cleared(answer.count ?? answer.removed ?? 0));
          actions.sync();
        })), { kind: "danger" })));
    }, { kind: "danger" })));
}
