// login.js: name and password; afterwards one is where one was, because the address has not changed.
import { h, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { field } from "../parts.js";
import { icon } from "../icons.js";

export function mount(root, store, actions) {
  const name = h("input", { id: "username", name: "username", autocomplete: "username", autocapitalize: "none", spellcheck: "false" });
  const secret = h("input", { id: "password", name: "password", type: "password", autocomplete: "current-password" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const go = h("button", { type: "submit", class: "button primary wide" }, T.login.go);
  const form = h("form", { class: "login-form", onsubmit: send, novalidate: true },
    field(T.login.username, name), field(T.login.password, secret), wrong, go);
  const ended = store.get().session.phase === "ended";
  root.replaceChildren(h("main", { id: "main", class: "login", tabindex: "-1" },
    h("div", { class: "login-card" },
      h("p", { class: "brand" }, icon("live"), T.name),
      h("h1", {}, T.login.title),
      h("p", { class: ended ? "notice-line" : "muted" }, ended ? T.login.ended : T.login.lead),
      form,
      h("p", { class: "hint" }, T.login.first))));
  document.title = `${T.login.title} · ${T.name}`;
  name.focus();

  async function send(event) {
    event.preventDefault();
    if (!name.value || !secret.value) {
      setText(wrong, T.login.missing);
      (name.value ? secret : name).focus();
      return;
    }
    go.disabled = true;
    setText(go, T.login.going);
    setText(wrong, "");
    try {
      await actions.login(name.value, secret.value);
      return;
    } catch (error) {
      setText(wrong, error.status === 0 ? T.login.unreachable
        : error.status === 429 && error.retryAfter ? T.login.locked(f.ago(error.retryAfter * 1000)) : error.message);
    }
    go.disabled = false;
    setText(go, T.login.go);
    secret.select();
    secret.focus();
  }
  return () => {};
}
