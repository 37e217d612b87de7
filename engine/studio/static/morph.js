"use strict";

const keyOf = (n) => n.nodeType === 1 ? n.dataset.key || n.id || "" : "";
// children puts fresh nodes in the place of old ones, without touching what is as it was: the field that
// somebody is in keeps its text. waits tells of a field whose text has not been asked about yet.
export function children(old, fresh, waits) {
  const known = new Map();
  for (const c of old.childNodes) if (keyOf(c)) known.set(keyOf(c), c);
  let at = old.firstChild;
  for (const f of [...fresh.childNodes]) {
    const key = keyOf(f);
    let o = key ? known.get(key) : at;
    while (!key && o && keyOf(o)) o = null;
    if (o && o.nodeName === f.nodeName) {
      if (o !== at) old.insertBefore(o, at);
      else at = at.nextSibling;
      morph(o, f, waits);
      known.delete(key);
    } else {
      old.insertBefore(document.importNode(f, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}
function morph(old, fresh, waits) {
  if (old.nodeType !== 1) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  const held = old === document.activeElement && old.matches("input, textarea, select");
  for (const a of [...old.attributes]) {
    if (!fresh.hasAttribute(a.name) && a.name !== "open" && a.name !== "style" && a.name !== "class") old.removeAttribute(a.name);
  }
  for (const a of fresh.attributes) {
    if (a.name === "class" || a.name === "value" && held || a.name === "open" && old.dataset.seen) continue;
    if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
  }
  const classes = fresh.className + (old.classList.contains("aimed") ? " aimed" : "");
  if (old.className !== classes) old.className = classes;
  if (old.nodeName === "TEXTAREA") {
    if (!held && !waits(old) && old.value !== fresh.value) old.value = fresh.value;
    return;
  }
  if (old.nodeName === "INPUT") {
    if (!held && !waits(old) && fresh.hasAttribute("value")) old.value = fresh.getAttribute("value");
    return;
  }
  if (old.nodeName === "SELECT" && held) return;
  children(old, fresh, waits);
  if (old.nodeName === "SELECT" && !waits(old)) old.value = fresh.value;
}
