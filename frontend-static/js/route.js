// route.js: the address bar holds what is shown: #/history?q=type:port_scan&t=threat_01

const VIEWS = ["live", "inbox", "history", "sensors", "uploads", "settings", "threat"];

export function parse(hash) {
  const [where, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = where.split("/");
  return {
    view: VIEWS.includes(view) ? view : view ? "nowhere" : "live",
    id: rest.length ? decode(rest.join("/")) : null,
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

const decode = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export function format({ view, id = null, query = {} }) {
  const wanted = Object.entries(query).filter(([, v]) => v !== "" && v !== null && v !== undefined);
  const text = new URLSearchParams(wanted).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${text ? `?${text}` : ""}`;
}

export const current = () => parse(location.hash);
export const go = (route) => {
  location.hash = format(route);
};
// Changes the query in place; replace: without a new step for the back button.
export function amend(change, replace = false) {
  const route = current();
  const hash = format({ ...route, query: { ...route.query, ...change } });
  if (!replace) location.hash = hash;
  else if (hash !== location.hash) {
    history.replaceState(null, "", hash);
    dispatchEvent(new HashChangeEvent("hashchange"));
  }
}
