"use strict";
import { proposals } from "./proposals.js";

// table takes what people do in the table, and in the sample beside it, as edits of the rule's text. edit is
// told of each, complete gives what may stand in an expression, and showLine shows a line of the text.
export function table({ studio, rows, label, edit, complete, showLine, grow }) {
  const list = proposals(rows, label, complete, typed);
  let last = null;
  rows.addEventListener("focusin", function (e) {
    if (!e.target.matches(".expr")) return;
    last = e.target;
    const row = last.closest(".row");
    for (const r of rows.querySelectorAll(".aimed")) r.classList.remove("aimed");
    row.classList.add("aimed");
  });
  rows.addEventListener("input", function (e) {
    const t = e.target;
    if (t.matches(".expr")) {
      const clean = t.value.replace(/\s*\n\s*/g, " ");
      if (clean !== t.value && !t.dataset.lines) t.value = clean;
      typed(t);
      list.propose(t);
    } else if (t.matches("input[data-path]:not([data-part])")) {
      edit({ do: "text", path: JSON.parse(t.dataset.path), text: t.value }, "text" + t.dataset.path);
    }
  });
  function typed(t) {
    grow(t);
    edit({ do: "text", path: JSON.parse(t.dataset.path), text: t.value }, "text" + t.dataset.path);
  }
  rows.addEventListener("change", function (e) {
    const t = e.target;
    if (t.dataset.part) {
      edit({ do: "part", path: JSON.parse(t.dataset.path), key: t.dataset.part, text: t.value.trim() }, "part" + t.dataset.part + t.dataset.path);
    } else if (t.dataset.gap !== undefined && t.value) {
      addValue(t.dataset.file, JSON.parse(t.dataset.map), t.dataset.gap, t.value);
    } else if (t.matches("select[data-path]")) {
      edit({ do: "text", path: JSON.parse(t.dataset.path), text: t.value }, "text" + t.dataset.path);
    }
  });
  function addValue(csv, path, from, to) {
    if (csv) edit({ do: "row", file: csv, key: from, text: to }, "row" + csv + "\t" + from);
    else edit({ do: "text", path: [...path, from], text: to });
  }
  rows.addEventListener("click", function (e) {
    const b = e.target.closest("button");
    if (!b) return;
    const menu = b.closest("details.tools");
    if (b.dataset.remove) edit({ do: "remove", path: JSON.parse(b.dataset.remove) });
    else if (b.dataset.literalOf) edit({ do: "literal", path: JSON.parse(b.dataset.literalOf) });
    else if (b.dataset.line) showLine(Number(b.dataset.line));
    else if (b.dataset.newmap) newMap(b);
    else return;
    if (menu) menu.open = false;
  });
  function newMap(b) {
    const path = JSON.parse(b.dataset.newmap), choices = JSON.parse(b.dataset.choices), values = JSON.parse(b.dataset.in) || [];
    let name = path[path.length - 1].toLowerCase().normalize("NFD").replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").replace(/^(?=\d)/, "m_") || "values";
    while (document.getElementById("map-" + name)) name += "_2";
    const words = [...new Set(values.map((v) => { try { return String(JSON.parse(v.In)); } catch { return v.In; } }).filter((v) => v && v !== "(blank)"))];
    const fold = (s) => s.toLowerCase();
    const lines = (words.length ? words : choices.map((c) => c.Code || c.Name)).map(function (w) {
      const near = choices.find((c) => fold(c.Code) === fold(w) || fold(c.Name) === fold(w)) || choices.find((c) => fold(c.Name).startsWith(fold(w)) || fold(c.Code).startsWith(fold(w)));
      return w + "\t" + (near ? near.Code || near.Name : "");
    });
    edit({ do: "map", path: ["maps", name], text: lines.join("\n") });
    edit({ do: "part", path, key: "map", text: name });
  }
  rows.addEventListener("submit", function (e) {
    e.preventDefault();
    const f = e.target, value = (name) => f.elements[name].value;
    if (f.dataset.add) edit({ do: "text", path: [...JSON.parse(f.dataset.add), value("key")], text: value("text") });
    else if (f.dataset.mapadd) addValue(f.dataset.file, JSON.parse(f.dataset.mapadd), value("key"), value("text"));
    else edit({ do: "lookup", path: ["lookups", value("name")], key: value("by"), text: value("in") + "\n" + value("text") });
    for (const i of f.querySelectorAll("input")) i.value = "";
  });
  // The sample: a field goes into the expression that was worked on last.
  studio.addEventListener("click", function (e) {
    const leaf = e.target.closest(".leaf");
    if (!leaf) return;
    const open = last && last.isConnected ? last : rows.querySelector(".row.open .expr");
    if (!open) return;
    put(open, leaf.dataset.expr);
  });
  studio.addEventListener("dragstart", function (e) {
    const leaf = e.target.closest && e.target.closest(".leaf");
    if (leaf) e.dataTransfer.setData("text/plain", leaf.dataset.expr);
  });
  rows.addEventListener("drop", function (e) {
    const t = e.target.closest(".row") && e.target.closest(".row").querySelector(".expr");
    const expr = e.dataTransfer.getData("text/plain");
    if (!t || !expr) return;
    e.preventDefault();
    put(t, expr);
  });
  rows.addEventListener("dragover", function (e) { if (e.target.closest(".row")) e.preventDefault(); });
  function put(t, expr) {
    const group = t.closest("[data-each]"), each = group && group.dataset.each;
    if (each && expr.startsWith(each + "[0]")) expr = "item" + expr.slice(each.length + 3);
    t.focus();
    if (t.value.trim() && t.selectionStart === t.selectionEnd && t.selectionStart === t.value.length && /[\w\])"']$/.test(t.value)) t.select();
    t.setRangeText(expr, t.selectionStart, t.selectionEnd, "end");
    typed(t);
    list.close();
  }
}
