// stream-worker.js: a shared worker that holds the one stream of all tabs, because browsers allow only six
// connections to a server and each open tab would take one.

import { createStream, probeSession } from "./stream.js";

const SILENT_MS = 150000; // a tab says "here" every minute at the latest; one that does not is gone

const ports = new Map();
const tell = (message) => {
  const now = Date.now();
  for (const [port, seen] of ports) {
    if (now - seen > SILENT_MS) ports.delete(port);
    else port.postMessage(message);
  }
  if (ports.size === 0) stream.stop();
};
const stream = createStream({
  url: "/api/network/stream",
  probe: probeSession,
  onEvents: (events) => tell({ events }),
  onStatus: (status) => tell({ status }),
});

self.onconnect = (connect) => {
  const port = connect.ports[0];
  port.onmessage = ({ data }) => {
    ports.set(port, Date.now());
    if (data === "start") {
      const joined = stream.status().phase === "live";
      stream.start();
      port.postMessage({ status: stream.status(), joined });
    }
    if (data === "retry") stream.retryNow();
    // Signed out in one tab is signed out in all of them.
    if (data === "stop") stream.stop();
    if (data === "bye") {
      ports.delete(port);
      if (ports.size === 0) stream.stop();
    }
  };
};
