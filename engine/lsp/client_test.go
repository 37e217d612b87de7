package lsp

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/project/projecttest"
	"github.com/culvert/culvert/rules/examples"
)

func TestMain(m *testing.M) {
	code := m.Run()
	projecttest.Remove()
	os.Exit(code)
}

// editor is a client as editors are, with one project.
type editor struct {
	t    testing.TB
	conn *jsonrpc2.Conn
	dir  string

	mu        sync.Mutex
	found     map[string][]Diagnostic // by file
	changed   chan struct{}
	text      map[string]string
	version   int
	requested []string
}

// Handle takes what the server says in its order, as editors do: findings of an older text must not come last.
func (e *editor) Handle(ctx context.Context, conn *jsonrpc2.Conn, req *jsonrpc2.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if req.Method == "textDocument/publishDiagnostics" {
		var p PublishDiagnostics
		if err := json.Unmarshal(*req.Params, &p); err != nil {
			e.t.Error(err)
		}
		rel, _ := filepath.Rel(e.dir, pathOf(p.URI))
		e.found[filepath.ToSlash(rel)] = p.Diagnostics
		close(e.changed)
		e.changed = make(chan struct{})
	}
	if !req.Notif {
		e.requested = append(e.requested, req.Method)
		go func() { _ = conn.Reply(ctx, req.ID, nil) }() // what the server says meanwhile is read
	}
}

// newEditor opens a project with the metadata of Tamala.
func newEditor(t testing.TB, dir string) *editor {
	t.Helper()
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, there, Options{Loader: &project.Loader{Sources: project.SourceKinds()}, Version: "test",
			Log: slog.New(slog.DiscardHandler)})
	}()
	e := &editor{t: t, dir: dir, found: map[string][]Diagnostic{}, changed: make(chan struct{}), text: map[string]string{}}
	e.conn = jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(here, jsonrpc2.VSCodeObjectCodec{}), e)
	t.Cleanup(func() {
		_ = e.conn.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var answer struct {
		Capabilities map[string]any `json:"capabilities"`
	}
	e.call("initialize", map[string]any{"rootUri": uriOf(dir),
		"capabilities": map[string]any{"workspace": map[string]any{
			"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}}}}, &answer)
	if answer.Capabilities["hoverProvider"] != true {
		t.Fatalf("capabilities: %v", answer.Capabilities)
	}
	e.notify("initialized", map[string]any{})
	return e
}

// ancProject lays down the example with the snapshot.
func ancProject(t testing.TB, name string) string {
	t.Helper()
	from, err := projecttest.Tamala()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := examples.Write(name, dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "metadata"), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (e *editor) call(method string, params, result any) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.conn.Call(ctx, method, params, result); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

func (e *editor) notify(method string, params any) {
	e.t.Helper()
	if err := e.conn.Notify(context.Background(), method, params); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

func (e *editor) uri(file string) string {
	return uriOf(filepath.Join(e.dir, filepath.FromSlash(file)))
}

// open opens a file, with a text that is not on the disk where one is given.
func (e *editor) open(file string, text ...string) {
	e.t.Helper()
	if len(text) == 0 {
		b, err := os.ReadFile(filepath.Join(e.dir, filepath.FromSlash(file)))
		if err != nil {
			e.t.Fatal(err)
		}
		text = []string{string(b)}
	}
	e.text[file] = text[0]
	e.version++
	e.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": e.uri(file),
		"languageId": "yaml", "version": e.version, "text": text[0]}})
}

// change types a text in the place of the whole file.
func (e *editor) change(file, text string) {
	e.t.Helper()
	e.text[file] = text
	e.version++
	e.notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": e.uri(file), "version": e.version},
		"contentChanges": []map[string]any{{"text": text}},
	})
}

// replace types in the place of a text.
func (e *editor) replace(file, old, text string) {
	e.t.Helper()
	if !strings.Contains(e.text[file], old) {
		e.t.Fatalf("%s does not hold %q", file, old)
	}
	e.change(file, strings.Replace(e.text[file], old, text, 1))
}

// at gives the place behind a text in a file; with a | in it, at that.
func (e *editor) at(file, mark string) map[string]any {
	e.t.Helper()
	before, after, cut := strings.Cut(mark, "|")
	if !cut {
		before, after = mark, ""
	}
	i := strings.Index(e.text[file], before+after)
	if i < 0 {
		e.t.Fatalf("%s does not hold %q", file, mark)
	}
	until := e.text[file][:i+len(before)]
	line := strings.Count(until, "\n")
	l := lines(newLines(e.text[file]))
	p := l.toPosition(spot{line, len([]rune(until[strings.LastIndexByte(until, '\n')+1:]))})
	return map[string]any{"textDocument": map[string]any{"uri": e.uri(file)}, "position": p}
}

// codes waits until the findings of a file are these codes.
func (e *editor) codes(file string, want ...string) []Diagnostic {
	e.t.Helper()
	limit := time.After(30 * time.Second)
	var got []string
	for {
		e.mu.Lock()
		got = nil
		for _, d := range e.found[file] {
			got = append(got, d.Code)
		}
		found, changed := e.found[file], e.changed
		e.mu.Unlock()
		slices.Sort(got)
		if slices.Equal(got, want) {
			return found
		}
		select {
		case <-changed:
		case <-limit:
			e.t.Fatalf("%s: the findings are %q, want %q", file, got, want)
		}
	}
}

// complete gives the labels proposed at a mark.
func (e *editor) complete(file, mark string) []CompletionItem {
	e.t.Helper()
	var list CompletionList
	e.call("textDocument/completion", e.at(file, mark), &list)
	return list.Items
}

func labels(items []CompletionItem) []string {
	out := []string{}
	for _, i := range items {
		out = append(out, i.Label)
	}
	return out
}

// apply gives the text of a file after edits.
func apply(text string, edits []TextEdit) string {
	l := lines(newLines(text))
	offset := func(p Position) int {
		s, n := l.toSpot(p), 0
		for _, line := range strings.SplitAfter(text, "\n")[:s.line] {
			n += len(line)
		}
		return n + len(string(l[s.line][:s.col]))
	}
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b TextEdit) int { return offset(b.Range.Start) - offset(a.Range.Start) })
	for _, e := range edits {
		text = text[:offset(e.Range.Start)] + e.NewText + text[offset(e.Range.End):]
	}
	return text
}

// choose accepts a proposal.
func (e *editor) choose(file string, items []CompletionItem, label string) {
	e.t.Helper()
	for _, i := range items {
		if i.Label == label {
			e.change(file, apply(e.text[file], []TextEdit{*i.TextEdit}))
			return
		}
	}
	e.t.Fatalf("%q is not among %q", label, labels(items))
}
