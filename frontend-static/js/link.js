// link.js: a tab's end of the stream: through the shared worker where there is one, else a connection of its own.

import { createStream, probeSession } from "./stream.js";

// handlers: onEvents(list), onStatus(status), onJoined(): the stream was live already when this tab came.
export function createLink(handlers) {
  const worker = sharedWorker();
  if (!worker) {
    const stream = createStream({
      url: "/api/network/stream",
      probe: probeSession,
      onEvents: handlers.onEvents,
      onStatus: handlers.onStatus,
    });
    return { start: stream.start, stop: stream.stop, leave: stream.stop, retryNow: stream.retryNow, shared: false };
  }
  // stop: the session is over for all tabs; leave: it is over as this one has heard, and another may have begun a new one.
  const say = (word) => worker.port.postMessage(word);
  let wanted = false;
  worker.port.onmessage = ({ data }) => {
    if (!wanted) return;
    if (data.status) handlers.onStatus(data.status);
    if (data.joined) handlers.onJoined();
    if (data.events) handlers.onEvents(data.events);
  };
  worker.port.start();
  setInterval(() => wanted && say("here"), 30000);
  addEventListener("pagehide", () => say("bye"));
  addEventListener("pageshow", (e) => e.persisted && wanted && say("start"));
  return {
    start: () => {
      wanted = true;
      say("start");
    },
    stop: () => {
      wanted = false;
      say("stop");
    },
    leave: () => {
      wanted = false;
      say("bye");
    },
    retryNow: () => say("retry"),
    shared: true,
  };
}

function sharedWorker() {
  try {
    return new SharedWorker("/js/stream-worker.js", { type: "module", name: "threatline-stream" });
  } catch {
    return null;
  }
}
