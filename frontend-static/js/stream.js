// stream.js: one Server-Sent Events connection that heals itself.
//
// Runs in a page or in a shared worker, so it knows no document. A browser's EventSource gives up for good on any
// answer but 200, so the timer is our own: what came last is asked for again with ?last_event_id=.

const HEARD_EVERY = 15000; // the server's heartbeat
const STALE_AFTER = 2.4 * HEARD_EVERY;
const GIVE_UP_AFTER = 4 * HEARD_EVERY;
const PAUSES = [1000, 2000, 4000, 8000, 15000];
const BATCH_MS = 16;

// onEvents(list) gets parsed events, each with its id; onStatus({phase, since, retryAt}) every change of state.
export function createStream({ url, probe, onEvents, onStatus }) {
  let source = null;
  let lastId = "";
  let tries = 0;
  let heard = 0;
  let retryTimer = 0;
  let watchTimer = 0;
  let batch = [];
  let batchTimer = 0;
  let flushed = 0;
  let running = false;
  let status = { phase: "idle", since: Date.now() };

  const say = (phase, more = {}) => {
    status = { phase, since: Date.now(), ...more };
    onStatus(status);
  };

  const flush = () => {
    batchTimer = 0;
    flushed = Date.now();
    const events = batch;
    batch = [];
    if (events.length) onEvents(events);
  };
  // The first event goes at once; what follows closely goes together.
  const take = (event) => {
    batch.push(event);
    if (batchTimer) return;
    const wait = flushed + BATCH_MS - Date.now();
    if (wait <= 0) flush();
    else batchTimer = setTimeout(flush, wait);
  };

  const drop = () => {
    clearTimeout(retryTimer);
    source?.close();
    source = null;
  };

  const open = () => {
    drop();
    if (!running) return;
    if (status.phase !== "stale") say("connecting", { tries });
    const to = lastId ? `${url}?last_event_id=${encodeURIComponent(lastId)}` : url;
    const mine = new EventSource(to);
    source = mine;
    heard = Date.now();
    mine.onmessage = (message) => {
      if (source !== mine) return;
      heard = Date.now();
      tries = 0;
      if (status.phase !== "live") say("live");
      let event;
      try {
        event = JSON.parse(message.data);
      } catch {
        return; // not ours to guess at; the connection itself is alive
      }
      if (message.lastEventId) lastId = message.lastEventId;
      take({ ...event, id: message.lastEventId });
    };
    mine.onerror = () => source === mine && failed();
  };

  const failed = async () => {
    drop();
    flush();
    if (!running) return;
    const answer = await probe(); // "ended", "away" or "fine"
    if (!running || source) return;
    if (answer === "ended") {
      stop();
      return;
    }
    clearTimeout(retryTimer); // two may have failed at once
    if (answer === "away" && self.navigator?.onLine === false) {
      say("offline");
      retryTimer = setTimeout(open, 15000); // in case nobody tells us
      return;
    }
    const pause = PAUSES[Math.min(tries, PAUSES.length - 1)] * (0.8 + 0.4 * Math.random());
    tries += 1;
    say("retrying", { retryAt: Date.now() + pause });
    retryTimer = setTimeout(open, pause);
  };

  const stop = () => {
    if (status.phase === "ended") return;
    running = false;
    clearInterval(watchTimer);
    drop();
    lastId = "";
    say("ended");
  };

  const watch = () => {
    if (!source || !running) return;
    const silence = Date.now() - heard;
    if (silence > GIVE_UP_AFTER) failed();
    else if (silence > STALE_AFTER && status.phase === "live") say("stale", { heard });
  };

  self.addEventListener?.("online", () => running && !source && open());
  self.addEventListener?.("offline", () => running && failed());

  return {
    status: () => status,
    start() {
      if (running) return;
      running = true;
      tries = 0;
      watchTimer = setInterval(watch, 2000);
      open();
    },
    retryNow() {
      if (running && !source) open();
    },
    stop,
  };
}

// Tells a session that has ended from a server that is away.
export async function probeSession() {
  try {
    const response = await fetch("/api/auth/me", { credentials: "same-origin", cache: "no-store" });
    return response.status === 401 ? "ended" : response.status < 500 ? "fine" : "away";
  } catch {
    return "away";
  }
}
