// The page of a rule: what is typed is asked about as it is typed, and what comes back is put in its place.
// The text of the file is the one thing that is edited; the table is another way to write in it.
"use strict";
import { difference } from "./difference.js";
import { children } from "./morph.js";
import { table } from "./table.js";

const studio = document.getElementById("studio");
if (studio) open();

function open() {
  const file = studio.dataset.file;
  const $ = (id) => document.getElementById(id);
  const rows = $("rows");
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
      if (part) children($(id), part, waits);
    }
    grow();
    filter();
  }
  // waits tells whether what stands in a field has not been asked about yet.
  const waits = (field) => field.dataset.path && edits.has("text" + field.dataset.path);

  table({
    studio, rows, edit, grow, label: word("proposals"),
    complete: (question) => post("/complete", { file, drafts: changedTexts(drafts), ...question }),
    showLine(line) {
      if (editor) {
        editor.show(line);
        editor.focus();
      } else {
        $("text").focus();
      }
    },
  });
  // What somebody opens or closes stays so.
  document.addEventListener("click", function (e) {
    const s = e.target.closest("summary");
    if (s) s.parentElement.dataset.seen = "1";
    for (const d of document.querySelectorAll("details.tools[open]")) if (!d.contains(e.target)) d.open = false;
  });

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
    if (!box.hidden) difference(box.querySelector("pre"), dirty().map((name) => [name, saved[name] || "", drafts[name]]), word("nothing"));
  });
  document.addEventListener("keydown", function (e) {
    if ((e.ctrlKey || e.metaKey) && e.key === "s") {
      e.preventDefault();
      save();
    }
  });
  addEventListener("beforeunload", function (e) { if (dirty().length) e.preventDefault(); });

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
}
