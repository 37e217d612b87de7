// The text of a rule beside its table: CodeMirror with what culvert studio needs of it, and nothing else.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, Transaction } from "@codemirror/state";
import {
  EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

const look = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--card)", color: "var(--ink)" },
  "&.cm-focused": { outline: "3px solid var(--accent)", outlineOffset: "-3px" },
  ".cm-scroller": { fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--soft)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--line)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)",
  },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)", maxWidth: "34rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "var(--soft)", fontStyle: "normal" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap" },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--ink)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.content], color: "var(--ink)" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--soft)" },
]);

// place gives the offset of a line and column of the language server, which counts both from 0.
function place(doc, at) {
  const line = doc.line(Math.min(Math.max(at.line + 1, 1), doc.lines));
  return Math.min(line.from + at.character, line.to);
}

// kinds of the language server's completions, as CodeMirror names them.
const kinds = { 3: "function", 5: "property", 6: "variable", 10: "property", 12: "constant", 13: "enum", 14: "keyword", 17: "text", 20: "enum", 21: "constant" };

function completions(ask) {
  return async function (context) {
    const doc = context.state.doc;
    const line = doc.lineAt(context.pos);
    const list = await ask(doc.toString(), { line: line.number - 1, character: context.pos - line.from });
    if (context.aborted || !list || !list.items || !list.items.length) return null;
    const word = context.matchBefore(/[\p{L}\p{N}_@]*/u);
    const options = list.items.map(function (item) {
      const from = item.textEdit ? place(doc, item.textEdit.range.start) : word.from;
      const to = item.textEdit ? place(doc, item.textEdit.range.end) : context.pos;
      const text = item.textEdit ? item.textEdit.newText : item.label;
      return {
        label: item.filterText && item.filterText.includes(item.label) ? item.filterText.replace(/^["'.[?]+/, "") : item.label,
        displayLabel: item.label,
        detail: item.detail,
        type: kinds[item.kind],
        boost: -Number(item.sortText || 0) / 1e5,
        apply: (view) => view.dispatch({ changes: { from, to: Math.max(to, view.state.selection.main.head), insert: text }, selection: { anchor: from + text.length }, userEvent: "input.complete" }),
        start: from,
      };
    });
    let from = Math.max(...options.map((o) => o.start));
    const written = doc.sliceString(from, context.pos);
    from += written.length - written.replace(/^[\s"'.[?]+/, "").length;
    return { from: Math.min(from, context.pos), options, validFor: list.isIncomplete ? undefined : /^[^\n.[\]]*$/ };
  };
}

// create shows a text. It gives what the page does with it.
export function create(parent, options) {
  let quiet = false;
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        EditorView.cspNonce.of(options.nonce), EditorState.lineSeparator.of(options.text.includes("\r\n") ? "\r\n" : "\n"),
        EditorState.readOnly.of(!!options.readOnly), EditorView.contentAttributes.of({ "aria-label": options.label }),
        lineNumbers(), highlightActiveLineGutter(), highlightSpecialChars(), history(), drawSelection(), indentOnInput(),
        bracketMatching(), closeBrackets(), highlightActiveLine(), highlightSelectionMatches(), search({ top: true }),
        indentUnit.of("  "), yaml(), syntaxHighlighting(colours), lintGutter(), look, EditorView.lineWrapping,
        autocompletion({ override: [completions(options.complete)], icons: false, maxRenderedOptions: 60 }),
        EditorState.phrases.of(options.phrases || {}),
        keymap.of([
          { key: "Mod-s", run: () => { options.save(); return true; } },
          ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap, indentWithTab,
        ]),
        EditorView.updateListener.of(function (update) {
          if (update.docChanged && !quiet) options.changed();
          if (update.selectionSet && !update.docChanged && !quiet && update.view.hasFocus) options.moved(update.state.doc.lineAt(update.state.selection.main.head).number);
        }),
      ],
    }),
  });
  const text = () => view.state.sliceDoc();
  return {
    text,
    // set takes another text and changes only what is different, so that cursor and history stay.
    set(fresh) {
      const old = text();
      if (old === fresh) return;
      let from = 0, end = 0;
      const most = Math.min(old.length, fresh.length);
      while (from < most && old[from] === fresh[from]) from++;
      while (end < most - from && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end++;
      quiet = true;
      if (view.state.lineBreak === "\r\n") {
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: view.state.toText(fresh) }, annotations: Transaction.userEvent.of("input") });
      } else {
        view.dispatch({ changes: { from, to: old.length - end, insert: view.state.toText(fresh.slice(from, fresh.length - end)) }, annotations: Transaction.userEvent.of("input") });
      }
      quiet = false;
    },
    findings(list) {
      const doc = view.state.doc;
      view.dispatch(setDiagnostics(view.state, list.map(function (d) {
        const from = place(doc, d.range.start);
        return { from, to: Math.max(from, place(doc, d.range.end)), severity: d.severity === 2 ? "warning" : "error", message: d.message, source: d.code };
      })));
    },
    show(line) {
      const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      quiet = true;
      view.dispatch({ selection: { anchor: at.from }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
      quiet = false;
    },
    focus: () => view.focus(),
  };
}
