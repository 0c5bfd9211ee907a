// state.js: everything the page knows, and the one pure function that changes it.

export const LIVE_MAX = 50; // rows drawn in the live list
export const LIST_MAX = 1000; // rows kept of any other list
const KNOWN_MAX = 5000; // threats of which the latest word is remembered
const NOTICE_MAX = 4;
const LATE_MAX = 2; // answers with figures that are left alone because they were overtaken

// meanwhile: what the stream said of threats while an answer was on its way; null for one that was removed.
const emptyList = {
  items: [], next: null, total: null, loading: false, error: null, loaded: false, fresh: 0, cut: false, key: "", turn: 0, meanwhile: new Map(),
};

export const initial = {
  session: { phase: "unknown", user: null },
  connection: { phase: "idle", since: 0 },
  route: { view: "live", id: null, query: {} },
  live: { items: [], loaded: false, error: null, paused: false, held: 0, shown: [] },
  known: new Map(), // the latest word on threats: to count an update that changes them, and to tell an answer that was overtaken
  seen: { store: "", seq: 0 },
  gaps: 0, // how often the stream could not tell all: then lists are asked for anew
  // changes: heard of so far; counted: those before the figures were asked for; sure: what is shown counts all of them;
  // late: so many answers were overtaken since.
  statistics: { value: null, error: null, changes: 0, counted: 0, sure: true, late: 0 },
  charts: { value: null, error: null },
  monitor: { value: null, error: null, busy: false },
  interfaces: { items: null, error: null },
  sensors: { items: null, error: null },
  models: null,
  lists: { inbox: emptyList, history: emptyList },
  chosen: new Set(),
  cursor: null, // the row that the keyboard stands on
  detail: { id: null, record: null, loading: false, error: null },
  users: [],
  notices: [],
  arrivals: { count: 0, high: 0 },
};

export const simulated = (t) => t.details?.source === "simulator" || t.source === "simulator";
const revision = (t) => t.revision ?? 1;
const version = (t) => t.triage?.version ?? 0;
const older = (a, b) => revision(a) < revision(b) || version(a) < version(b);
// A later word on the same threat; an answer that overtook a newer event does not bring back what was.
const merged = (old, next) => (older(next, old) ? old : { ...old, ...next });

// A stream id is "store.seq"; what was counted once is not counted again when it is replayed.
function position(id) {
  const dot = String(id ?? "").lastIndexOf(".");
  const seq = Number(String(id ?? "").slice(dot + 1));
  return dot > 0 && Number.isInteger(seq) ? { store: id.slice(0, dot), seq } : null;
}

const replace = (items, t) => {
  const at = items.findIndex((o) => o.threat_id === t.threat_id);
  if (at < 0) return items;
  const next = merged(items[at], t);
  return next === items[at] ? items : items.toSpliced(at, 1, next);
};

// Once a real source has reported, the server leaves simulated threats out of its figures.
const counts = (statistics, t) => statistics.simulated !== false || !simulated(t);
const statusOf = (t) => t.triage?.status ?? "new";
const arrival = (t) => String(t.receivedAt ?? t.timestamp ?? "");

// A full list lets its oldest go, but never a row that the analyst stands on or has selected.
function capped(items, max, { cursor, chosen }) {
  if (items.length <= max) return items;
  const kept = items.slice(max).filter((t) => t.threat_id === cursor || chosen.has(t.threat_id)).slice(0, max);
  return [...items.slice(0, max - kept.length), ...kept];
}

// A threat whose status fits again (an undo, someone else's change) takes its old place in the list.
function comeBack(items, updates, { status, next }) {
  const had = new Set(items.map((t) => t.threat_id));
  const back = updates.filter((t) => !had.has(t.threat_id) && (!status || statusOf(t) === status) &&
    (!next || !items.length || arrival(t) >= arrival(items.at(-1))));
  if (!back.length) return items;
  const all = [...items];
  for (const t of back) {
    const at = all.findIndex((o) => arrival(o) < arrival(t));
    all.splice(at < 0 ? all.length : at, 0, t);
  }
  return all;
}

const moved = (counts, was, now) => {
  const next = { ...counts, [now]: (counts?.[now] ?? 0) + 1 };
  if (was) next[was] = Math.max(0, (next[was] ?? 0) - 1);
  return next;
};
const standing = (t) => ({ severity: t.severity, status: statusOf(t), version: version(t), revision: revision(t) });
const later = (known, t) => known && (known.version > version(t) || known.revision > revision(t));
const learn = (known, t) => later(known.get(t.threat_id), t) || known.set(t.threat_id, standing(t));

// What was asked for before a threat changed may come after the word of the change: then it does not bring back what was.
function overtaken(known, t) {
  const k = known.get(t.threat_id);
  if (!later(k, t)) return t;
  return { ...t, severity: k.revision > revision(t) ? k.severity : t.severity, triage: k.version > version(t) ? { ...t.triage, status: k.status } : t.triage };
}
const asKnown = (known, threats) => threats.filter((t) => !known.get(t.threat_id)?.gone).map((t) => overtaken(known, t));

// The figures with one more threat, or with one that is no longer what it was.
function counted(statistics, was, t) {
  const now = standing(t);
  if (was?.severity === now.severity && was.status === now.status) return statistics;
  if (!counts(statistics, t)) return was ? statistics : { ...statistics, uncounted: (statistics.uncounted ?? 0) + 1 };
  let next = statistics;
  if (was?.severity !== now.severity) next = moved(next, was?.severity, now.severity);
  if (was?.status !== now.status) next = { ...next, byStatus: moved(next.byStatus, was?.status, now.status) };
  return was ? next : { ...next, total: (next.total ?? 0) + 1, byType: moved(next.byType, undefined, t.threat_type) };
}

// One frame's events at once: a thousand a second cost one new list, not a thousand.
function takeEvents(state, events) {
  const added = new Map();
  const updates = new Map();
  const removed = new Set();
  const known = new Map(state.known);
  let { seen, statistics, arrivals, models, sensors, detail } = state;
  let value = statistics.value;
  let changes = statistics.changes;

  for (const event of events) {
    const at = position(event.id);
    const durable = event.type?.startsWith("threat_");
    if (at && durable) {
      if (at.store === seen.store && at.seq <= seen.seq && event.type !== "threats_removed") continue;
      seen = at;
    } else if (at && event.type === "connection" && at.store !== seen.store) seen = at;
    const t = durable && event.data?.threat_id ? overtaken(known, event.data) : event.data;
    const was = known.get(t?.threat_id);
    if (event.type === "threat_detected" && t?.threat_id) {
      if (!was || was.gone) {
        if (value) value = counted(value, undefined, t);
        arrivals = { count: arrivals.count + 1, high: arrivals.high + (t.severity === "high" || t.severity === "critical") };
      }
      learn(known, t);
      removed.delete(t.threat_id);
      added.set(t.threat_id, t);
      changes += 1;
    } else if (event.type === "threat_updated" && t?.threat_id) {
      if (was && !was.gone && value) value = counted(value, was, t);
      learn(known, t);
      if (added.has(t.threat_id)) added.set(t.threat_id, merged(added.get(t.threat_id), t));
      else updates.set(t.threat_id, updates.has(t.threat_id) ? merged(updates.get(t.threat_id), t) : t);
      changes += 1;
    } else if (event.type === "threats_removed") {
      for (const id of t?.ids ?? event.ids ?? []) {
        removed.add(id);
        known.set(id, { gone: true });
      }
      changes += 1;
    } else if (event.type === "model_stats") {
      models = t ?? null;
    } else if (event.type === "sensor" && t?.name && sensors.items) {
      const items = sensors.items.filter((o) => o.name !== t.name);
      const old = sensors.items.find((o) => o.name === t.name);
      sensors = { ...sensors, items: [...items, { ...old, ...t }].sort((a, b) => a.name.localeCompare(b.name)) };
    }
  }

  while (known.size > KNOWN_MAX) known.delete(known.keys().next().value);
  const gone = (t) => removed.has(t.threat_id);
  const change = (items) => {
    let next = items;
    for (const t of updates.values()) next = replace(next, t);
    return removed.size ? next.filter((t) => !gone(t)) : next;
  };
  const newest = [...added.values()].reverse().filter((t) => !gone(t));
  const prepend = (items, max) => {
    if (!newest.length) return items;
    const rest = items.filter((t) => !added.has(t.threat_id));
    return capped([...newest, ...rest], max, state);
  };

  let live = state.live;
  const items = prepend(change(live.items), LIVE_MAX);
  if (items !== live.items) {
    live = { ...live, items };
    live.shown = live.paused ? change(live.shown) : items;
    if (live.paused) live.held += newest.length;
  }

  const { inbox, history } = state.lists;
  let inboxItems = change(inbox.items);
  if (inbox.loaded && inbox.takesNew) inboxItems = prepend(inboxItems, LIST_MAX);
  const cut = inbox.cut || (newest.length > 0 && inboxItems.length >= LIST_MAX);
  if (inbox.status) inboxItems = inboxItems.filter((t) => statusOf(t) === inbox.status);
  if (inbox.loaded) inboxItems = capped(comeBack(inboxItems, [...updates.values()].filter((t) => !gone(t)), inbox), LIST_MAX, state);
  const noted = (list) => (list.loading && (added.size || updates.size || removed.size)
    ? { ...list, meanwhile: new Map([...list.meanwhile, ...added, ...updates, ...[...removed].map((id) => [id, null])]) } : list);
  const historyItems = change(history.items);
  const lists = {
    inbox: noted(inboxItems.length === inbox.items.length && inboxItems.every((t, i) => t === inbox.items[i])
      ? inbox : { ...inbox, items: inboxItems, cut }),
    history: noted(historyItems === history.items && !newest.length
      ? history : { ...history, items: historyItems, fresh: history.fresh + newest.length }),
  };

  const about = detail.id && (updates.get(detail.id) ?? added.get(detail.id));
  if (detail.record && removed.has(detail.id)) detail = { ...detail, record: null, error: "removed" };
  else if (detail.record && about) detail = { ...detail, record: merged(detail.record, about) };

  let chosen = state.chosen;
  if (removed.size && [...chosen].some((id) => removed.has(id))) chosen = new Set([...chosen].filter((id) => !removed.has(id)));

  return {
    ...state, seen, known, arrivals, models, sensors, live, lists, detail, chosen,
    statistics: value === statistics.value && changes === statistics.changes ? statistics : { ...statistics, value, changes, sure: statistics.sure && !removed.size },
  };
}

function remember(known, threats) {
  const next = new Map(known);
  for (const t of threats) learn(next, t);
  return next;
}

const changes = {
  events: (state, { events }) => takeEvents(state, events),
  session: (state, { phase, user }) =>
    phase === "in" ? { ...state, session: { phase, user } }
      : { ...initial, session: { phase, user: null }, route: state.route, connection: state.connection },
  connection: (state, { status }) => ({ ...state, connection: status }),
  route: (state, { route }) => ({ ...state, route }),
  gap: (state) => ({ ...state, gaps: state.gaps + 1, statistics: { ...state.statistics, sure: false }, known: new Map([...state.known].filter(([, k]) => !k.gone)) }),

  // History is the server's word: it replaces the list, but keeps what the stream brought meanwhile.
  live: (state, { threats: told, error = null }) => {
    if (error) return { ...state, live: { ...state.live, error } };
    const threats = asKnown(state.known, told);
    const ids = new Set(threats.map((t) => t.threat_id));
    const newest = threats.reduce((max, t) => Math.max(max, t.seq ?? 0), 0);
    const later = state.live.items.filter((t) => !ids.has(t.threat_id) && (t.seq ?? 0) > newest);
    const byId = new Map(state.live.items.map((t) => [t.threat_id, t]));
    const loaded = threats.map((t) => (byId.has(t.threat_id) ? merged(byId.get(t.threat_id), t) : t));
    const items = [...later, ...loaded].slice(0, LIVE_MAX);
    const shown = state.live.paused ? state.live.shown : items;
    // The inbox, asked for at another moment, may lack the latest of them.
    const { inbox } = state.lists;
    const upTo = inbox.loading ? { ...inbox, meanwhile: new Map([...threats.map((t) => [t.threat_id, t]), ...inbox.meanwhile]) }
      : inbox.loaded && inbox.takesNew ? { ...inbox, items: capped(comeBack(inbox.items, threats, inbox), LIST_MAX, state) } : inbox;
    return {
      ...withList(state, "inbox", upTo), live: { ...state.live, items, shown, loaded: true, error: null },
      known: remember(state.known, threats),
    };
  },
  pause: (state, { on }) => ({
    ...state, live: { ...state.live, paused: on, held: 0, shown: on ? state.live.shown : state.live.items },
  }),
  spoken: (state) => ({ ...state, arrivals: { count: 0, high: 0 } }),
  // What came after the question may be missing in the answer: then what the page counted on holds, and the next answer will tell.
  // Where something always comes, one of several answers is taken all the same.
  statistics: (state, { value, error = null, counted: upTo = 0 }) => {
    const old = state.statistics;
    if (error) return { ...state, statistics: { ...old, error } };
    const leave = old.value && old.sure && upTo < old.changes && old.late < LATE_MAX;
    return { ...state, statistics: leave ? { ...old, error: null, late: old.late + 1 } : { ...old, value, error: null, counted: upTo, sure: true, late: 0 } };
  },
  statisticsTick: (state) => ({ ...state, statistics: { ...state.statistics } }),
  charts: (state, { value, error = null }) => ({
    ...state, charts: error ? { ...state.charts, error } : { value, error: null },
  }),

  monitor: (state, { value, error = null }) => ({
    ...state, monitor: { ...state.monitor, value: error ? state.monitor.value : value, error },
  }),
  monitorBusy: (state, { busy }) => ({ ...state, monitor: { ...state.monitor, busy } }),
  interfaces: (state, { items = null, error = null }) => ({ ...state, interfaces: { items, error } }),
  sensors: (state, { items, error = null }) => ({ ...state, sensors: error ? { ...state.sensors, error } : { items, error: null } }),
  models: (state, { value }) => ({ ...state, models: value }),
  users: (state, { items }) => ({ ...state, users: items }),

  listLoading: (state, { name, key, turn, fresh, status, takesNew }) => {
    const old = state.lists[name];
    const base = fresh ? { ...emptyList, ...(old.key === key && { items: old.items, loaded: old.loaded, next: old.next, total: old.total }) } : old;
    return withList(state, name, { ...base, key, turn, status, takesNew, loading: true, error: null, meanwhile: new Map() });
  },
  // What the stream said while the answer was on its way may be the later word.
  list: (state, { name, turn, threats: told, next, total, append }) => {
    const old = state.lists[name];
    if (old.turn !== turn) return state; // the answer to a question no longer asked
    const threats = asKnown(state.known, told);
    const had = new Map(old.items.map((t) => [t.threat_id, t]));
    const said = old.meanwhile;
    const latest = (t, word) => (word ? merged(t, word) : t);
    const loaded = threats.filter((t) => said.get(t.threat_id) !== null)
      .map((t) => latest(had.has(t.threat_id) ? merged(had.get(t.threat_id), t) : t, said.get(t.threat_id)));
    const ids = new Set(threats.map((t) => t.threat_id));
    const all = append ? [...old.items.filter((t) => !ids.has(t.threat_id)), ...loaded] : loaded;
    let items = old.status ? all.filter((t) => statusOf(t) === old.status) : all;
    if (name === "inbox") items = comeBack(items, [...said.values()].filter(Boolean), { status: old.status, next });
    const list = { ...old, items: capped(items, LIST_MAX, state), next: items.length > LIST_MAX ? null : next ?? null,
      total: total ?? old.total, loading: false, loaded: true, error: null, fresh: append ? old.fresh : 0, meanwhile: emptyList.meanwhile };
    return { ...withList(state, name, list), known: remember(state.known, threats) };
  },
  listError: (state, { name, turn, error }) =>
    state.lists[name].turn === turn ? withList(state, name, { ...state.lists[name], loading: false, error }) : state,

  choose: (state, { ids }) => ({ ...state, chosen: new Set(ids) }),
  cursor: (state, { id }) => (state.cursor === id ? state : { ...state, cursor: id }),
  // A triage answer and an event are the same word about a threat.
  threat: (state, { threat }) => takeEvents(state, [{ type: "threat_updated", data: threat }]),
  detailLoading: (state, { id }) => ({
    ...state, detail: { id, record: state.detail.id === id ? state.detail.record : null, loading: true, error: null },
  }),
  detail: (state, { id, record }) =>
    state.detail.id !== id ? state : state.known.get(id)?.gone ? { ...state, detail: { ...state.detail, loading: false, error: "removed" } }
      : { ...state, detail: { id, record: state.detail.record ? merged(state.detail.record, record) : record, loading: false, error: null } },
  detailError: (state, { id, error }) =>
    state.detail.id === id ? { ...state, detail: { ...state.detail, record: error === "gone" ? null : state.detail.record, loading: false, error } } : state,

  notice: (state, { notice }) => ({ ...state, notices: [...state.notices, notice].slice(-NOTICE_MAX) }),
  unnotice: (state, { id }) => ({ ...state, notices: state.notices.filter((n) => n.id !== id) }),
};

const withList = (state, name, list) => ({ ...state, lists: { ...state.lists, [name]: list } });

export function reduce(state, action) {
  const change = changes[action.type];
  if (!change) throw new Error(`no such action: ${action.type}`);
  return change(state, action);
}
