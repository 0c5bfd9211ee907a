// actions.js: what the page does: asks the server, then tells the store. Views call these and nothing else.

import * as api from "./api.js";
import { T } from "./texts.js";
import { noticeCritical } from "./desktop.js";
import { LIVE_MAX } from "./state.js";

const NETWORK = "/api/network";
const RECOUNT_MS = 5000;
const LATEST = 20; // so many of the live list are enough while another view is open: the first load stays small
const NOTICE_MS = 8000;
const OWN_MAX = 500;
const DECIDED_MAX = 5000;
const BULK_FROM = 8; // so many threats at once go as one request
const BULK_MAX = 1000; // and so many the server takes in one

const ifMatch = (version) => ({ headers: { "If-Match": `"${version}"` } });

export function createActions(store, makeLink) {
  const { dispatch } = store;
  let synced = null; // the loading that runs, or ran, since the stream was opened
  let turn = 0; // of the questions to the server
  let before = 0; // the last turn of a session that is over
  const answered = new Map(); // by what an answer is about, the turn of the question
  let recount = 0;
  let refreshTimer = 0;
  let noticeId = 0;
  let deciding = Promise.resolve(); // decisions, and what takes them back, go one after the other
  let undecided = 0; // decisions that show, but that the server does not have yet
  let changing = Promise.resolve();
  const ownVersions = new Map(); // what our own last change of a threat made of its version
  const undos = new Map();
  const decided = new Map(); // what was decided here of late, of which version
  const noticeTimers = new Map();

  // A session belongs to the browser: who signs in in one tab is in in all of them.
  const tabs = new BroadcastChannel("session");
  tabs.onmessage = () => ["out", "ended"].includes(store.get().session.phase) && actions.resume().catch(() => {});

  const link = makeLink({
    onEvents(heard) {
      const events = heard.map((e) => (e.data?.threat_id && decided.has(e.data.threat_id) ? { ...e, data: asDecided(e.data) } : e));
      dispatch({ type: "events", events });
      for (const event of events) follow(event);
      noticeCritical(events);
    },
    onStatus(status) {
      const { connection: was, ...known } = store.get();
      dispatch({ type: "connection", status });
      // What failed while the server was away is asked for again.
      if (status.phase === "live" && was.phase !== "live" && ["live", "statistics", "charts", "monitor", "sensors"].some((name) => known[name].error)) actions.sync();
      if (status.phase === "ended") endSession();
      if (status.phase === "live" && store.get().session.phase === "out") actions.resume();
    },
    onJoined: () => synced ?? actions.sync(),
  });

  function follow(event) {
    if (event.type === "gap") anew();
    else if (event.type === "connection") firstConnection(event);
    else if (event.type === "monitoring_event" || event.type === "sensor") actions.loadStatus();
    else if (event.type === "threats_removed" && !(event.data?.ids ?? event.ids)) anew();
    else if (event.type === "threat_updated" && event.data?.threat_id === store.get().detail.id && !event.data.triage?.history)
      actions.loadDetail(event.data.threat_id, true);
  }

  // The stream cannot tell what is gone and what is new: all that is shown is loaded again.
  function anew() {
    actions.sync();
    dispatch({ type: "gap" });
  }

  // What was stored between the first loading and the opening of the stream is in neither; then load again.
  async function firstConnection(event) {
    if (!synced) return actions.sync();
    await synced;
    const seq = Number(String(event.id).split(".").pop());
    const newest = store.get().live.items.reduce((max, t) => Math.max(max, t.seq ?? 0), 0);
    if (!(seq <= newest) && event.id !== firstConnection.done) {
      firstConnection.done = event.id;
      return actions.sync();
    }
  }

  // Of two answers to one question the later question's holds, whichever comes first; none outlives its session.
  async function ask(type, url, told, failed = (error) => ({ type, error: error.message })) {
    const mine = (turn += 1);
    const action = await api.get(url).then((answer) => ({ type, ...told(answer) }), failed);
    if (mine <= before || mine < (answered.get(type) ?? 0)) return;
    answered.set(type, mine);
    dispatch(action);
  }

  function leave() {
    before = turn;
    api.forgetSession();
    synced = null;
    clearInterval(refreshTimer);
  }

  function endSession() {
    if (store.get().session.phase !== "in") return;
    leave();
    link.leave();
    dispatch({ type: "session", phase: "ended" });
  }
  api.onSessionEnd(endSession);
  addEventListener("beforeunload", (e) => undecided && e.preventDefault());

  function begin(user) {
    dispatch({ type: "session", phase: "in", user });
    link.start();
    actions.sync(store.get().route.view === "live" ? LIVE_MAX : LATEST);
    clearInterval(refreshTimer);
    let minutes = 0;
    refreshTimer = setInterval(() => {
      if (document.hidden) return;
      actions.loadStatus();
      actions.loadSensors();
      if (store.get().route.view === "live") actions.loadCharts();
      minutes += 0.5;
      if (minutes % 10 === 0) api.post("/api/auth/refresh", {}, { quiet: true }).catch(() => {});
    }, 30000);
  }

  const uncounted = ({ statistics: { changes, counted } }) => changes > counted;
  // Counts kept by the page are the server's again a little after the last event.
  store.subscribe((state) => {
    if (state.session.phase !== "in" || !uncounted(state) || recount) return;
    recount = setTimeout(async () => {
      await Promise.all([actions.loadStatistics(), store.get().route.view === "live" ? actions.loadCharts() : null]);
      recount = 0;
      if (uncounted(store.get())) dispatch({ type: "statisticsTick" });
    }, document.hidden ? 6 * RECOUNT_MS : RECOUNT_MS);
  });

  const shield = (call) => async (...args) => {
    try {
      return await call(...args);
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 401) actions.notify(T.failed(error.message), { kind: "bad" });
      return null;
    }
  };

  function mine(threat) {
    ownVersions.delete(threat.threat_id);
    ownVersions.set(threat.threat_id, threat.triage.version);
    if (ownVersions.size > OWN_MAX) ownVersions.delete(ownVersions.keys().next().value);
    dispatch({ type: "threat", threat });
  }

  const versionOf = (t) => Math.max(t.triage?.version ?? 0, ownVersions.get(t.threat_id) ?? 0);

  // The version that the analyst saw, or made just before, goes along.
  async function changeOne(threat, set) {
    const url = `${NETWORK}/threats/${encodeURIComponent(threat.threat_id)}`;
    try {
      const answer = await api.patch(url, set, ifMatch(versionOf(threat)));
      mine(answer.threat);
      return { ok: true };
    } catch (error) {
      if (error.status !== 412) throw error;
      const { success, threat: now, ...rest } = await api.get(url);
      const record = now ?? rest;
      dispatch({ type: "threat", threat: record });
      return { ok: false, lost: true, who: record.triage?.history?.at(-1)?.by };
    }
  }

  // What was decided shows at once, so that the next key never meets a row that is about to leave; a refusal brings it back.
  const show = (threats, status) => dispatch({ type: "events", events: threats.map((t) => (
    { type: "threat_updated", data: status ? { ...t, triage: { ...t.triage, status } } : t })) });

  // A list or an event of before the decision knows nothing of it.
  const asDecided = (t) => {
    const known = decided.get(t.threat_id);
    return known && (t.triage?.version ?? 0) <= known.version ? { ...t, triage: { ...t.triage, status: known.status } } : t;
  };

  const moveAll = shield(async (moved, status) => {
    try {
      await moveThem(moved, status);
    } catch (error) {
      for (const t of moved) decided.delete(t.threat_id);
      show(moved);
      throw error;
    }
  });

  const inTurn = (call) => {
    undecided += 1;
    deciding = deciding.then(call).finally(() => (undecided -= 1));
    return deciding;
  };

  async function moveThem(moved, status) {
    const before = new Map(moved.map((t) => [t.threat_id, t.triage?.status ?? "new"]));
    const comeBack = (threats) => {
      for (const t of threats) {
        before.delete(t.threat_id);
        decided.delete(t.threat_id);
      }
    };
    let done = 0;
    if (moved.length >= BULK_FROM) {
      const answer = await actions.bulk([...before.keys()], { status });
      done = answer.changed;
      const missed = moved.filter((t) => answer.missed.has(t.threat_id));
      comeBack(missed);
      show(missed);
    } else {
      for (const threat of moved) {
        const result = await actions.change(threat, { status });
        if (result.ok) done += 1;
        else {
          comeBack([threat]);
          actions.notify(T.inbox.lost(result.who), { kind: "bad" });
        }
      }
    }
    if (!done) return;
    const word = T.status[status].toLowerCase();
    const text = done < moved.length ? `${T.inbox.done(done, word)} · ${T.inbox.partly(done, moved.length)}` : T.inbox.done(done, word);
    actions.notify(text, { undo: () => actions.restore(before) });
  }

  const actions = {
    // --- session ---
    async resume() {
      try {
        const { user } = await api.get("/api/auth/me", { quiet: true });
        begin(user);
      } catch (error) {
        if (error.status !== 401) throw error;
        dispatch({ type: "session", phase: "out", user: null });
      }
    },
    async login(username, password) {
      const { user } = await api.post("/api/auth/login", { username, password }, { quiet: true });
      begin(user);
      tabs.postMessage("in");
    },
    async logout() {
      leave();
      link.stop();
      await api.post("/api/auth/logout", {}, { quiet: true }).catch(() => {});
      dispatch({ type: "session", phase: "out" });
    },
    retryNow: () => link.retryNow(),

    // --- loading ---
    sync(latest = LIVE_MAX) {
      synced = Promise.allSettled([
        actions.loadLive(latest), actions.loadStatistics(), actions.loadStatus(), actions.loadSensors(), actions.loadCharts(),
      ]);
      return synced;
    },
    async loadLive(limit = LIVE_MAX) {
      await ask("live", `${NETWORK}/threats/history?limit=${limit}`, ({ threats }) => ({ threats: threats.map(asDecided) }));
      if (limit < LIVE_MAX && store.get().route.view === "live" && !store.get().live.error) await actions.loadLive();
    },
    loadStatistics() {
      const counted = store.get().statistics.changes;
      return ask("statistics", `${NETWORK}/statistics`, ({ statistics: value }) => ({ value, counted }));
    },
    loadCharts() {
      const to = Math.ceil(api.serverNow() / 3600e3) * 3600e3; // whole hours, as the server counts them
      const from = to - 24 * 3600e3;
      const query = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      return ask("charts", api.path(`${NETWORK}/statistics`, query), ({ statistics }) => ({ value: { ...statistics, from, to } }));
    },
    loadStatus: () => ask("monitor", `${NETWORK}/status`, ({ success, ...value }) => ({ value })),
    loadInterfaces: () => ask("interfaces", `${NETWORK}/interfaces`, ({ interfaces: items }) => ({ items })),
    loadSensors: () => ask("sensors", `${NETWORK}/sensors`, ({ sensors: items }) => ({ items })),
    async loadUsers() {
      if (store.get().session.user?.role === "viewer") return;
      await ask("users", "/api/assignees", ({ assignees }) => ({ items: assignees ?? [] }), () => ({ type: "users", items: [] }));
    },

    // --- lists ---
    async loadList(name, query, { append = false, status = "", takesNew = false } = {}) {
      if (append && store.get().lists[name].loading) return; // that answer says where the list goes on
      const key = JSON.stringify(query);
      const mine = (turn += 1);
      const cursor = append ? store.get().lists[name].next : undefined;
      dispatch({ type: "listLoading", name, key, turn: mine, fresh: !append, status, takesNew });
      try {
        const answer = await api.get(api.path(`${NETWORK}/threats`, { ...query, cursor, total: append ? undefined : 1 }));
        dispatch({ type: "list", name, turn: mine, threats: answer.threats.map(asDecided), next: answer.next, total: answer.total, append });
      } catch (error) {
        dispatch({ type: "listError", name, turn: mine, error });
      }
    },
    async loadDetail(id, quiet = false) {
      if (!quiet) dispatch({ type: "detailLoading", id });
      try {
        const { success, threat, ...rest } = await api.get(`${NETWORK}/threats/${encodeURIComponent(id)}`);
        dispatch({ type: "detail", id, record: threat ?? rest });
      } catch (error) {
        dispatch({ type: "detailError", id, error: error.status === 404 ? "gone" : error.message });
      }
    },
    async related(threat) {
      const ask = async (q) => {
        const { threats } = await api.get(api.path(`${NETWORK}/threats`, { q, limit: 6 }));
        return threats.filter((t) => t.threat_id !== threat.threat_id).slice(0, 5);
      };
      return Promise.all([ask(`source:${threat.source_ip}`), ask(`destination:${threat.destination_ip}`)]);
    },

    // --- deciding ---
    // Changes one threat; the version that the analyst saw goes along, so that nobody's change is overwritten unseen.
    change(threat, set) {
      changing = changing.catch(() => {}).then(() => changeOne(threat, set));
      return changing;
    },
    // Moves threats to a status, with an undo.
    setStatus(threats, status) {
      const moved = threats.filter((t) => (asDecided(t).triage?.status ?? "new") !== status); // what is shown may be a frame old
      dispatch({ type: "choose", ids: [] });
      if (!moved.length) return deciding;
      for (const t of moved) decided.set(t.threat_id, { status, version: versionOf(t) });
      while (decided.size > DECIDED_MAX) decided.delete(decided.keys().next().value);
      show(moved, status);
      return inTurn(() => moveAll(moved, status));
    },
    restore: (before) => inTurn(shield(async () => {
      for (const id of before.keys()) decided.delete(id);
      const groups = Map.groupBy([...before.keys()], (id) => before.get(id));
      for (const [status, ids] of groups) await actions.bulk(ids, { status });
      actions.notify(T.inbox.undone);
    })),
    decidedHere: (id) => decided.has(id),
    // Gives how many changed, and those that the server did not come to.
    async bulk(ids, set) {
      let changed = 0;
      const missed = new Set();
      for (let at = 0; at < ids.length; at += BULK_MAX) {
        const part = ids.slice(at, at + BULK_MAX);
        const answer = await api.post(`${NETWORK}/threats/bulk`, { ids: part, set });
        changed += answer.changed;
        if (answer.more) for (const id of part.slice(answer.changed + (answer.missing?.length ?? 0))) missed.add(id);
      }
      return { changed, missed };
    },
    // A key may come before the answer to the one before it.
    async undoLast() {
      await deciding;
      const id = [...undos.keys()].at(-1);
      if (id !== undefined) actions.undo(id);
    },
    async comment(threat, text) {
      const answer = await api.post(`${NETWORK}/threats/${encodeURIComponent(threat.threat_id)}/comments`, { text });
      mine(answer.threat);
    },
    // What people and the country files know of addresses: {address: {name, note, country, city, network}}.
    async names(addresses) {
      const { names } = await api.post("/api/names", { addresses });
      return names;
    },
    nameAddress: (address, entry) => api.put(`/api/assets/${encodeURIComponent(address)}`, entry),
    forgetAddress: (address) => api.del(`/api/assets/${encodeURIComponent(address)}`),
    previewSuppression: (match) => api.post("/api/suppressions/preview", { match }),
    suppress: (rule) => api.post("/api/suppressions", rule),
    block: (entry) => api.post("/api/blocklist", entry),

    // --- monitoring ---
    async start(name, duration) {
      if (store.get().monitor.busy) return;
      dispatch({ type: "monitorBusy", busy: true });
      try {
        await api.post(`${NETWORK}/start-monitoring`, { interface: name, duration });
        actions.notify(T.monitor.started);
      } catch (error) {
        actions.notify(T.failed(error.message), { kind: "bad" });
      }
      await actions.loadStatus();
      dispatch({ type: "monitorBusy", busy: false });
    },
    async stop() {
      if (store.get().monitor.busy) return;
      dispatch({ type: "monitorBusy", busy: true });
      try {
        await api.post(`${NETWORK}/stop-monitoring`);
        actions.notify(T.monitor.stopped);
      } catch (error) {
        actions.notify(T.failed(error.message), { kind: "bad" });
      }
      await actions.loadStatus();
      dispatch({ type: "monitorBusy", busy: false });
    },

    // --- notices ---
    notify(text, { kind = "good", undo = null } = {}) {
      noticeId += 1;
      const id = noticeId;
      if (undo) undos.set(id, undo);
      dispatch({ type: "notice", notice: { id, text, kind, undo: Boolean(undo) } });
      noticeTimers.set(id, setTimeout(() => actions.dismiss(id), kind === "bad" ? 2 * NOTICE_MS : NOTICE_MS));
    },
    dismiss(id) {
      clearTimeout(noticeTimers.get(id));
      noticeTimers.delete(id);
      undos.delete(id);
      dispatch({ type: "unnotice", id });
    },
    undo(id) {
      const call = undos.get(id);
      actions.dismiss(id);
      return call?.();
    },
    shield,
    api,
    dispatch,
  };
  return actions;
}
