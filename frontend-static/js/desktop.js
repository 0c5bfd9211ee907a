// desktop.js: a notice of the desktop for critical threats, if one asks for it; said once for all that came together.
import { T } from "./texts.js";
import * as f from "./format.js";
import * as route from "./route.js";

const KEY = "desktop";
const PAUSE_MS = 10000;
let last = 0;

export function desktopWanted() {
  try {
    return localStorage.getItem(KEY) === "on" && globalThis.Notification?.permission === "granted";
  } catch {
    return false;
  }
}

export async function setDesktop(on) {
  const granted = on && (await globalThis.Notification?.requestPermission()) === "granted";
  try {
    localStorage.setItem(KEY, granted ? "on" : "off");
  } catch {
    return false;
  }
  return granted;
}

export function noticeCritical(events) {
  const critical = events.filter((e) => e.type === "threat_detected" && e.data?.severity === "critical");
  if (!critical.length || !document.hidden || Date.now() - last < PAUSE_MS || !desktopWanted()) return;
  last = Date.now();
  const t = critical.at(-1).data;
  const notice = new Notification(`${T.severity.critical}: ${f.typeName(t.threat_type)}`, {
    body: `${f.address(t.source_ip, t.source_port)} → ${f.address(t.destination_ip, t.destination_port)}`, tag: "threatline",
  });
  notice.onclick = () => {
    focus();
    route.go({ view: "live", query: { t: t.threat_id } });
  };
}
