// format.js: numbers, times and names as people read them, by their own locale.

const number = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0 });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayClock = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export const SEVERITIES = ["critical", "high", "medium", "low"];
export const STATUSES = ["new", "acknowledged", "escalated", "closed"];

export const count = (n) => (Number.isFinite(n) ? number.format(n) : "–");
export const compact = (n) => (Number.isFinite(n) ? (Math.abs(n) < 10000 ? number.format(n) : short.format(n)) : "–");
export const confidence = (n) => (Number.isFinite(n) ? percent.format(n) : "–");
export const typeName = (type) => String(type ?? "").toUpperCase();

const parsed = (text) => {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? null : new Date(ms);
};
export const time = (text) => {
  const date = parsed(text);
  if (!date) return String(text ?? "–");
  if (Math.abs(Date.now() - date) < 12 * 3600e3) return clock.format(date);
  return date.getFullYear() === new Date().getFullYear() ? dayClock.format(date) : day.format(date);
};
export const fullTime = (text) => {
  const date = parsed(text);
  return date ? dateTime.format(date) : String(text ?? "–");
};
export const utc = (text) => {
  const date = parsed(text);
  return date ? date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC").replace("Z", " UTC") : "";
};

export function duration(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

export function bytes(n) {
  if (!Number.isFinite(n)) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  let value = n;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

// A measured value: whole numbers as they are, others with as many digits as tell something.
export function figure(n) {
  if (typeof n !== "number" || !Number.isFinite(n)) return "–";
  if (Number.isInteger(n)) return number.format(n);
  const size = Math.abs(n);
  if (size >= 1000) return number.format(Math.round(n));
  return String(Number(n.toPrecision(size >= 1 ? 4 : 3)));
}

export const address = (ip, port) => {
  if (port === null || port === undefined || port < 0) return String(ip ?? "–");
  return String(ip).includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
};
