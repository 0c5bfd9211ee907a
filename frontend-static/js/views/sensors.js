// sensors.js: who watches, how well, and with which models.
import { h, put, renew, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { button, failure, loading, nothing, once, when } from "../parts.js";
import { serverNow } from "../api.js";

const REPORT_S = 10; // so often a sensor reports

export function mount(root, store, actions) {
  const cards = h("div", { class: "sensor-list" });
  const state = h("div");
  const detector = h("div");
  const models = h("div");
  const decided = h("div");
  const panels = h("div", { class: "panels", hidden: true });
  const isAdmin = store.get().session.user?.role === "admin";
  const check = isAdmin ? button(T.sensors.check, once(actions.shield(async () => {
    const { ms } = await actions.api.post("/api/network/test-connection");
    actions.notify(`${T.sensors.health} ${T.sensors.healthy}${Number.isFinite(ms) ? ` (${f.count(ms)} ms)` : ""}.`);
  }))) : null;
  put(root, h("div", { class: "view view-sensors" },
    h("header", { class: "view-head" }, h("h1", {}, T.sensors.title), h("span", { class: "spacer" }), check), state, cards, panels));
  put(panels,
    h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", {}, T.sensors.health)), detector),
    h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", {}, T.sensors.models)), models),
    h("section", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", {}, T.sensors.decided)), decided));

  const draw = (now, before) => {
    // All at once, so that nothing moves about.
    panels.hidden = !(now.sensors.items || now.sensors.error) || !(now.monitor.value || now.monitor.error) || !(now.statistics.value || now.statistics.error);
    if (now.sensors !== before?.sensors) {
      const { items, error } = now.sensors;
      put(cards, (items ?? []).map(sensorCard));
      put(state, items ? (items.length ? null : nothing(T.sensors.empty, T.sensors.emptyHint)) : error ? failure(T.sensors.error, error, () => actions.loadSensors()) : loading());
    }
    if (now.monitor !== before?.monitor) drawDetector(detector, now.monitor.value);
    if (now.statistics !== before?.statistics || now.models !== before?.models) drawModels(models, now.models ?? now.statistics.value?.models);
    if (now.statistics !== before?.statistics) drawDecided(decided, now.statistics.value?.precision);
  };
  const age = () => {
    for (const node of cards.querySelectorAll("[data-heard]")) setText(node, T.sensors.ago(f.ago(serverNow() - Date.parse(node.dataset.heard))));
  };
  actions.loadSensors();
  actions.loadStatus();
  draw(store.get());
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += 1;
    if (seconds % REPORT_S || document.hidden) age();
    else actions.loadSensors();
  }, 1000);
  const leave = store.subscribe(draw);
  return () => (clearInterval(timer), leave());
}

const facts = (rows) => h("dl", { class: "facts" }, rows.filter(([, v]) => v !== undefined && v !== null && v !== "").map(([name, value]) =>
  h("div", {}, h("dt", {}, name), h("dd", {}, value))));

function sensorCard(o) {
  const r = o.report ?? o;
  const lost = r.drops > 0 ? h("span", { class: "bad" }, `${f.count(r.drops)} (${share(r.drops, r.packets + r.drops)})`) : f.count(r.drops);
  return h("section", { class: "panel sensor", "data-state": o.state, "aria-label": o.name },
    h("header", { class: "panel-head" }, h("span", { class: "dot", "aria-hidden": "true" }), h("h2", {}, o.name), h("span", { class: `chip sensor-${o.state}` }, T.sensors.states[o.state] ?? o.state),
      h("span", { class: "spacer" }), h("span", { class: "muted num", "data-heard": o.lastHeard, title: f.utc(o.lastHeard) }, T.sensors.ago(f.ago(serverNow() - Date.parse(o.lastHeard))))),
    facts([[T.sensors.source, r.source], [T.sensors.packets, f.count(r.packets)], [T.sensors.drops, lost], [T.sensors.flows, f.count(r.flows)],
      [T.sensors.evictions, known(r.evictions)], [T.sensors.spool, known(r.spool_depth)],
      [T.sensors.oldest, r.oldest_unsent ? when(r.oldest_unsent) : null], [T.sensors.dead, r.dead_letters > 0 ? h("span", { class: "bad" }, f.count(r.dead_letters)) : null], [T.sensors.model, r.model], [T.sensors.version, r.version]]),
    r.trouble ? h("p", { class: "wrong" }, r.trouble) : null);
}

const known = (n) => (n === undefined ? null : f.count(n));
const share = (part, all) => (part > 0 && part < all / 10000 ? "< 0.01%" : all > 0 ? new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 2 }).format(part / all) : "–");

function drawDetector(root, value) {
  if (!value) return put(root, loading());
  const d = value.detector ?? {};
  const sent = d.delivery ?? {};
  return put(root, h("p", { class: "pad" }, h("span", { class: d.healthy ? "good" : "bad" }, (!d.healthy && d.message) || `${d.sensor ? `${d.sensor}: ` : ""}${d.healthy ? T.sensors.healthy : T.sensors.unhealthy}`)),
    facts([[T.sensors.version, d.version], [T.sensors.spool, known(sent.waiting)], [T.sensors.delivered, known(sent.delivered)],
      [T.sensors.refused, known(sent.refused)], [T.sensors.dead, known(sent.deadLetters)],
      [T.sensors.trouble, sent.trouble || value.monitoring?.trouble], [T.sensors.store, value.store?.kind], [T.sensors.streams, known(value.stream?.open)]]),
  value.webhook ? h("p", { class: "pad" }, h("span", { class: "muted small" }, `${T.sensors.webhook}: `), webhookState(value.webhook)) : null);
}

// Told to administrators alone: an open webhook is a thing to know.
const webhookState = ({ mode, secrets, networks }) => [h("span", { class: mode === "open" ? "bad" : null }, T.sensors.webhookModes[mode] ?? mode),
  ` · ${T.sensors.secrets(secrets)}`, mode === "trusted" && networks?.length ? h("span", { class: "mono small muted" }, ` · ${networks.join(", ")}`) : ""];

// What people said of threats is the measure of false alarms that counts.
function drawDecided(root, value) {
  const all = (value?.truePositive ?? 0) + (value?.falsePositive ?? 0);
  if (!all) return put(root, h("p", { class: "pad muted" }, T.sensors.noVerdicts));
  return put(root, facts([[T.sensors.truePositive, f.count(value.truePositive)], [T.sensors.falsePositive, f.count(value.falsePositive)],
    [T.sensors.precision, f.confidence(value.precision ?? value.truePositive / all)]]));
}

// The card of a model says whatever its maker wrote; what is a plain value is shown as it is, the rest as the record.
function drawModels(root, models) {
  const list = Array.isArray(models) ? models : Object.entries(models ?? {}).map(([name, value]) => ({ name, ...value }));
  if (!list.some((m) => Object.keys(m).length > 1)) return put(root, h("p", { class: "pad muted" }, T.sensors.noModels));
  return renew(root, list.map((m) => h("div", { class: "model" }, h("h3", {}, m.name ?? m.sensor ?? ""), facts([...plain(m), ...tuned(m)]),
    (m.models ?? []).map((one) => h("div", {}, h("h3", {}, one.name), facts(plain(one)))),
    h("details", { class: "fold" }, h("summary", {}, T.detail.record), h("pre", { class: "mono", tabindex: "0" }, JSON.stringify(m, null, 2))))));
}

// What fits a detector to its network: false alarms against the budget, drift against the model's rows, learning, a shadow.
function tuned({ false_alarms: alarms, drift, learning, shadow }) {
  const rows = [];
  if (alarms) rows.push([T.tune.wanted, alarms.wanted === null ? T.tune.own : f.figure(alarms.wanted)],
    [T.tune.expected, alarms.expected === null ? T.tune.unknown : h("span", { class: alarms.within ? null : "bad" }, f.figure(alarms.expected), alarms.within ? "" : `: ${T.tune.beyond}`)],
    [T.tune.reached, alarms.reached === null ? T.tune.unknown : h("span", { class: alarms.wanted !== null && alarms.reached > alarms.wanted ? "bad" : null }, f.figure(alarms.reached))]);
  if (drift) rows.push([T.tune.drift, drift.greatest === null ? T.tune.fewFlows : h("span", { class: drift.greatest > 0.25 ? "bad" : null }, `${f.figure(drift.greatest)} (${drift.feature})`)]);
  if (learning && learning.state !== "off") rows.push([T.tune.learning, T.tune.learned(learning.state === "over", f.figure(learning.hours), f.figure(learning.of_hours), f.count(learning.limits_raised))]);
  if (shadow) rows.push([T.tune.shadow, shadow.model], [T.tune.differs, T.tune.of(f.count(shadow.only_model + shadow.only_shadow), f.count(shadow.both + shadow.neither + shadow.only_model + shadow.only_shadow))]);
  return rows;
}

const HIDDEN = new Set(["name", "success", "timestamp"]);
const plain = (o) => Object.entries(o).filter(([k, v]) => !HIDDEN.has(k) && ["string", "number", "boolean"].includes(typeof v))
  .map(([k, v]) => [k.replaceAll("_", " "), typeof v === "number" ? f.figure(v) : String(v)]);
