// uploads.js: capture files: dropped or chosen, sent with a progress, read as jobs, and told what was found.
import { h, keyed, put, renew, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import * as route from "../route.js";
import { upload } from "../api.js";
import { button, failure, loading, nothing, once, when } from "../parts.js";
import { icon } from "../icons.js";
import { mayDecide } from "./cursor.js";

const BASE = "/api/network/uploads";
const SIZE_MAX = 500e6;
const ENDED = ["done", "failed", "cancelled"];
const going = new Set(); // rows of files on their way: they go on while another view is open
const mine = new Map(); // jobs sent from here, to say aloud how they end

addEventListener("beforeunload", (e) => going.size && e.preventDefault());

export function mount(root, store, actions) {
  const may = mayDecide(store.get());
  const input = h("input", { type: "file", id: "capture", class: "sr-only", accept: ".pcap,.pcapng,.cap,.gz", multiple: true, onchange: () => {
    for (const file of input.files) send(file);
    input.value = "";
  } });
  const drop = h("label", { class: "drop", for: "capture" }, icon("uploads"), h("strong", {}, T.uploads.lead), h("span", { class: "muted" }, T.uploads.hint));
  drop.addEventListener("dragover", (e) => (e.preventDefault(), drop.classList.add("over")));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (e) => {
    e.preventDefault();
    drop.classList.remove("over");
    for (const file of e.dataTransfer.files) send(file);
  });
  const sending = h("div", { class: "sending" }, ...going);
  const reader = h("p", { class: "wrong", role: "status", hidden: true }); // why no file can be read now
  const said = h("p", { class: "said-now", role: "status" });
  const body = h("tbody");
  const table = h("table", { class: "shelf" }, h("caption", { class: "sr-only" }, T.uploads.caption),
    h("thead", {}, h("tr", {}, [T.uploads.file, T.uploads.state, T.uploads.size, T.uploads.packets, T.uploads.flows, T.uploads.threats, T.uploads.when, ""].map((name, i) =>
      h(name ? "th" : "td", { scope: name ? "col" : null, class: i > 1 && i < 6 ? "num" : null }, name)))), body);
  const state = h("div");
  put(root, h("div", { class: "view view-uploads" }, h("header", { class: "view-head" }, h("h1", {}, T.uploads.title)),
    may ? h("div", { class: "drop-place" }, input, drop) : h("p", { class: "muted" }, T.uploads.viewer), reader, sending, said,
    may ? h("section", { class: "panel scroll" }, table, state) : null));
  if (!may) return () => {};

  let jobs = null;
  let timer = 0;
  let gone = false;

  let turn = 0;

  // An answer that was overtaken by a later one is old, and the later one asks on.
  async function load() {
    clearTimeout(timer);
    turn += 1;
    const mine = turn;
    try {
      const { uploads } = await actions.api.get(BASE);
      if (gone || mine !== turn) return;
      jobs = uploads;
      draw();
    } catch (error) {
      if (gone || mine !== turn) return;
      if (!jobs) put(state, failure(T.uploads.error, error.message, load));
    }
    if (jobs?.some((j) => !ENDED.includes(j.state))) timer = setTimeout(load, 1000);
  }

  function draw() {
    const sorted = [...jobs].sort((a, b) => String(b.createdAt).localeCompare(String(a.createdAt)));
    keyed(body, sorted, (j) => j.id, (job) => {
      const row = h("tr");
      const update = (j) => fillRow(row, j);
      update(job);
      return { node: row, update };
    });
    table.hidden = !sorted.length;
    put(state, sorted.length ? null : nothing(T.uploads.empty));
    for (const j of sorted) {
      if (!mine.has(j.id) || !ENDED.includes(j.state)) continue;
      mine.delete(j.id);
      setText(said, j.state === "done" ? (j.threats ? T.uploads.found(j.fileName, f.count(j.threats)) : T.uploads.nothingLong(j.fileName)) : `${j.fileName}: ${j.message || T.uploads.states[j.state]}`);
    }
  }

  function fillRow(row, j) {
    const nothingFound = j.state === "done" && !j.threats;
    const remove = once(actions.shield(async () => {
      await actions.api.del(`${BASE}/${encodeURIComponent(j.id)}`);
      await load();
    }));
    renew(row, h("th", { scope: "row", class: "text" }, h("span", {}, j.fileName), j.sha256 ? h("span", { class: "sum mono muted", title: j.sha256 }, `${T.uploads.sum} ${j.sha256.slice(0, 12)}…`) : null),
      h("td", {}, h("span", { class: `chip job-${j.state}` }, nothingFound ? T.uploads.nothing : T.uploads.states[j.state] ?? j.state), j.message && j.state !== "done" ? h("p", { class: "small muted" }, j.message) : null),
      ...[f.bytes(j.bytes), f.count(j.packets), f.count(j.flows), f.count(j.threats)].map((v) => h("td", { class: "num" }, v)),
      h("td", {}, when(j.createdAt)),
      h("td", { class: "acts" }, j.threats ? h("a", { class: "button small", href: route.format({ view: "history", query: { q: `job:${j.id}` } }) }, T.uploads.show) : null,
        button(ENDED.includes(j.state) ? T.uploads.remove : T.uploads.cancel, remove, { kind: "small" })));
  }

  function send(file) {
    if (file.size > SIZE_MAX) return actions.notify(`${file.name}: ${T.uploads.tooLarge}`, { kind: "bad" });
    const bar = h("progress", { max: "1", value: 0, "aria-label": file.name });
    const word = h("span", { class: "num" }, T.uploads.sending(file.name, f.confidence(0)));
    const sent = upload("/api/network/upload-pcap", file, (part, all) => {
      bar.value = part / all;
      setText(word, T.uploads.sending(file.name, f.confidence(part / all)));
    });
    const row = h("div", { class: "sending-row" }, word, bar, button(T.uploads.cancel, sent.abort, { kind: "small" }));
    going.add(row);
    sending.append(row);
    return sent.done.then((answer) => {
      mine.set(answer.job, file.name);
      if (gone) return actions.notify(`${file.name}: ${T.uploads.sent}`);
      setText(said, T.uploads.sent);
      return load();
    }).catch((error) => error.name !== "AbortError" && actions.notify(`${file.name}: ${error.status === 415 ? T.uploads.noCapture : error.message}`, { kind: "bad" })).finally(() => {
      going.delete(row);
      row.remove();
    });
  }

  const drawReader = ({ monitor: { value } }) => {
    reader.hidden = value?.detector?.healthy !== false;
    setText(reader, reader.hidden ? "" : value.detector.sensor ? T.uploads.away : T.uploads.none);
  };
  put(state, loading());
  table.hidden = true;
  load();
  actions.loadStatus();
  drawReader(store.get());
  const leave = store.subscribe(drawReader);
  return () => {
    gone = true;
    leave();
    clearTimeout(timer);
  };
}
