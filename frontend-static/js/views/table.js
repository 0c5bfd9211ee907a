// table.js: rows of threats, the same in Live, Inbox and History.
import { h, keyed, put, setAttr } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { badge, marks, statusChip, typeWord, when } from "../parts.js";

const CELLS = {
  severity: (t) => badge(t.severity),
  type: (t) => [typeWord(t.threat_type), ...marks(t)],
  source: (t) => h("span", { class: "mono" }, f.address(t.source_ip, t.source_port)),
  destination: (t) => h("span", { class: "mono" }, f.address(t.destination_ip, t.destination_port)),
  confidence: (t) => f.confidence(t.confidence),
  time: (t) => when(t.timestamp),
  sensor: (t) => t.sensor ?? "–",
  protocol: (t) => t.protocol ?? "–",
  flows: (t) => f.compact(t.details?.flow_count ?? 1),
  status: (t) => statusChip(t.triage?.status ?? "new"),
  assignee: (t) => t.triage?.assignee || "–",
  id: (t) => h("span", { class: "mono" }, t.threat_id),
};
// A new row is tinted for a moment. No animation: it would style and paint the list again in every frame.
const MARKED_MS = 1500;
const MARKED_MAX = 10;
const NUMERIC = new Set(["confidence", "time", "flows"]);

// A name of two parts is cut to the first where room is short; a screen reader hears all of it.
const columnName = (c) => (Array.isArray(T.columns[c]) ? [T.columns[c][0], h("span", { class: "long" }, T.columns[c][1])] : T.columns[c]);

// options: caption, columns, onOpen(threat), onChoose(threat, on) or none. Gives {node, draw(items, {open, cursor, chosen})}; draw says
// how many rows are new.
export function threatTable({ caption, columns, onOpen, onChoose, chooseAll }) {
  const body = h("tbody");
  const all = onChoose ? h("input", { type: "checkbox", "aria-label": T.inbox.selectAll, onchange: (e) => chooseAll(e.target.checked) }) : null;
  const node = h("table", { class: "threats" }, h("caption", { class: "sr-only" }, caption),
    h("thead", {}, h("tr", {}, all ? h("th", { class: "c-choose", scope: "col" }, all) : null,
      columns.map((c) => h("th", { scope: "col", class: `c-${c}${NUMERIC.has(c) ? " num" : ""}` }, columnName(c))))), body);
  const rows = new Map();

  const make = (threat) => {
    let now = threat;
    const row = h("tr", { "data-id": threat.threat_id, onclick: (e) => !e.target.closest("input, button") && !hasSelection() && onOpen(now) });
    const box = onChoose ? h("input", { type: "checkbox", "aria-label": T.inbox.select(threat.threat_id), onchange: (e) => onChoose(now, e.target.checked) }) : null;
    const cells = columns.map((c) => h(c === "type" ? "th" : "td", { class: `c-${c}${NUMERIC.has(c) ? " num" : ""}`, scope: c === "type" ? "row" : null, "data-label": [T.columns[c]].flat().join("") }));
    row.append(...[box ? h("td", { class: "c-choose" }, box) : null, ...cells].filter(Boolean));
    const update = (t) => {
      now = t;
      setAttr(row, "data-severity", t.severity);
      columns.forEach((c, i) => {
        if (c === "source" || c === "destination") setAttr(cells[i], "title", f.address(t[`${c}_ip`], t[`${c}_port`]));
        if (c !== "type") return put(cells[i], CELLS[c](t));
        const [name, ...rest] = CELLS[c](t);
        const open = cells[i].querySelector("button") ?? h("button", { type: "button", class: "row-open", onclick: () => onOpen(now) });
        put(open, name);
        // The button stays the same element, so that focus stays on it.
        if (open.parentNode !== cells[i]) cells[i].append(open);
        for (const old of cells[i].querySelectorAll(":scope > .chip")) old.remove();
        cells[i].append(...rest, ...(t.revision > 1 || t.details?.flow_count > 1 ? [h("span", { class: "grown" }, `×${f.compact(t.details?.flow_count ?? t.revision)}`)] : []));
        cells[i].querySelectorAll(":scope > .grown").forEach((g, n, list) => n < list.length - 1 && g.remove());
        if (!(t.revision > 1 || t.details?.flow_count > 1)) cells[i].querySelector(":scope > .grown")?.remove();
      });
    };
    update(threat);
    rows.set(threat.threat_id, { row, box });
    return { node: row, update };
  };

  let first = true;
  return {
    node,
    body,
    row: (id) => rows.get(id)?.row,
    draw(items, { open = null, cursor = null, chosen = null } = {}) {
      const had = new Set(rows.keys());
      keyed(body, items, (t) => t.threat_id, make);
      const ids = new Set(items.map((t) => t.threat_id));
      const arrived = [];
      for (const [id, { row, box }] of rows) {
        if (!ids.has(id)) {
          rows.delete(id);
          continue;
        }
        setAttr(row, "aria-current", id === open ? "true" : null);
        row.classList.toggle("cursor", id === cursor);
        if (!first && !had.has(id)) arrived.push(row);
        if (box) {
          box.checked = chosen.has(id);
          row.classList.toggle("chosen", box.checked);
        }
      }
      if (all) {
        all.checked = items.length > 0 && chosen.size >= items.length;
        all.indeterminate = chosen.size > 0 && !all.checked;
      }
      if (items.length) first = false;
      if (arrived.length <= MARKED_MAX) for (const row of arrived) row.classList.add("arrived");
      if (arrived.length) setTimeout(() => arrived.forEach((row) => row.classList.remove("arrived")), MARKED_MS);
      return items.reduce((n, t) => n + !had.has(t.threat_id), 0);
    },
  };
}

const hasSelection = () => String(getSelection()).length > 0 && getSelection().type === "Range";
