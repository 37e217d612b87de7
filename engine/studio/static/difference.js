"use strict";

// difference shows what saving changes, line by line.
// texts are pairs of name, text as it is saved, and text as it is now.
export function difference(pre, texts, nothing) {
  pre.replaceChildren();
  for (const [name, before, now] of texts) {
    const a = before.split("\n"), b = now.split("\n");
    let from = 0, end = 0;
    while (from < a.length && from < b.length && a[from] === b[from]) from++;
    while (end < a.length - from && end < b.length - from && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const x = a.slice(from, a.length - end), y = b.slice(from, b.length - end);
    pre.append(name + "\n");
    for (const [sign, line, n] of lines(x, y)) {
      const el = document.createElement(sign === "+" ? "ins" : sign === "-" ? "del" : "span");
      el.textContent = String(from + n + 1).padStart(4) + " " + sign + " " + line + (sign === " " ? "\n" : "");
      pre.append(el);
    }
  }
  if (!pre.childNodes.length) pre.append(nothing);
}
function lines(x, y) {
  if (x.length * y.length > 4e6) return [...x.map((l, n) => ["-", l, n]), ...y.map((l, n) => ["+", l, n])];
  const t = Array.from({ length: x.length + 1 }, () => new Uint32Array(y.length + 1));
  for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) t[i][j] = x[i] === y[j] ? t[i + 1][j + 1] + 1 : Math.max(t[i + 1][j], t[i][j + 1]);
  const out = [];
  for (let i = 0, j = 0; i < x.length || j < y.length;) {
    if (i < x.length && j < y.length && x[i] === y[j]) { out.push([" ", x[i], j]); i++; j++; }
    else if (i < x.length && (j === y.length || t[i + 1][j] >= t[i][j + 1])) out.push(["-", x[i], i++]);
    else out.push(["+", y[j], j++]);
  }
  return out;
}
