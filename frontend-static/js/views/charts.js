// charts.js: three small drawings, each with a table of the same figures for who does not see them.
import { h, keyed, put, renew, s, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";

const STACK = ["low", "medium", "high", "critical"];
const WIDE = 360;
const HIGH = 96;
const HOURS = 24;

// A stack a slot of time; dragging over it gives a span. Gives {node, draw(statistics)}.
export function timeline({ onSpan }) {
  const plot = s("svg", { class: "timeline", viewBox: `0 0 ${WIDE} ${HIGH + 16}`, preserveAspectRatio: "none", "aria-hidden": "true" }, s("title", {}, T.charts.brush));
  const mark = s("rect", { class: "mark", y: 0, height: HIGH, width: 0 });
  const brush = s("rect", { class: "brush", y: 0, height: HIGH, width: 0 });
  const axis = h("div", { class: "axis num", "aria-hidden": "true" });
  const peak = h("span", { class: "muted num" });
  const table = figures(T.charts.timeline);
  const none = h("p", { class: "muted small", hidden: true }, T.charts.noneLast);
  const body = h("div", { class: "chart-body" }, plot, axis);
  const node = h("section", { class: "panel chart wide" },
    h("header", { class: "panel-head" }, h("h2", {}, T.charts.timeline), h("span", { class: "muted" }, T.charts.last), h("span", { class: "spacer" }), peak, table.toggle(body)),
    none, body, table.node);
  let span = null;
  let from = null;
  let slots = [];
  let most = "";
  let pointer = null; // where it stands, as a part of the width
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

  // What stands under the pointer is read out in the head of the chart.
  const readOut = (at) => {
    pointer = at;
    const i = at === null ? -1 : Math.min(slots.length - 1, Math.floor(at * slots.length));
    const width = WIDE / (slots.length || 1);
    mark.setAttribute("x", Math.max(0, i) * width);
    mark.setAttribute("width", i < 0 ? 0 : width);
    setText(peak, i < 0 ? most : T.charts.slot(clock.format(slots[i].t), clock.format(slots[i].t + slots[i].wide), f.count(slots[i].total)));
  };
  const place = (e) => {
    const box = plot.getBoundingClientRect();
    return Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
  };
  plot.addEventListener("pointerdown", (e) => {
    if (!span || e.button) return;
    from = place(e);
    plot.setPointerCapture(e.pointerId);
  });
  plot.addEventListener("pointermove", (e) => {
    readOut(place(e));
    if (from === null) return;
    const to = place(e);
    brush.setAttribute("x", Math.min(from, to) * WIDE);
    brush.setAttribute("width", Math.abs(to - from) * WIDE);
  });
  plot.addEventListener("pointerleave", () => readOut(null));
  plot.addEventListener("pointercancel", () => {
    from = null;
    brush.setAttribute("width", 0);
  });
  plot.addEventListener("pointerup", (e) => {
    if (from === null) return;
    const [a, b] = [from, place(e)].sort((x, y) => x - y);
    from = null;
    brush.setAttribute("width", 0);
    const at = (part) => new Date(span.from + part * (span.to - span.from)).toISOString();
    if ((b - a) * WIDE > 4) onSpan(at(Math.floor(a * HOURS) / HOURS), at(Math.ceil(b * HOURS) / HOURS));
  });

  return {
    node,
    draw(value) {
      span = { from: value.from, to: value.to };
      slots = slotted(value.timeline ?? [], span, HOURS);
      const top = Math.max(1, ...slots.map((x) => x.total));
      const width = WIDE / slots.length;
      const rects = slots.flatMap((slot, i) => {
        let y = HIGH;
        return STACK.filter((name) => slot[name] > 0).map((name) => {
          const tall = Math.max(2, (slot[name] / top) * (HIGH - 6));
          y -= tall;
          return s("rect", { class: `fill-${name}`, x: (i * width + 0.75).toFixed(2), y: Math.max(0, y).toFixed(2), width: (width - 1.5).toFixed(2), height: tall.toFixed(2) });
        });
      });
      put(plot, s("line", { class: "base", x1: 0, x2: WIDE, y1: HIGH, y2: HIGH }), mark, ...rects, brush);
      most = slots.some((x) => x.total) ? T.charts.most(f.compact(top)) : "";
      none.hidden = Boolean(most);
      readOut(pointer);
      put(axis, [0, 0.25, 0.5, 0.75, 1].map((p) => h("span", {}, clock.format(span.from + p * (span.to - span.from)))));
      table.draw([T.charts.from, ...f.SEVERITIES.map((n) => T.severity[n])],
        slots.filter((x) => x.total).map((x) => [h("button", { type: "button", class: "link", title: T.charts.show,
          onclick: () => onSpan(new Date(x.t).toISOString(), new Date(x.t + x.wide).toISOString()) }, f.fullTime(new Date(x.t).toISOString())), ...f.SEVERITIES.map((n) => f.count(x[n]))]));
    },
  };
}

// The server chooses its buckets; they are put into so many equal slots of the span.
function slotted(list, { from, to }, many) {
  const width = (to - from) / many;
  const slots = Array.from({ length: many }, (_, i) => ({ t: from + i * width, wide: width, total: 0, critical: 0, high: 0, medium: 0, low: 0 }));
  for (const bucket of list) {
    const t = typeof bucket.t === "number" ? bucket.t : Date.parse(bucket.t);
    const slot = slots[Math.min(many - 1, Math.floor((t - from) / width))];
    if (!slot || t < from - width) continue;
    for (const name of STACK) {
      slot[name] += bucket[name] ?? 0;
      slot.total += bucket[name] ?? 0;
    }
  }
  return slots;
}

// A name, a bar and a number a line; each line leads to the threats behind it. Already a list, so it needs no table.
export function bars({ title, span = "", none: nothing = T.charts.none, onPick, label = (k) => k, tone = false, mono = false }) {
  const list = h("ul", { class: "bars" });
  const none = h("p", { class: "muted small" }, nothing);
  const node = h("section", { class: "panel chart" }, h("header", { class: "panel-head" }, h("h2", {}, title), span ? h("span", { class: "muted" }, span) : null), list, none);
  return {
    node,
    draw(items) {
      const most = Math.max(1, ...items.map(([, n]) => n));
      none.hidden = items.some(([, n]) => n > 0);
      list.hidden = !none.hidden;
      // A row stays while its number grows, or a click that has begun would find it gone.
      keyed(list, items.map(([key, n]) => ({ key, n, part: n / most })), (o) => o.key, ({ key, ...first }) => {
        const bar = h("span", { class: `bar${tone ? ` fill-${key}` : ""}`, "aria-hidden": "true" });
        const many = h("span", { class: "num" });
        const update = ({ n, part }) => {
          bar.style.setProperty("--part", part);
          setText(many, f.count(n));
        };
        update(first);
        return { update, node: h("li", {}, h("button", { type: "button", class: "bar-row", title: T.charts.search, onclick: () => onPick(key) },
          h("span", { class: mono ? "bar-name mono" : "bar-name" }, label(key)), h("span", { class: "bar-track", "aria-hidden": "true" }, bar), many)) };
      });
    },
  };
}

// A table that takes the place of a drawing when asked for.
function figures(caption) {
  const head = h("tr");
  const body = h("tbody");
  const node = h("div", { class: "figures", hidden: true, tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "sr-only" }, caption), h("thead", {}, head), body));
  return {
    node,
    toggle(drawing) {
      const turn = h("button", { type: "button", class: "button small", "aria-pressed": "false", onclick: () => {
        node.hidden = !node.hidden;
        drawing.hidden = !node.hidden;
        turn.setAttribute("aria-pressed", String(!node.hidden));
        setText(turn, node.hidden ? T.charts.asTable : T.charts.asChart);
      } }, T.charts.asTable);
      return turn;
    },
    draw(names, rows) {
      put(head, names.map((n) => h("th", { scope: "col" }, n)));
      renew(body, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((c) => h("td", { class: "num" }, c)))));
    },
  };
}
