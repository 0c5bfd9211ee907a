// shelves.js: the lists of the settings. Each is a row of a table: where it lives, its columns, its form.
import { h, keyed, put, renew, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { button, dialog, explain, failure, field, loading, nothing, once, select, when } from "../parts.js";

const ADMIN = ["admin"];
const STAFF = ["analyst", "admin"];
const SCOPES = ["webhook", "read", "feed", "control"];
const words = (value) => Object.entries(value ?? {}).filter(([, v]) => v !== null && v !== "" && v !== undefined).map(([k, v]) => `${k}: ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
const until = (text) => (text ? when(text) : T.settings.never);
const later = (days) => (Number(days) ? new Date(Date.now() + days * 86400e3).toISOString() : null);
const lasting = (value) => ["expiresAt", T.suppress.expires, { of: ["1", "7", "30", "0"].map((d) => [d, T.suppress.days[d]]), value, take: later }];

// roles; path; list: its key in the answer; columns: [head, row => cell]; form: [name, label, how]; actions a row.
export const all = {
  users: {
    roles: ADMIN, path: "/api/users", list: "users", named: (o) => o.username,
    columns: [[T.login.username, (o) => o.username], [T.settings.email, (o) => o.email || "–"], [T.settings.role, (o, c) => c.session.user.id === o.id ? [T.settings.roles[o.role], " ", h("span", { class: "chip" }, T.settings.you)] : roleOf(o, c)],
      [T.uploads.state, (o) => (o.disabled ? h("span", { class: "chip" }, T.settings.disabled) : T.settings.enabled)]],
    form: [["username", T.login.username], ["email", T.settings.email, { optional: true, type: "email" }], ["role", T.settings.role, { of: Object.entries(T.settings.roles), value: "analyst" }], ["password", T.login.password, { type: "password" }]],
    more: (o, c) => c.session.user.id === o.id ? [] : [button(o.disabled ? T.settings.enable : T.settings.disable, () => c.change(o, { disabled: !o.disabled }), { kind: "small" })],
    fixed: (o, c) => c.session.user.id === o.id,
  },
  keys: {
    roles: ADMIN, path: "/api/keys", list: "keys", named: (o) => o.name,
    columns: [[T.settings.name, (o) => o.name], [T.settings.scopes, (o) => (o.scopes ?? []).join(", ")], [T.columns.sensor, (o) => o.sensor || "–"], [T.settings.author, (o) => o.author], [T.uploads.when, (o) => when(o.createdAt)], [T.suppress.expires, (o) => until(o.expiresAt)]],
    form: [["name", T.settings.name], ["scopes", T.settings.scopes, { of: SCOPES.map((s) => [s, T.settings.scope[s]]), value: "read", take: (v) => [v] }], ["sensor", T.columns.sensor, { optional: true }], lasting("0")],
    made: (answer) => answer.key,
  },
  suppressions: {
    roles: STAFF, path: "/api/suppressions", list: "suppressions", named: (o) => words(o.match),
    columns: [[T.settings.match, (o) => h("span", { class: "mono" }, words(o.match)), "text"], [T.suppress.reason, (o) => o.reason, "text"], [T.settings.author, (o) => o.author], [T.settings.hits, (o) => f.count(o.hits), "num"], [T.suppress.expires, (o) => until(o.expiresAt)]],
    hint: T.settings.suppressHint,
  },
  blocklist: {
    roles: STAFF, path: "/api/blocklist", list: "blocklist", named: (o) => o.address,
    columns: [[T.block.address, (o) => h("span", { class: "mono" }, o.address)], [T.block.reason, (o) => o.reason, "text"], [T.settings.author, (o) => o.author],
      [T.detail.title, (o) => (o.threat ? h("a", { href: `#/threat/${encodeURIComponent(o.threat)}` }, o.threat) : "–"), "text"], [T.suppress.expires, (o) => until(o.expiresAt)]],
    form: [["address", T.block.address], ["reason", T.block.reason], lasting("7")], hint: T.block.lead,
  },
  notifications: {
    roles: ADMIN, path: "/api/notifications", list: "notifications", named: (o) => o.name,
    columns: [[T.settings.name, (o) => o.name], [T.settings.kind, (o) => o.type], [T.settings.target, (o) => h("span", { class: "mono" }, o.url), "text"], [T.settings.filter, (o) => h("span", { class: "mono" }, o.filter || "–"), "text"], [T.settings.sent, (o) => f.count(o.state?.sent), "num"], [T.settings.problem, (o) => o.state?.lastError || "–", "text"]],
    made: (answer) => answer.secret, hint: T.settings.noticeHint,
    form: [["name", T.settings.name], ["type", T.settings.kind, { of: [["webhook", "Webhook"], ["syslog", "Syslog"]], value: "webhook" }], ["url", T.settings.target], ["filter", T.settings.filter, { optional: true }]],
    more: (o, c) => [button(T.settings.test, once(c.shield(async () => {
      await c.api.post(`/api/notifications/${encodeURIComponent(o.id)}/test`);
      c.notify(T.settings.tested);
    })), { kind: "small" })],
  },
  letters: {
    roles: STAFF, path: "/api/dead-letters", list: ["deadLetters", "letters", "dead_letters"], named: (o) => o.id,
    columns: [[T.columns.id, (o) => h("span", { class: "mono" }, o.threat_id ?? o.id), "text"], [T.settings.target, (o) => o.target ?? o.detector ?? "–"], [T.settings.problem, (o) => o.message ?? o.error ?? "–", "text"], [T.uploads.when, (o) => (o.createdAt ? when(o.createdAt) : "–")]],
    more: (o, c) => [button(T.settings.replay, once(c.shield(async () => {
      await c.api.post(`/api/dead-letters/${encodeURIComponent(o.id)}/replay`);
      c.notify(T.settings.replayed);
      c.load();
    })), { kind: "small" })],
    fixed: () => true,
  },
  audit: {
    roles: ADMIN, path: "/api/audit", list: ["audit", "entries"], named: (o) => o.id, fixed: () => true, query: [["user", T.settings.who], ["action", T.settings.what]],
    columns: [[T.columns.time, (o) => when(o.time ?? o.timestamp)], [T.settings.who, (o) => o.user || "–"], [T.settings.what, (o) => o.action], [T.settings.result, (o) => o.status], [T.settings.address, (o) => h("span", { class: "mono" }, o.address || "–")], [T.settings.details, (o) => h("span", { class: "small" }, words(o.details)), "text"]],
  },
};

export const may = (name, role) => all[name].roles.includes(role);

const roleOf = (o, c) => {
  const list = select(Object.entries(T.settings.roles), o.role, (role) => c.change(o, { role }));
  list.setAttribute("aria-label", `${T.settings.role} ${o.username}`);
  return list;
};

export function mount(root, name, store, actions) {
  const shelf = all[name];
  const title = T.settings.sections[name];
  const body = h("tbody");
  const acts = !(shelf.fixed?.length === 0 && !shelf.more);
  const table = h("table", { class: "shelf", hidden: true }, h("caption", { class: "sr-only" }, title),
    h("thead", {}, h("tr", {}, shelf.columns.map(([head, , kind]) => h("th", { scope: "col", class: kind }, head)), acts ? h("td") : null)), body);
  const state = h("div", {}, loading());
  const more = button(T.settings.more, () => load(true), { hidden: true });
  const made = h("div", { role: "status" });
  let items = [];
  let next = null;
  let turn = 0;

  const one = (o) => `${shelf.path}/${encodeURIComponent(o.id)}`;
  const context = {
    ...actions, session: store.get().session, load: () => load(),
    change: actions.shield(async (o, set) => {
      try {
        await actions.api.patch(one(o), set);
      } finally {
        await load();
      }
      actions.notify(T.settings.created); // once the row shows it
    }),
  };
  const filters = (shelf.query ?? []).map(([key, label]) => [key, h("input", { "aria-label": label, placeholder: label, onchange: () => load() })]);

  // An answer that was overtaken by a later one is old.
  async function load(append = false) {
    turn += 1;
    const mine = turn;
    try {
      const asked = Object.fromEntries(filters.map(([key, input]) => [key, input.value.trim()]));
      const answer = await actions.api.get(actions.api.path(shelf.path, { ...asked, ...(append ? { cursor: next } : {}) }));
      if (mine !== turn) return;
      const found = [shelf.list].flat().map((key) => answer[key]).find(Array.isArray) ?? [];
      items = append ? [...items, ...found] : found;
      next = answer.next ?? null;
      draw();
    } catch (error) {
      if (mine !== turn) return;
      table.hidden = true;
      put(state, failure(T.settings.error, error.message, () => load()));
    }
  }

  function draw() {
    keyed(body, items, (o) => o.id, (first) => {
      const row = h("tr");
      const update = (o) => renew(row, shelf.columns.map(([, cell, kind], i) => h(i ? "td" : "th", { scope: i ? null : "row", class: kind }, cell(o, context))),
        acts ? h("td", { class: "acts" }, shelf.more?.(o, context), shelf.fixed?.(o, context) ? null : button(T.settings.remove, () => sure(o), { kind: "small" })) : null);
      update(first);
      return { node: row, update };
    });
    table.hidden = !items.length;
    more.hidden = !next;
    put(state, items.length ? null : nothing(T.settings.empty));
  }

  function sure(o) {
    const box = dialog(T.settings.sure(shelf.named(o)), h("div", { class: "dialog-foot" }, button(T.settings.no, () => box.close()), button(T.settings.yes, actions.shield(async () => {
      box.close();
      await actions.api.del(one(o));
      actions.notify(T.settings.removed);
      await load();
    }), { kind: "danger" })));
  }

  const form = shelf.form ? h("form", { class: "add", novalidate: true, onsubmit: once(async () => {
    const wanted = {};
    for (const [key, , how = {}] of shelf.form) {
      const value = form.elements.namedItem(key).value.trim();
      if (value || !how.optional) wanted[key] = how.take ? how.take(value) : value;
    }
    try {
      const answer = await actions.api.post(shelf.path, wanted);
      explain(form, null);
      form.reset();
      const secret = shelf.made?.(answer);
      put(made, secret ? h("p", { class: "secret" }, T.settings.keyOnce, " ", h("code", { class: "mono" }, secret)) : null);
      actions.notify(T.settings.created);
      load(); // meanwhile the next may be sent
    } catch (error) {
      explain(form, error);
    }
  }) }, shelf.form.map(([key, label, how = {}]) => {
    const control = how.of ? select(how.of, how.value) : h("input", { type: how.type ?? "text", autocomplete: how.type === "password" ? "new-password" : "off" });
    control.setAttribute("name", key);
    return field(label, control);
  }), h("button", { class: "button primary", type: "submit" }, T.settings.add)) : null;

  const head = h("h2", {}, title);
  setText(head, title);
  put(root, h("section", { class: "panel" }, h("header", { class: "panel-head" }, head, h("span", { class: "spacer" }), filters.map(([, input]) => input)),
    shelf.hint ? h("p", { class: "pad muted small" }, shelf.hint) : null, form, made, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table), state, h("div", { class: "more" }, more)));
  load();
}
