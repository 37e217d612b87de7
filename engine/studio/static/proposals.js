"use strict";

// Proposals below the expression that is being typed.
// rows is what holds the expressions; ask gives what may stand there, and taken is told of an expression
// that took a proposal.
export function proposals(rows, label, ask, taken) {
  const list = document.createElement("ul");
  list.className = "proposals";
  list.id = "proposals";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", label);
  list.hidden = true;
  document.body.append(list);
  let items = [], chosen = 0, at = null, proposed = 0;
  async function propose(t) {
    const turn = ++proposed;
    const caret = t.selectionStart;
    if (t.dataset.literal !== undefined || t.value.includes("\n")) return close();
    await new Promise((done) => setTimeout(done, 90));
    if (turn !== proposed) return;
    let answer = null;
    try {
      answer = await ask({ path: JSON.parse(t.dataset.path), typed: t.value, caret });
    } catch { /* the check says what is wrong */ }
    if (turn !== proposed || document.activeElement !== t || t.selectionStart !== caret) return;
    const fold = (s) => s.toLowerCase();
    items = ((answer && answer.items) || []).filter(function (i) {
      if (!i.textEdit) return false;
      const part = fold(t.value.slice(i.textEdit.range.start.character, caret)).replace(/^[\s.?[\]"']+/, "");
      return i.label !== part && fold(i.filterText || i.label).replace(/^[\s.?[\]"']+/, "").includes(part);
    });
    const part = (i) => fold(t.value.slice(i.textEdit.range.start.character, caret)).replace(/^[\s.?[\]"']+/, "");
    items.sort((a, b) => Number(fold(b.label).startsWith(part(b))) - Number(fold(a.label).startsWith(part(a))));
    items = items.slice(0, 40);
    if (!items.length) return close();
    at = t;
    chosen = -1;
    list.replaceChildren(...items.map(function (i, n) {
      const li = document.createElement("li");
      li.setAttribute("role", "option");
      li.id = "proposal-" + n;
      li.setAttribute("aria-selected", "false");
      li.append(i.label);
      if (i.detail) {
        const d = document.createElement("small");
        d.textContent = i.detail;
        li.append(d);
      }
      return li;
    }));
    const box = t.getBoundingClientRect();
    list.style.left = Math.min(box.left + scrollX, Math.max(0, document.documentElement.clientWidth - 330)) + "px";
    list.style.top = box.bottom + scrollY + 2 + "px";
    list.hidden = false;
    t.setAttribute("aria-controls", "proposals");
  }
  function close() {
    proposed++;
    list.hidden = true;
    if (at) for (const a of ["aria-controls", "aria-activedescendant"]) at.removeAttribute(a);
    at = null;
  }
  function choose(n) {
    chosen = (n + items.length) % items.length;
    for (const [i, li] of [...list.children].entries()) li.setAttribute("aria-selected", String(i === chosen));
    list.children[chosen].scrollIntoView({ block: "nearest" });
    at.setAttribute("aria-activedescendant", "proposal-" + chosen);
  }
  function accept(n) {
    const edit = items[n].textEdit, t = at;
    t.setRangeText(edit.newText.trimStart(), edit.range.start.character, Math.max(edit.range.end.character, t.selectionStart), "end");
    close();
    t.focus();
    taken(t);
    if (/[.(]$/.test(t.value.slice(0, t.selectionStart))) propose(t);
  }
  list.addEventListener("mousedown", function (e) {
    const li = e.target.closest("li");
    e.preventDefault();
    if (li) accept([...list.children].indexOf(li));
  });
  rows.addEventListener("keydown", function (e) {
    const t = e.target;
    if (!t.matches(".expr")) return;
    if (e.key === " " && e.ctrlKey) {
      e.preventDefault();
      propose(t);
    } else if (list.hidden || at !== t) {
      if (e.key === "Enter" && !t.dataset.lines) e.preventDefault();
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      choose(e.key === "ArrowDown" ? chosen + 1 : chosen < 0 ? -1 : chosen - 1);
    } else if ((e.key === "Enter" || e.key === "Tab") && chosen >= 0) {
      e.preventDefault();
      accept(chosen);
    } else if (e.key === "Escape") {
      e.preventDefault();
      close();
    } else if (e.key === "Enter") {
      e.preventDefault();
      close();
    }
  });
  rows.addEventListener("focusout", function (e) { if (e.target === at) close(); });
  return { propose, close };
}
