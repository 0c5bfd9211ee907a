// history.js: search in everything that is stored; what is asked stands in the address.
import { h, keyed, put, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { button, explain, failure, field, loading, nearEnd, nothing, once, select } from "../parts.js";
import { icon } from "../icons.js";
import { LIST_MAX } from "../state.js";
import { threatTable } from "./table.js";
import { listCursor, mayDecide, toggleDetail } from "./cursor.js";

const PAGE = 100;
const RANGES = { "1h": 3600e3, "24h": 24 * 3600e3, "7d": 7 * 86400e3, "30d": 30 * 86400e3 };
const COLUMNS = ["severity", "type", "source", "destination", "protocol", "confidence", "flows", "sensor", "status", "assignee", "time", "id"];
const USUAL = ["severity", "type", "source", "destination", "confidence", "sensor", "status", "time"];
const WORDS = ["type:", "severity:critical", "severity:high", "severity:medium", "severity:low", "status:new", "status:acknowledged", "status:escalated", "status:closed",
  "verdict:true_positive", "verdict:false_positive", "source:", "destination:", "address:", "port:", "protocol:TCP", "protocol:UDP", "sensor:", "assignee:", "confidence:>0.9", "is:simulated", "is:suppressed", "is:commented"];
const FIELDS = ["type", "severity", "status", "verdict", "source", "destination", "address", "port", "source_port", "destination_port", "protocol", "sensor", "assignee", "confidence", "id", "time", "job", "is"];

// What the address asks for, as the server is asked. A span that ends now is counted from now.
export function asked(query) {
  const range = RANGES[query.range];
  return { q: query.q ?? "", from: range ? new Date(Date.now() - range).toISOString() : query.from ?? "", to: range ? "" : query.to ?? "" };
}

const remembered = (name, fallback) => {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback;
  }
};
const remember = (name, value) => {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // then it holds until the page is left
  }
};

export function mount(root, store, actions) {
  const items = () => store.get().lists.history.items;
  let columns = remembered("columns", USUAL).filter((c) => COLUMNS.includes(c));
  let table = null;
  let cursor = null;
  let question = null;
  const place = h("div");
  const state = h("div");

  const words = h("datalist", { id: "query-words" });
  const query = h("input", { type: "search", name: "q", id: "query", list: "query-words", placeholder: T.history.placeholder, autocomplete: "off", spellcheck: "false", class: "mono",
    "aria-describedby": "query-error", oninput: () => complete(query, words, store.get()) });
  const range = select(Object.entries(T.history.ranges), "", (v) => (v === "custom" ? showSpan(true) : ask({ range: v, from: "", to: "" })));
  const from = h("input", { type: "datetime-local", step: "1" });
  const to = h("input", { type: "datetime-local", step: "1" });
  const stamp = (input) => (input.value ? new Date(input.value).toISOString() : "");
  const spanFields = h("div", { class: "span", hidden: true }, field(T.history.from, from), field(T.history.to, to),
    button(T.history.go, () => ask({ range: "", from: stamp(from), to: stamp(to) })));
  const showSpan = (on) => (spanFields.hidden = !on);
  const wrong = h("div", { id: "query-error", class: "query-error", role: "alert" });
  const ask = (change) => route.amend({ ...change, t: null });
  const form = h("form", { class: "query", role: "search", onsubmit: (e) => {
    e.preventDefault();
    if (query.value.trim() === (route.current().query.q ?? "")) load();
    else ask({ q: query.value.trim() });
  } }, field(T.history.query, query), field(T.history.range, range), h("button", { class: "button primary", type: "submit" }, T.history.go));

  const total = h("p", { class: "muted num", role: "status" });
  const fresh = button("", () => load(), { kind: "small", hidden: true });
  const saved = savedSearches(ask, actions);
  const exportLinks = h("span", { class: "exports" });
  const more = button(T.history.more, () => load(true), { kind: "wide" });
  const end = h("p", { class: "muted small end" });
  const facets = h("div", { class: "facets" });
  const found = h("section", { class: "panel list" }, h("header", { class: "panel-head" }, total, fresh, h("span", { class: "spacer" }), exportLinks), place, state,
    h("footer", { class: "more" }, more, end));
  put(root, h("div", { class: "view view-history" },
    h("header", { class: "view-head" }, h("h1", {}, T.history.title), h("span", { class: "spacer" }), saved, columnChoice()),
    form, words, spanFields, wrong, facets,
    found));
  makeTable();

  function makeTable() {
    cursor?.unmount();
    table = threatTable({ caption: T.history.caption, columns, onOpen: (t) => {
      cursor.set(t.threat_id);
      toggleDetail(t.threat_id);
    } });
    cursor = listCursor({ store, actions, items, table, redraw: () => draw(store.get()) });
    put(place, table.node);
  }

  function columnChoice() {
    const boxes = COLUMNS.map((c) => h("label", {}, h("input", { type: "checkbox", checked: columns.includes(c), disabled: c === "type", onchange: (e) => {
      columns = COLUMNS.filter((o) => (o === c ? e.target.checked : columns.includes(o)));
      remember("columns", columns);
      makeTable();
      draw(store.get());
    } }), [T.columns[c]].flat().join("")));
    return h("details", { class: "menu" }, h("summary", {}, T.history.columns), h("div", { class: "menu-body checks" }, boxes));
  }

  function load(append = false) {
    const ask = append && question ? question : asked(route.current().query);
    question = ask;
    return actions.loadList("history", { ...ask, limit: PAGE }, { append });
  }

  let shownQuery = null;
  function draw(now, before) {
    if (now.route.view !== "history") return;
    const { q = "", range: r = "", from: a = "", to: b = "" } = now.route.query;
    const key = JSON.stringify([q, r, a, b]);
    if (key !== shownQuery) {
      shownQuery = key;
      query.value = q;
      range.value = r || (a || b ? "custom" : "");
      showSpan(range.value === "custom");
      from.value = local(a);
      to.value = local(b);
      cursor.set(null);
      load();
      drawExports(exportLinks, now, asked(now.route.query));
    }
    if (before && now.gaps !== before.gaps) load();
    const list = now.lists.history;
    if (list !== before?.lists.history) {
      cursor.keep();
      const many = Number.isInteger(list.total) && list.total >= 0 ? f.count(list.total) : `${f.count(list.items.length)}${list.next ? "+" : ""}`;
      setText(total, list.loaded && !list.error && list.items.length ? `${T.history.total(many)} · ${T.history.order}` : "");
      exportLinks.hidden = !list.items.length; // then there is nothing to export
      fresh.hidden = !list.fresh;
      setText(fresh, `${T.history.fresh(f.count(list.fresh))} · ${T.history.again}`);
      more.hidden = !list.next;
      more.disabled = list.loading;
      setText(more, list.loading ? T.history.loading : T.history.more);
      setText(end, list.items.length && !list.next && !list.loading ? (list.items.length >= LIST_MAX ? T.history.cut : T.history.end) : "");
      drawError(wrong, query, q, list.error);
      drawFacets(facets, list, q, ask);
      if (before?.lists.history.loading && !list.loading && !list.error) nearing.again();
    }
    table.draw(list.items, { open: now.route.query.t, cursor: cursor.id() });
    table.node.hidden = !list.items.length;
    found.hidden = list.error?.status === 400; // then there is nothing to show
    const bad = list.error && list.error.status !== 400;
    const shows = bad ? "error" : list.error ? "" : list.items.length ? "" : list.loaded ? `empty${key}` : "loading";
    if (state.dataset.shows !== shows) {
      state.dataset.shows = shows;
      if (bad) put(state, failure(T.history.error, list.error.message, () => load()));
      else if (shows === "loading") put(state, loading());
      else put(state, shows ? foundNone() : null);
    }
  }
  // Nothing was found: says how to look further.
  function foundNone() {
    const { q = "", range: r, from: a, to: b } = route.current().query;
    const spanned = r || a || b;
    if (!q && !spanned) return nothing(T.history.emptyAll);
    return nothing(T.history.empty, q.includes("is:suppressed") ? "" : T.history.emptyHint, h("div", { class: "ways" },
      spanned ? button(T.history.anyTime, () => ask({ range: "", from: "", to: "" })) : null, q ? button(T.history.clear, () => ask({ q: "" })) : null));
  }
  // So the next rows are asked for by themselves.
  const nearing = nearEnd(more, () => load(true));
  draw(store.get());
  const leave = store.subscribe(draw);
  nearing.again();
  return () => {
    leave();
    cursor.unmount();
    nearing.stop();
  };
}

const local = (text) => {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
};

// Shows where the query goes wrong: the text itself with a mark under the character.
function drawError(root, input, q, error) {
  const bad = error?.status === 400;
  input.toggleAttribute("aria-invalid", bad);
  if (bad) input.setAttribute("aria-invalid", "true");
  if (!bad) return put(root);
  const at = error.position === null ? null : charAt(q, error.position);
  put(root, h("p", { class: "wrong" }, at === null ? error.message : `${error.message} (${T.history.at(at)})`),
    h("p", { class: "small muted" }, T.history.fields(FIELDS.map((name) => `${name}:`).join(" "))),
    at === null ? null : h("pre", { class: "mono", "aria-hidden": "true" }, q.slice(0, at), h("mark", {}, q.slice(at, at + 1) || " "), q.slice(at + 1)));
  if (at !== null && document.activeElement === input) input.setSelectionRange(at, at + 1);
}

// The server counts bytes of UTF-8, a text field counts characters.
const charAt = (text, byte) => new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, byte)).length;

function drawExports(root, state, query) {
  if (!mayDecide(state)) return put(root);
  const link = (format) => {
    const wanted = Object.entries({ format, ...query }).filter(([, v]) => v);
    return h("a", { class: "button small", href: `/api/network/threats/export?${new URLSearchParams(wanted)}`, download: `threats.${format === "eve" ? "json" : format}` }, icon("download"), format.toUpperCase());
  };
  put(root, h("span", { class: "muted" }, T.history.export), ["csv", "ndjson", "eve"].map(link));
  return null;
}

// What the rows at hand have in common, as terms that narrow the search. Where more rows fit than are at hand, it says so.
function drawFacets(root, { items, next }, q, ask) {
  const all = !next && items.length < LIST_MAX;
  const tally = (get) => {
    const many = new Map();
    for (const t of items) many.set(get(t), (many.get(get(t)) ?? 0) + 1);
    return [...many].filter(([k]) => k).sort((a, b) => b[1] - a[1]).slice(0, 4);
  };
  const chips = [["severity", (t) => t.severity], ["type", (t) => t.threat_type], ["source", (t) => t.source_ip]].flatMap(([name, get]) => {
    const list = tally(get);
    return list.length < 2 || q.includes(`${name}:`) ? [] : list.map(([value, n]) => ({ name, value, n }));
  });
  if (!chips.length) return put(root);
  if (!root.firstChild) put(root, h("span", { class: "small muted" }), h("div", { class: "facet-row" }));
  setText(root.firstChild, all ? T.history.facets : T.history.facetsOf(f.count(items.length)));
  return keyed(root.lastChild, chips, (o) => `${q} ${o.name}:${o.value}`, ({ name, value, n }) => {
    const many = h("span", { class: "num muted" }, f.compact(n));
    return { update: (o) => setText(many, f.compact(o.n)), node: h("button", { type: "button", class: "facet", onclick: () => ask({ q: `${q} ${name}:${value}`.trim() }) },
      h("span", { class: "muted" }, `${name}:`), name === "type" ? f.typeName(value) : value, many) };
  });
}

function complete(input, list, state) {
  const cut = input.value.lastIndexOf(" ") + 1;
  const [before, last] = [input.value.slice(0, cut), input.value.slice(cut)];
  const minus = last.startsWith("-") ? "-" : "";
  const known = [...WORDS, ...Object.keys(state.statistics.value?.byType ?? {}).map((t) => `type:${t}`), ...(state.sensors.items ?? []).map((o) => `sensor:${o.name}`)];
  const fits = last ? known.filter((w) => w.startsWith(last.slice(minus.length)) && w !== last.slice(minus.length)) : [];
  put(list, fits.slice(0, 8).map((w) => h("option", { value: before + minus + w })));
}

// Kept by the server, for each user their own; a span of time is not part of them.
function savedSearches(ask, { api }) {
  const body = h("div", { class: "menu-body" });
  const box = h("details", { class: "menu" }, h("summary", {}, T.history.saved), body);
  const at = "/api/searches";
  let turn = 0;
  // The form stays, and what is being written in it; an answer that was overtaken by a later one is old.
  async function load() {
    turn += 1;
    const mine = turn;
    const told = await api.get(at).then(({ searches }) => [...searches, { form: true }], (error) => [{ error: error.message }]);
    if (mine === turn) keyed(body, told, (o) => o.id ?? o.error ?? form, (o) => (o.form ? { node: form } : o.error === undefined ? row(o) : { node: failure(T.history.savedError, o.error, load) }));
  }
  // Does it, then shows what the server has; a refusal is told in the form.
  const then = async (call) => {
    try {
      await call();
      form.reset();
      explain(form, null);
      load().then(() => (box.contains(document.activeElement) || document.activeElement === document.body) && name.focus());
    } catch (error) {
      explain(form, error);
    }
  };
  const name = h("input", { name: "name", "aria-label": T.history.saveName, placeholder: T.history.saveName, maxlength: "60" });
  const form = h("form", { class: "menu-row", novalidate: true,
    onsubmit: once(() => then(() => api.post(at, { name: name.value.trim(), q: route.current().query.q ?? "" }))) }, name, h("button", { class: "button small", type: "submit" }, T.history.save));
  const row = (first) => {
    let one = first;
    return { update: (o) => (one = o), node: h("div", { class: "menu-row" },
      h("button", { type: "button", class: "link", onclick: () => (ask({ q: one.q }), (box.open = false)) }, one.name),
      h("button", { type: "button", class: "icon-button", "aria-label": `${T.history.remove} ${one.name}`, onclick: once(() => then(() => api.del(`${at}/${encodeURIComponent(one.id)}`))) }, icon("close"))) };
  };
  box.addEventListener("toggle", () => box.open && load());
  return box;
}
