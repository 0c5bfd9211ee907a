// dom.js: elements without markup. Every text becomes a text node, so nothing a sender wrote is ever parsed.

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "hidden", "indeterminate", "multiple", "open"]);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

// Writes a text only when it differs: an unchanged node is neither painted nor announced again.
export function setText(node, text) {
  const next = text === null || text === undefined ? "" : String(text);
  if (node.textContent !== next) node.textContent = next;
}

export function setAttr(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

// Makes the children of parent those of items, in order. make(item) gives {node, update(item)}; a node stays as long as
// its key does, so that focus and selection survive, and is updated only when the item is another object.
const kept = new WeakMap();

export function keyed(parent, items, key, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const k = key(item);
    if (now.has(k)) continue;
    const row = before.get(k) ?? { ...make(item), item };
    if (row.item !== item) {
      row.update?.(item);
      row.item = item;
    }
    now.set(k, row);
  }
  for (const [k, row] of before) if (!now.has(k)) row.node.remove();
  let place = parent.firstChild;
  for (const row of now.values()) {
    if (row.node === place) place = place.nextSibling;
    else parent.insertBefore(row.node, place);
  }
  kept.set(parent, now);
}

const wanted = (children) => children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false);

// Puts new children in place of the old ones; null and false are left out.
export function put(parent, ...children) {
  parent.replaceChildren(...wanted(children));
}

// Like put, but a node stays where the new one says the same or can be told by its attributes and texts: a click that has
// begun finds its button, focus stays, an open fold stays open, what is being written stays. So what a node that stays
// does when it is used may not depend on what was known when it was made.
export function renew(parent, ...children) {
  let old = parent.firstChild;
  for (const child of wanted(children)) {
    const node = child.nodeType ? child : document.createTextNode(child);
    let same = old;
    while (same && !stays(same, node)) same = same.nextSibling;
    if (!same) parent.insertBefore(node, old);
    else old = clear(parent, old, same).nextSibling;
  }
  clear(parent, old, null);
}

// Removes the children from one to before another, which it gives.
function clear(parent, from, to) {
  for (let node = from; node !== to;) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
  return to;
}

function stays(old, node) {
  if (old.nodeName !== node.nodeName || old.getAttribute?.("name") !== node.getAttribute?.("name")) return false;
  const { value } = node;
  if (!old.isEqualNode(node)) {
    if (["BUTTON", "#text"].includes(old.nodeName)) return false;
    for (const { name } of [...old.attributes]) if (!node.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value: text } of node.attributes) setAttr(old, name, text);
    renew(old, ...node.childNodes);
  }
  if (old.nodeName === "SELECT" && old.value !== value) old.value = value;
  return true;
}
