// api.js: the only place that talks to the server. One origin, the session in a cookie.
import { T } from "./texts.js";

export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(body?.message || (status ? `The server answered ${status}.` : "The server cannot be reached."));
    this.status = status;
    this.code = body?.code ?? "";
    this.details = Array.isArray(body?.details) ? body.details : [];
    this.position = Number.isInteger(body?.at) ? body.at : null; // a byte of the query
    this.body = body ?? {};
    this.retryAfter = retryAfter;
  }
}

// The server takes no NUL anywhere; said here, where it is known which field holds it. In a query, at its place.
function refuseNul(values) {
  for (const [field, value] of Object.entries(values)) {
    if (value && typeof value === "object") refuseNul(value);
    const at = typeof value === "string" ? value.indexOf("\0") : -1;
    if (at < 0) continue;
    const bytes = new TextEncoder().encode(value.slice(0, at)).length;
    throw new ApiError(400, { message: `${field === "q" ? "query" : field}: expected ${T.nul}`, at: bytes, details: [{ field, expected: T.nul }] });
  }
}

let skew = 0; // server's clock minus ours, ms
let ended = () => {};
let session = 0; // so many are over: what one of them asked says nothing of the one that is

export const serverNow = () => Date.now() + skew;
export const onSessionEnd = (call) => {
  ended = call;
};
export const forgetSession = () => {
  session += 1;
};

export function path(base, query = {}) {
  refuseNul(query);
  const wanted = Object.entries(query).filter(([, v]) => v !== undefined && v !== null && v !== "");
  const text = new URLSearchParams(wanted).toString();
  return text ? `${base}?${text}` : base;
}

async function call(method, url, body, { headers = {}, signal, quiet = false } = {}) {
  const asking = session;
  const request = { method, headers: { Accept: "application/json", ...headers }, signal, credentials: "same-origin" };
  if (body instanceof FormData) request.body = body;
  else if (body !== undefined) {
    refuseNul(body);
    request.body = JSON.stringify(body);
    request.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds: only a difference that shows is taken over.
  if (!Number.isNaN(date) && Math.abs(date - Date.now() - skew) > 2000) skew = date - Date.now();
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = { message: response.ok ? "The server's answer could not be read." : undefined };
    if (response.ok) throw new ApiError(response.status, answer);
  }
  if (response.ok && answer?.success !== false) return answer;
  if (response.status === 401 && !quiet && asking === session) ended();
  throw new ApiError(response.status, answer, Number(response.headers.get("Retry-After")) || null);
}

export const get = (url, options) => call("GET", url, undefined, options);
export const post = (url, body, options) => call("POST", url, body ?? {}, options);
export const put = (url, body, options) => call("PUT", url, body, options);
export const patch = (url, body, options) => call("PATCH", url, body, options);
export const del = (url, options) => call("DELETE", url, undefined, options);

// fetch cannot tell how much of a body has left, so a file goes by XMLHttpRequest. Gives {done, abort}.
export function upload(url, file, onProgress) {
  const asking = session;
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", url);
    request.responseType = "json";
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded, e.total);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) return resolve(request.response ?? {});
      if (request.status === 401 && asking === session) ended();
      return reject(new ApiError(request.status, request.response));
    };
    request.onerror = () => reject(new ApiError(0));
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
  });
  const form = new FormData();
  form.append("pcap", file, file.name);
  request.send(form);
  return { done, abort: () => request.abort() };
}
