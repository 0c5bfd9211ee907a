// monitor.js: whether the detector watches, told by the server, and the switch for it.
import { h, renew, setText } from "../dom.js";
import { T } from "../texts.js";
import * as f from "../format.js";
import { button, field, select } from "../parts.js";
import { serverNow } from "../api.js";

export function monitorBar(store, actions) {
  const word = h("span", { class: "monitor-word" });
  const clock = h("span", { class: "monitor-clock num" });
  const form = h("div", { class: "monitor-form" });
  const node = h("section", { class: "monitor", "aria-label": T.monitor.title }, h("span", { class: "dot", "aria-hidden": "true" }), word, clock, form);
  const isAdmin = store.get().session.user?.role === "admin";
  let shape = "";
  let choice = { interface: "auto", duration: "300" };
  if (isAdmin) actions.loadInterfaces();

  const interfaces = (items) => {
    const all = [["auto", T.monitor.auto], ...(items ?? []).map((i) => {
      const name = typeof i === "string" ? i : i.name;
      const address = i.addresses?.[0]?.address ?? i.addresses?.[0] ?? "";
      return [name, [name, address, i.up === false ? `(${T.monitor.down})` : ""].filter(Boolean).join(" ")];
    })];
    if (!all.some(([name]) => name === choice.interface)) choice = { ...choice, interface: "auto" };
    return select(all, choice.interface, (v) => (choice = { ...choice, interface: v }));
  };

  const draw = (state, before) => {
    if (before && state.monitor === before.monitor && state.interfaces === before.interfaces) return;
    const { value, busy, error } = state.monitor;
    const active = value?.monitoring?.active;
    const healthy = value?.detector?.healthy;
    const none = healthy === false && !value.detector.sensor; // sensors may send all the same
    if (isAdmin && healthy !== false && before?.monitor.value?.detector?.healthy === false) actions.loadInterfaces();
    node.dataset.state = !value ? "unknown" : active ? "on" : none ? "off" : healthy === false ? "away" : "off";
    setText(word, !value ? (error ? T.monitor.unknown : T.state.loading)
      : active ? T.monitor.on(watched(value.monitoring)) : none ? T.monitor.none : healthy === false ? T.monitor.away : T.monitor.off);
    const next = `${none}|${active}|${busy}|${healthy}|${state.interfaces.items?.length}`;
    if (isAdmin && value && next !== shape) {
      shape = next;
      // While the simulator runs, starting a capture takes its place.
      const stop = button(busy ? T.monitor.stopping : T.monitor.stop, () => actions.stop(), { disabled: busy });
      const start = button(busy ? T.monitor.starting : T.monitor.start, () => actions.start(choice.interface, Number(choice.duration)),
        { kind: "primary", disabled: busy || healthy === false });
      renew(form, none ? null : active ? stop : [field(T.monitor.interface, interfaces(state.interfaces.items)),
        field(T.monitor.duration, select(["60", "300", "900", "3600", "0"].map((s) => [s, T.monitor.durations[s]]), choice.duration,
          (v) => (choice = { ...choice, duration: v }))), start]);
    }
    tick();
  };
  const tick = () => {
    const m = store.get().monitor.value?.monitoring;
    if (!m?.active || !m.startedAt) return setText(clock, "");
    const gone = (serverNow() - Date.parse(m.startedAt)) / 1000;
    const all = m.endsAt ? Math.round((Date.parse(m.endsAt) - Date.parse(m.startedAt)) / 1000) : 0; // the two are clocked a moment apart
    setText(clock, all > 0 ? T.monitor.of(f.duration(Math.min(gone, all)), f.duration(all)) : T.monitor.since(f.duration(gone)));
    // The detector stops by itself at the end; ask it then, do not guess.
    if (all > 0 && gone > all + 1 && Date.now() - asked > 3000) {
      asked = Date.now();
      actions.loadStatus();
    }
  };
  let asked = 0;
  const timer = setInterval(tick, 1000);
  return { node, draw, unmount: () => clearInterval(timer) };
}

const watched = (m) => (m.source === "simulator" || m.interface === "simulator" ? T.monitor.simulator : m.interface ?? "");
