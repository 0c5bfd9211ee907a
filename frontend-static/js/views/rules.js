// rules.js: the dialogs that start from a threat: suppress what is like it, block where it came from, name an address.
import { h, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { button, dialog, explain, field, once, select } from "../parts.js";

const DAY = 86400e3;

export function suppressDialog(threat, actions) {
  const values = {
    source: threat.source_ip, destination: threat.destination_ip, port: threat.destination_port, type: threat.threat_type,
    sensor: threat.sensor, max_confidence: threat.confidence,
  };
  const on = new Set(["source", "type"]);
  const said = h("p", { class: "preview", role: "status" });
  const reason = h("input", { name: "reason", maxlength: "500", required: true });
  let days = "7";
  let timer = 0;
  let turn = 0;

  const match = () => Object.fromEntries([...on].map((name) => {
    const typed = form.elements.namedItem(name).value.trim();
    return [name, name === "port" || name === "max_confidence" ? Number(typed) : name === "type" ? typed.toLowerCase() : typed];
  }));
  // What it says is of the match alone: it may come after the form was sent and refused for something else.
  const preview = () => {
    clearTimeout(timer);
    turn += 1;
    const mine = turn;
    timer = setTimeout(async () => {
      if (!on.size) return setText(said, T.suppress.needMatch);
      try {
        const answer = await actions.previewSuppression(match());
        if (mine !== turn) return;
        const n = answer.count ?? answer.matches ?? 0;
        setText(said, `${T.suppress.preview(f.count(n))}${answer.total && n > answer.total / 2 ? ` ${T.suppress.warn}` : ""}`);
        explain(lines, null);
      } catch (error) {
        if (mine !== turn) return;
        setText(said, "");
        explain(lines, error, false);
      }
    }, 200);
  };
  const lines = h("div", { class: "match" }, Object.keys(values).filter((name) => values[name] !== undefined && values[name] !== null && values[name] !== "").map((name) => {
    const input = h("input", { name, value: String(values[name]), disabled: !on.has(name), "aria-label": T.suppress.fields[name], oninput: preview });
    const box = h("input", { type: "checkbox", id: `match-${name}`, checked: on.has(name), onchange: (e) => {
      if (e.target.checked) on.add(name);
      else on.delete(name);
      input.disabled = !e.target.checked;
      preview();
    } });
    return h("div", { class: "match-row" }, box, h("label", { for: `match-${name}` }, T.suppress.fields[name]), input);
  }));
  const form = h("form", { novalidate: true, onsubmit: once(async () => {
    if (!on.size || !reason.value.trim()) {
      explain(form, on.size ? { details: [{ field: "reason", expected: T.suppress.needReason }] } : { message: T.suppress.needMatch });
      return;
    }
    try {
      const expiresAt = days === "0" ? null : new Date(Date.now() + days * DAY).toISOString();
      await actions.suppress({ match: match(), reason: reason.value.trim(), expiresAt });
      box.close();
      actions.notify(T.suppress.done);
    } catch (error) {
      explain(form, error);
    }
  }) }, lines, said, field(T.suppress.reason, reason),
  field(T.suppress.expires, select(["1", "7", "30", "0"].map((d) => [d, T.suppress.days[d]]), days, (v) => (days = v))),
  h("div", { class: "dialog-foot" }, button(T.suppress.cancel, () => box.close()), h("button", { class: "button primary", type: "submit" }, T.suppress.go)));
  const box = dialog(T.suppress.title, form);
  reason.focus();
  preview();
}

export function blockDialog(threat, actions) {
  const address = h("input", { name: "address", value: threat.source_ip, required: true, class: "mono" });
  const reason = h("input", { name: "reason", maxlength: "500" });
  let days = "7";
  const form = h("form", { novalidate: true, onsubmit: once(async () => {
    try {
      const expiresAt = days === "0" ? null : new Date(Date.now() + days * DAY).toISOString();
      await actions.block({ address: address.value.trim(), reason: reason.value.trim() || `${f.typeName(threat.threat_type)} ${threat.threat_id}`, expiresAt, threat: threat.threat_id });
      box.close();
      actions.notify(T.block.done(address.value.trim()));
    } catch (error) {
      explain(form, error);
    }
  }) }, h("p", { class: "muted" }, T.block.lead), field(T.block.address, address), field(T.block.reason, reason),
  field(T.suppress.expires, select(["1", "7", "30", "0"].map((d) => [d, T.suppress.days[d]]), days, (v) => (days = v))),
  h("div", { class: "dialog-foot" }, button(T.suppress.cancel, () => box.close()), h("button", { class: "button danger", type: "submit" }, T.block.go)));
  const box = dialog(T.block.title, form);
  reason.focus();
}

export function nameDialog(address, known, actions, onDone) {
  const name = h("input", { name: "name", value: known?.name ?? "" });
  const note = h("input", { name: "note", value: known?.note ?? "" });
  const leave = once(async (call) => {
    try {
      await call();
      box.close();
      onDone();
    } catch (error) {
      explain(form, error);
    }
  });
  const form = h("form", { novalidate: true, onsubmit: (e) => {
    e.preventDefault();
    return leave(() => actions.nameAddress(address, { name: name.value.trim(), note: note.value.trim() }));
  } }, field(T.names.name, name), field(T.names.note, note),
  h("div", { class: "dialog-foot" }, known?.name ? button(T.names.forget, () => leave(() => actions.forgetAddress(address))) : null,
    button(T.suppress.cancel, () => box.close()), h("button", { class: "button primary", type: "submit" }, T.settings.save)));
  const box = dialog(T.names.title(address), form);
  name.focus();
}
