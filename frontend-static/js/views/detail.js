// detail.js: everything about one threat, beside the list or, by its permalink, alone.
import { h, put, renew, s } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { badge, button, explain, failure, field, fullWhen, loading, marks, once, select, statusChip, typeWord, when } from "../parts.js";
import { icon } from "../icons.js";
import { mayDecide } from "./cursor.js";
import { wayOut } from "./nowhere.js";
import { blockDialog, nameDialog, suppressDialog } from "./rules.js";

const MOVES = { new: ["acknowledged", "escalated", "closed"], acknowledged: ["escalated", "closed", "new"], escalated: ["acknowledged", "closed", "new"], closed: ["new"] };
const KEYS = { acknowledged: "a", escalated: "e", closed: "c", new: "n" };
const drafts = new Map(); // comments that were begun, by who writes them and the threat
const DRAFTS_MAX = 50;
const WORDS = { acknowledged: "acknowledge", escalated: "escalate", closed: "close", new: "reopen" };

export function mount(root, store, actions, { id, onClose = null }) {
  const parts = { head: h("header", { class: "detail-head" }), triage: h("section"), why: h("section"), names: h("section"), growth: h("section"), facts: h("section"), more: h("section"), related: h("section"), record: h("section") };
  const body = h("div", { class: "detail-body" });
  put(root, body);
  actions.loadDetail(id);
  if (!store.get().users.length) actions.loadUsers();
  let shown = null;
  const now = () => shown; // what the analyst sees when something is pressed
  let around = "";
  let decided = "";
  const grown = []; // what was known of it, revision by revision, since it was opened

  const draw = (state, before) => {
    const { detail } = state;
    if (before && state.gaps !== before.gaps) actions.loadDetail(id, true);
    if (before && detail === before.detail && state.users === before.users) return;
    const t = detail.id === id ? detail.record : null;
    if (!t) {
      shown = null;
      const close = onClose ? h("div", { class: "detail-head" }, h("div", { class: "detail-title" }, h("span", { class: "spacer" }), closeButton(onClose))) : null;
      if (detail.error === "gone" || detail.error === "removed") put(body, close, wayOut(detail.error === "gone" ? T.detail.gone : T.detail.removed));
      else if (detail.error) put(body, close, failure(T.detail.error, detail.error, () => actions.loadDetail(id)));
      else put(body, close, loading());
      return;
    }
    if (t === shown && state.users === before?.users) return;
    const first = !shown;
    shown = t;
    if (first) put(body, ...Object.values(parts));
    drawHead(parts.head, t, now, actions, onClose, state);
    const decision = JSON.stringify([t.triage, state.users]);
    if (first || decision !== decided) drawTriage(parts.triage, t, now, actions, state);
    decided = decision;
    drawFacts(parts.facts, t);
    drawGrowth(parts.growth, t, grown);
    if (first || before?.detail.record?.details !== t.details) {
      drawWhy(parts.why, t);
      drawFeatures(parts.more, t);
    }
    drawRecord(parts.record, t);
    const key = `${t.source_ip} ${t.destination_ip}`;
    if (key !== around) {
      around = key;
      drawRelated(parts.related, t, actions);
      drawNames(parts.names, t, actions, mayDecide(state));
    }
  };
  draw(store.get());
  return store.subscribe(draw);
}

// Browsers have no clipboard for a page that comes without TLS from another host; the old way still holds there.
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const back = document.activeElement;
  const field = h("textarea", { class: "sr-only", value: text });
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  back?.focus();
  if (!copied) throw new Error(T.detail.noCopy);
  return undefined;
}

const closeButton = (onClose) => h("button", { type: "button", class: "icon-button", "aria-label": T.detail.close, onclick: onClose }, icon("close"));
const head = (text, ...more) => h("div", { class: "part-head" }, h("h3", {}, text), ...more);

function drawHead(root, t, now, actions, onClose, state) {
  const link = () => `${location.origin}${location.pathname}${route.format({ view: "threat", id: t.threat_id })}`;
  const copy = (text) => async () => {
    try {
      await copyText(text());
      actions.notify(T.detail.copied);
    } catch (error) {
      actions.notify(T.failed(error.message), { kind: "bad" });
    }
  };
  const decide = mayDecide(state);
  renew(root,
    h("div", { class: "detail-title" }, badge(t.severity), h("h2", {}, f.typeName(t.threat_type)), ...marks(t), h("span", { class: "spacer" }),
      onClose ? closeButton(onClose) : null),
    h("p", { class: "detail-id mono" }, h("a", { href: route.format({ view: "threat", id: t.threat_id }), title: T.detail.permalink }, t.threat_id)),
    h("p", { class: "route mono" }, f.address(t.source_ip, t.source_port), h("span", { class: "muted" }, h("span", { "aria-hidden": "true" }, " → "), h("span", { class: "sr-only" }, T.detail.to)), f.address(t.destination_ip, t.destination_port)),
    t.suppressedBy ? h("p", { class: "notice-line" }, `${T.detail.suppressedBy} ${t.suppressedBy}`) : null,
    h("div", { class: "detail-actions" },
      decide ? button(T.detail.suppress, () => suppressDialog(now(), actions), { kind: "small", image: "mute" }) : null,
      decide ? button(T.detail.block, () => blockDialog(now(), actions), { kind: "small", image: "block" }) : null,
      button(T.detail.link, copy(link), { kind: "small", image: "link" }),
      button(T.detail.copy, copy(() => JSON.stringify(now(), null, 2)), { kind: "small", image: "copy" })));
}

function drawTriage(root, t, now, actions, state) {
  const triage = { status: "new", verdict: "", assignee: "", history: [], ...t.triage };
  // A draft is there again when one comes back.
  const mine = `${state.session.user.id} ${t.threat_id}`;
  const keep = (words) => {
    drafts.delete(mine);
    if (words) drafts.set(mine, words);
    if (drafts.size > DRAFTS_MAX) drafts.delete(drafts.keys().next().value);
  };
  const change = (set) => actions.shield(async () => {
    const result = await actions.change(now(), set);
    if (!result.ok) actions.notify(T.detail.lost, { kind: "bad" });
  })();
  const decide = mayDecide(state);
  const me = state.session.user;
  const names = [...new Set(["", me.username, triage.assignee ?? "", ...state.users])];
  const text = h("textarea", { name: "text", rows: "1", value: drafts.get(mine) ?? "", oninput: () => keep(text.value) });
  const form = h("form", { class: "comment", novalidate: true, onsubmit: once(async () => {
    if (!text.value.trim()) return text.focus();
    const words = text.value;
    try {
      text.value = "";
      keep("");
      await actions.comment(now(), words);
    } catch (error) {
      text.value = [words, text.value].filter(Boolean).join("\n"); // one may have written on
      keep(text.value);
      explain(form, error);
    }
  }) }, field(T.detail.comment, text), h("button", { class: "button small", type: "submit" }, T.detail.addComment));
  renew(root, head(T.detail.triage, statusChip(triage.status), triage.verdict ? h("span", { class: "chip" }, T.verdict[triage.verdict] ?? triage.verdict) : null),
    decide ? h("div", { class: "decide" }, MOVES[triage.status]?.map((status) => h("button", { type: "button", class: "button", onclick: () => actions.setStatus([now()], status) }, T.inbox[WORDS[status]],
      h("kbd", { "aria-hidden": "true" }, KEYS[status])))) : null,
    decide ? h("div", { class: "two" },
      field(T.detail.assignee, select(names.map((n) => [n, n || T.detail.nobody]), triage.assignee ?? "", (v) => change({ assignee: v }))),
      field(T.detail.verdict, select(["", "true_positive", "false_positive"].map((v) => [v, T.verdict[v]]), triage.verdict ?? "", (v) => change({ verdict: v || null })))) : null,
    triage.history?.length ? h("ol", { class: "log", "aria-label": T.detail.history }, triage.history.map(logLine)) : null,
    decide ? form : null);
}

// What someone did: a change is told by what it became.
function logLine({ at, by, status, verdict, assignee, comment }) {
  const said = [];
  if (status) said.push(T.status[status.to] ?? status.to);
  if (verdict) said.push(T.verdict[verdict.to ?? ""] ?? verdict.to);
  if (assignee) said.push(`${T.detail.assignee}: ${assignee.to || T.detail.nobody}`);
  return h("li", {}, h("p", { class: "small muted" }, h("b", {}, by), said.length ? ` · ${said.join(" · ")}` : "", " · ", when(at)),
    comment ? h("p", { class: "said" }, comment) : null);
}

// What looks like a technique leads to its page; whatever else a sender wrote stays text.
function technique(id) {
  const parts = /^(T\d{4})(?:\.(\d{3}))?$/.exec(id);
  const name = T.techniques[id];
  return h("li", {}, parts ? h("a", { href: `https://attack.mitre.org/techniques/${parts.slice(1).filter(Boolean).join("/")}/`, target: "_blank", rel: "noreferrer" }, id) : String(id), name ? ` ${name}` : "");
}

// A detector counts the packets of an incident's flows as they end; no flow has less than one.
const countsAll = (d) => !(d.packet_count < d.flow_count);

function drawFacts(root, t) {
  const d = t.details ?? {};
  const all = countsAll(d);
  const rows = [
    [T.columns.confidence.join(""), h("span", { class: "num" }, f.confidence(t.confidence))],
    [T.columns.time, fullWhen(t.timestamp)],
    [T.columns.protocol, t.protocol],
    [T.columns.sensor, t.sensor],
    [T.detail.first, d.first_seen && fullWhen(d.first_seen)],
    [T.detail.last, d.last_seen && fullWhen(d.last_seen)],
    [d.flow_count > 1 ? T.detail.flowDuration : T.detail.duration, d.flow_duration !== undefined && `${f.figure(d.flow_duration)} s`],
    [T.detail.flows, d.flow_count !== undefined && f.count(d.flow_count)],
    [all ? T.detail.packets : T.detail.packetsSoFar, d.packet_count !== undefined && f.count(d.packet_count)],
    [all ? T.detail.bytes : T.detail.bytesSoFar, d.byte_count !== undefined && f.bytes(d.byte_count)],
    [T.detail.revision, t.revision > 1 && f.count(t.revision)],
    [T.detail.mitre, Array.isArray(t.mitre) && t.mitre.length ? h("ul", {}, t.mitre.map(technique)) : null],
    [T.detail.file, d.file ?? d.file_name],
    [T.detail.community, t.community_id && h("span", { class: "mono" }, t.community_id)],
    [T.detail.model, d.model],
    [T.detail.received, t.receivedAt && fullWhen(t.receivedAt)],
  ].filter(([, v]) => v !== undefined && v !== null && v !== false && v !== "");
  const kept = d.evidence?.packets;
  renew(root, head(T.detail.facts), h("dl", { class: "facts" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    kept ? h("p", { class: "evidence" }, T.detail.evidence_(f.count(kept)), " ",
      h("a", { class: "button small", href: `/api/network/threats/${encodeURIComponent(t.threat_id)}/evidence.pcap`, download: `${t.threat_id}.pcap` }, icon("download"), T.detail.download)) : null);
}

const spell = (seconds) => (seconds < 60 ? `${f.figure(seconds)} s` : f.duration(seconds));
const GROWN_MAX = 200;

// An incident grows by revisions. The server keeps the last one; those that came while it was open make a curve.
function drawGrowth(root, t, grown) {
  const d = t.details ?? {};
  const [first, last] = [Date.parse(d.first_seen), Date.parse(d.last_seen)];
  if (!(t.revision > 1) && !(d.flow_count > 1)) return put(root);
  if (grown.at(-1)?.revision !== t.revision) grown.push({ revision: t.revision ?? 1, at: last, flows: d.flow_count, packets: d.packet_count });
  if (grown.length > GROWN_MAX) grown.splice(1, 1);
  const points = grown.filter((p) => Number.isFinite(p.at) && Number.isFinite(p.flows));
  const known = (n) => Number.isFinite(n) && f.count(n);
  return renew(root, head(T.detail.growth, h("span", { class: "muted num" }, T.detail.grew(known(d.flow_count), countsAll(d) && known(d.packet_count), last > first && spell((last - first) / 1000)))),
    points.length > 1 ? growthCurve(points) : null,
    points.length > 1 ? h("details", { class: "fold" }, h("summary", {}, T.charts.asTable), h("table", { class: "plain" }, h("caption", { class: "sr-only" }, T.detail.growthChart),
      h("thead", {}, h("tr", {}, [T.detail.revision, T.detail.growthAt, T.detail.flows, T.detail.packets].map((n, i) => h("th", { scope: "col", class: i ? "num" : null }, n)))),
      h("tbody", {}, points.toReversed().map((p) => h("tr", {}, h("th", { scope: "row" }, f.count(p.revision)), h("td", {}, when(new Date(p.at).toISOString())),
        h("td", { class: "num" }, f.count(p.flows)), h("td", { class: "num" }, f.count(p.packets))))))) : null);
}

function growthCurve(points) {
  const [from, to] = [points[0].at, points.at(-1).at];
  const most = Math.max(...points.map((p) => p.flows));
  const at = (p) => `${(((p.at - from) / (to - from || 1)) * 100).toFixed(2)},${(38 - (p.flows / most) * 36).toFixed(2)}`;
  return s("svg", { class: "growth", viewBox: "0 0 100 40", preserveAspectRatio: "none", role: "img", "aria-label": T.detail.growthChart },
    s("polyline", { points: points.map(at).join(" ") }));
}

function drawWhy(root, t) {
  const d = t.details ?? {};
  const lines = [];
  if (Number.isFinite(d.rf_confidence)) lines.push([T.detail.forest, `${T.detail.attack} ${f.confidence(d.rf_confidence)}${d.rf_prediction === 1 ? "" : ` · ${T.detail.below}`}`, d.rf_prediction === 1]);
  if (Number.isFinite(d.iso_score)) lines.push([T.detail.isolation, `${d.iso_prediction === -1 ? T.detail.anomaly : T.detail.normal} · ${T.detail.score} ${f.figure(d.iso_score)}`, d.iso_prediction === -1]);
  const explanation = Array.isArray(d.explanation) ? d.explanation : [];
  renew(root, head(T.detail.why),
    lines.length ? h("ul", { class: "forests" }, lines.map(([name, text, fired]) => h("li", { class: fired ? "fired" : "" }, h("span", {}, name), h("span", { class: "num" }, text)))) : null,
    typeof d.explanation === "string" ? h("p", { class: "said" }, d.explanation) : null,
    explanation.length ? h("ul", { class: "because" }, explanation.map(because)) : d.explanation ? null : h("p", { class: "muted small" }, T.detail.noExplanation));
}

// One reason: the measured value, the usual range as a band, and how much it counted.
function because(e) {
  if (typeof e !== "object" || e === null) return h("li", {}, h("p", {}, String(e)));
  if (e.counter) return counted(e);
  const name = e.feature ?? e.name ?? "";
  const usual = Array.isArray(e.usual) && e.usual.length === 2 ? e.usual : null;
  const out = usual && (e.value < usual[0] || e.value > usual[1]);
  return h("li", {},
    h("div", { class: "because-head" }, h("span", { class: "feature" }, featureName(name)), h("span", { class: `num${out ? " out" : ""}` }, f.figure(e.value))),
    usual ? rangeBar(e.value, usual, out) : null,
    h("div", { class: "because-foot small muted num" },
      usual ? h("span", {}, `${T.detail.usual} ${f.figure(usual[0])} – ${f.figure(usual[1])}`, h("span", { class: "sr-only" }, `, ${out ? T.detail.outside : T.detail.within}`)) : h("span", {}, e.text ?? e.message ?? ""),
      Number.isFinite(e.share) ? h("span", { title: T.detail.share }, f.confidence(e.share), h("span", { class: "sr-only" }, ` ${T.detail.share}`)) : null));
}

// What one host did within a window of time, against the most that harmless ones did and the limit.
function counted({ counter, value, limit, benign_max: most, window_s: seconds }) {
  return h("li", {},
    h("div", { class: "because-head" }, h("span", { class: "feature" }, T.counters[counter] ?? featureName(counter)), h("span", { class: "num out" }, f.figure(value))),
    Number.isFinite(most) ? rangeBar(value, [0, most], value > most, limit) : null,
    h("div", { class: "because-foot small muted num" }, h("span", {}, T.detail.within_(f.figure(seconds), f.figure(most), f.figure(limit)))));
}

const featureName = (name) => String(name).replaceAll("_", " ").replace(/ s$/, "/s");

function rangeBar(value, [low, high], out, limit) {
  // Values may be a thousand times the usual: beyond a decade the axis is logarithmic.
  const far = Math.max(Math.abs(value), Math.abs(high)) > 10 * Math.max(1e-9, Math.min(Math.abs(value), Math.abs(high)));
  const place = far ? (x) => Math.sign(x) * Math.log10(1 + Math.abs(x) * 1000) : (x) => x;
  const [a, b, v] = [place(low), place(high), place(value)];
  const from = Math.min(a, v);
  const wide = (Math.max(b, v) - from) * 1.08 || 1;
  const at = (x) => (((x - from) / wide) * 96 + 2);
  return s("svg", { class: `range${out ? " out" : ""}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "track", x: 0, y: 3, width: 100, height: 2 }),
    s("rect", { class: "usual", x: at(a), y: 1, width: Math.max(1, at(b) - at(a)), height: 6 }),
    Number.isFinite(limit) ? s("rect", { class: "limit", x: at(place(limit)), y: 0, width: 0.6, height: 8 }) : null,
    s("rect", { class: "value", x: at(v) - 0.5, y: 0, width: 1, height: 8 }));
}

function drawFeatures(root, t) {
  const features = t.details?.features;
  if (!features || typeof features !== "object") return put(root);
  const usual = new Map((Array.isArray(t.details.explanation) ? t.details.explanation : []).map((e) => [e?.feature, e]));
  renew(root, h("details", { class: "fold" }, h("summary", {}, `${T.detail.features} (${Object.keys(features).length})`),
    h("table", { class: "plain" }, h("caption", { class: "sr-only" }, T.detail.features), h("tbody", {}, Object.entries(features).map(([name, value]) =>
      h("tr", { class: usual.has(name) ? "told" : "" }, h("th", { scope: "row" }, featureName(name)), h("td", { class: "num" }, typeof value === "number" ? f.figure(value) : String(value))))))));
}

function drawRecord(root, t) {
  renew(root, h("details", { class: "fold" }, h("summary", {}, T.detail.record), h("pre", { class: "mono", tabindex: "0" }, JSON.stringify(t, null, 2))));
}

async function drawNames(root, t, actions, decide) {
  const names = await actions.names([t.source_ip, t.destination_ip]).catch(() => null);
  if (!names) return put(root);
  return put(root, head(T.names.heading), h("ul", { class: "names" }, [[T.columns.source, t.source_ip], [T.columns.destination, t.destination_ip]].map(([side, address]) => {
    const known = names[address] ?? {};
    const place = [known.city, known.countryName ?? known.country, known.network].filter(Boolean).join(", ");
    return h("li", {}, h("div", {}, h("p", { class: "small muted" }, side, " ", h("span", { class: "mono" }, address)),
      h("p", { class: "asset" }, h("bdi", {}, known.name ?? h("span", { class: "muted" }, T.names.none))), known.note ? h("p", { class: "small asset" }, known.note) : null,
      place ? h("p", { class: "small muted" }, place) : null),
    decide ? button(known.name ? T.names.change : T.names.give, () => nameDialog(address, known, actions, () => drawNames(root, t, actions, decide)), { kind: "small" }) : null);
  })));
}

async function drawRelated(root, t, actions) {
  const lists = await actions.related(t).catch(() => null);
  if (!lists) return put(root);
  const part = (title, q, other, list) => list.length ? [h("p", { class: "small muted related-head" }, h("a", { href: route.format({ view: "history", query: { q } }) }, title)),
    h("ul", { class: "related" }, list.map((o) => h("li", {}, h("a", { href: `#${route.current().view === "threat" ? `/threat/${encodeURIComponent(o.threat_id)}` : ""}`, onclick: (e) => {
      if (route.current().view === "threat") return;
      e.preventDefault();
      route.amend({ t: o.threat_id });
    } }, badge(o.severity), typeWord(o.threat_type), h("span", { class: "spacer" }), h("span", { class: "mono muted" }, o[other]), when(o.timestamp)))))] : [];
  const [source, target] = lists;
  put(root, head(T.detail.related), part(`${T.detail.sameSource}: ${t.source_ip}`, `source:${t.source_ip}`, "destination_ip", source),
    part(`${T.detail.sameDestination}: ${t.destination_ip}`, `destination:${t.destination_ip}`, "source_ip", target),
    source.length + target.length ? null : h("p", { class: "muted small" }, T.detail.noRelated));
  return null;
}
