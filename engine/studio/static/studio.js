// The page of a rule: what is typed is asked about as it is typed, and what comes back is put in its place.
// The text of the file is the one thing that is edited; the table is another way to write in it.
"use strict";
(function () {
  const studio = document.getElementById("studio");
  if (!studio) return;
  const file = studio.dataset.file;
  const $ = (id) => document.getElementById(id);
  const word = (name) => studio.querySelector('[data-word="' + name + '"]').textContent;

  // The texts: of the rule's file always, of a map's file once it is changed.
  const saved = { [file]: $("text").value };
  const versions = { [file]: studio.dataset.version };
  let drafts = { [file]: saved[file] };
  if (drafts[file].includes("\n") && studio.dataset.crlf) drafts[file] = saved[file] = saved[file].replace(/\n/g, "\r\n");

  const editor = window.CulvertEditor && window.CulvertEditor.create($("editor"), {
    text: drafts[file], nonce: studio.dataset.nonce, label: $("text").getAttribute("aria-label"),
    complete: (text, at) => post("/complete", { file, drafts: { ...drafts, [file]: text }, at }).catch(() => null),
    changed() { drafts[file] = editor.text(); later(); },
    moved: aim, save,
  });
  if (editor) {
    $("text").hidden = true;
    $("editor").hidden = $("keys").hidden = false;
    editor.findings(JSON.parse(studio.dataset.findings));
  } else {
    $("text").readOnly = false;
    $("text").addEventListener("input", function () { drafts[file] = $("text").value; later(); });
  }
  $("saved").hidden = false;

  async function post(path, question) {
    let answer;
    try {
      answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });
    } catch {
      throw new Error(word("gone"));
    }
    const type = answer.headers.get("Content-Type") || "";
    const body = type.startsWith("application/json") ? await answer.json() : { error: await answer.text() };
    if (!answer.ok) throw new Error((body && body.error) || answer.statusText);
    return body;
  }

  // say tells what went wrong; what kept a text from being saved stays until one is saved.
  let stays = false;
  function say(text, stay) {
    stays = !!stay;
    $("message").textContent = text || "";
    $("message").hidden = !text;
  }

  // One question is under way at a time; what is typed meanwhile goes with the next.
  let edits = new Map(), busy = false, timer = 0, idle = 0, wanted = false;
  function edit(e, at) {
    edits.set(at || e.do + JSON.stringify(e.path || e.key || ""), e);
    later();
  }
  function later(wait) {
    mark();
    wanted = true;
    clearTimeout(timer);
    timer = setTimeout(ask, wait === undefined ? 150 : wait);
  }
  async function ask(across) {
    if (busy) return;
    busy = true;
    wanted = false;
    const sent = edits, texts = { ...drafts };
    edits = new Map();
    try {
      const answer = await post("/check", {
        file, drafts: changedTexts(texts), edits: [...sent.values()], sample: $("sample").value, record: Math.max(Number($("record").value) - 1, 0), across: across === true,
      });
      const stale = Object.keys(texts).some((name) => texts[name] !== drafts[name]);
      if (stale) { // the text was typed in meanwhile: the changes are made in what it is now
        for (const [at, e] of sent) if (!edits.has(at)) edits.set(at, e);
        wanted = true;
      } else {
        if (answer.problem || !stays) say(answer.problem);
        for (const [name, text] of Object.entries(answer.drafts || {})) take(name, text);
        show(answer.sheet);
        if (editor) editor.findings(answer.findings);
        if (across !== true) {
          for (const name of ["sent", "tests"]) if ($(name).open) extra(name);
          clearTimeout(idle);
          idle = setTimeout(() => ask(true), 900);
        }
      }
    } catch (e) {
      say(e.message);
    } finally {
      busy = false;
      mark();
      if (wanted || edits.size) later(0);
    }
  }

  // extra asks for what is shown below the table, when somebody has opened it.
  const asked = { sent: 0, tests: 0, received: 0 };
  async function extra(name, path, more) {
    const turn = ++asked[name];
    try {
      const answer = await post(path || "/" + name, { file, drafts: { ...changedTexts(drafts), [file]: drafts[file] }, sample: $("sample").value, record: Math.max(Number($("record").value) - 1, 0), ...more });
      if (turn !== asked[name]) return;
      const fresh = new DOMParser().parseFromString(answer.sheet, "text/html");
      $(name).querySelector("div").replaceChildren(...[...fresh.body.childNodes].map((n) => document.importNode(n, true)));
      for (const [which, text] of Object.entries(answer.drafts || {})) take(which, text);
      if (answer.drafts) later(0);
    } catch (e) {
      say(e.message);
    }
  }

  // changedTexts leaves out what is as it is on the disk, so that what others change there is seen.
  function changedTexts(texts) {
    return Object.fromEntries(Object.entries(texts).filter(([name, text]) => name === file || text !== saved[name]));
  }
  function take(name, text) {
    if (!(name in saved)) saved[name] = null;
    drafts[name] = text;
    if (name !== file) return;
    if (editor) editor.set(text);
    else $("text").value = text;
  }
  const dirty = () => Object.keys(drafts).filter((name) => drafts[name] !== saved[name]);
  function mark() {
    const some = dirty().length > 0 || edits.size > 0;
    $("save").disabled = $("changes").disabled = !some;
    // A run refuses a rule with errors, and keeps the one that it has.
    const now = some ? "dirty" : rows.querySelector("[data-key=summary] .state.error") ? "wrong" : "clean";
    for (const s of $("saved").children) s.hidden = s.dataset.when !== now;
    if (!some) $("difference").hidden = true;
  }

  async function save() {
    if (busy || wanted || edits.size) { // what was typed last belongs to it
      setTimeout(save, 60);
      return;
    }
    const names = dirty();
    if (!names.length) return;
    busy = true;
    try {
      const texts = Object.fromEntries(names.map((name) => [name, drafts[name]]));
      const answer = await post("/save", { file, drafts: texts, save: Object.fromEntries(names.map((name) => [name, versions[name] || ""])) });
      for (const [name, version] of Object.entries(answer.saved)) {
        versions[name] = version;
        saved[name] = texts[name];
      }
      say("");
    } catch (e) {
      say(e.message, true);
    } finally {
      busy = false;
      mark();
      later(0);
    }
  }

  // show puts a fresh table in the place of the old one, without touching what is as it was.
  function show(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const id of ["fields", "rows"]) {
      const part = fresh.getElementById(id);
      if (part) children($(id), part);
    }
    grow();
    filter();
  }
  const keyOf = (n) => n.nodeType === 1 ? n.dataset.key || n.id || "" : "";
  function children(old, fresh) {
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
        morph(o, f);
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
  function morph(old, fresh) {
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
    children(old, fresh);
    if (old.nodeName === "SELECT" && !waits(old)) old.value = fresh.value;
  }
  // waits tells whether what stands in a field has not been asked about yet.
  const waits = (field) => field.dataset.path && edits.has("text" + field.dataset.path);

  // What people do in the table.
  const rows = $("rows");
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
      grow(t);
      typed(t);
      propose(t);
    } else if (t.matches("input[data-path]:not([data-part])")) {
      edit({ do: "text", path: JSON.parse(t.dataset.path), text: t.value }, "text" + t.dataset.path);
    }
  });
  function typed(t) {
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
    else if (b.dataset.line) { if (editor) { editor.show(Number(b.dataset.line)); editor.focus(); } else $("text").focus(); }
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
  // What somebody opens or closes stays so.
  document.addEventListener("click", function (e) {
    const s = e.target.closest("summary");
    if (s) s.parentElement.dataset.seen = "1";
    for (const d of document.querySelectorAll("details.tools[open]")) if (!d.contains(e.target)) d.open = false;
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
    grow(t);
    typed(t);
    close();
  }

  // Proposals below the expression that is being typed.
  const list = document.createElement("ul");
  list.className = "proposals";
  list.id = "proposals";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", word("proposals"));
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
      answer = await post("/complete", { file, drafts: changedTexts(drafts), path: JSON.parse(t.dataset.path), typed: t.value, caret });
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
    grow(t);
    typed(t);
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

  // The row of the line that the cursor of the text is in.
  function aim(line) {
    for (const b of rows.querySelectorAll("[data-line]")) {
      const row = b.closest(".row");
      if (row) row.classList.toggle("aimed", Number(b.dataset.line) === line);
    }
    const row = rows.querySelector(".row.aimed");
    if (row) row.scrollIntoView({ block: "nearest" });
  }

  // Choices of what is shown.
  function filter() {
    const which = $("filter").value, part = $("find").value.trim().toLowerCase();
    for (const r of rows.querySelectorAll(".row")) {
      r.classList.toggle("filtered", (which && !r.classList.contains(which) || part && !r.dataset.name.toLowerCase().includes(part)) ? true : false);
    }
    for (const d of rows.querySelectorAll("details[data-key]")) {
      if ((which === "wrong" || part) && d.querySelector(".row:not(.filtered)")) d.open = true;
    }
  }
  for (const name of ["sent", "tests", "received"]) $(name).addEventListener("toggle", () => $(name).open && extra(name));
  $("received").addEventListener("click", async function (e) {
    const b = e.target.closest("[data-take]");
    if (!b) return;
    try {
      const made = await post("/take", { file, drafts: changedTexts(drafts), seq: Number(b.dataset.take) });
      saved[made.file] = null;
      drafts[made.file] = made.text;
      const box = $("taken");
      box.hidden = false;
      box.querySelector("code").textContent = made.file;
      box.querySelector("textarea").value = made.text;
      $("sample").append(new Option(made.file, made.file, true, true));
      $("record").value = 1;
      later(0);
    } catch (err) {
      say(err.message);
    }
  });
  $("taken").addEventListener("input", function (e) {
    drafts[$("taken").querySelector("code").textContent] = e.target.value;
    later();
  });
  $("recordtest").addEventListener("submit", function (e) {
    e.preventDefault();
    extra("tests", "/record", { typed: e.target.elements.name.value });
    e.target.reset();
  });
  $("filter").addEventListener("change", filter);
  $("find").addEventListener("input", filter);
  $("sample").addEventListener("change", function () { $("record").value = 1; later(0); });
  $("record").addEventListener("input", () => later());
  $("save").addEventListener("click", save);
  $("changes").addEventListener("click", function () {
    const box = $("difference");
    box.hidden = !box.hidden;
    if (!box.hidden) difference(box.querySelector("pre"));
  });
  document.addEventListener("keydown", function (e) {
    if ((e.ctrlKey || e.metaKey) && e.key === "s") {
      e.preventDefault();
      save();
    }
  });
  addEventListener("beforeunload", function (e) { if (dirty().length) e.preventDefault(); });

  // difference shows what saving changes, line by line.
  function difference(pre) {
    pre.replaceChildren();
    for (const name of dirty()) {
      const a = (saved[name] || "").split("\n"), b = drafts[name].split("\n");
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
    if (!pre.childNodes.length) pre.append(word("nothing"));
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

  // grow gives fields as many lines as they need, where the browser does not do it.
  const sizes = CSS.supports("field-sizing", "content");
  function grow(one) {
    if (sizes) return;
    for (const t of one ? [one] : rows.querySelectorAll(".expr")) {
      t.style.height = "auto";
      t.style.height = t.scrollHeight + 2 + "px";
    }
  }
  for (const t of rows.querySelectorAll(".expr")) if (t.value.includes("\n")) t.dataset.lines = "1";
  grow();
  mark();
})();
