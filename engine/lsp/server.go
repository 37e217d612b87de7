// Package lsp is a language server for rule files: what the editor says of them is what validate
// says and run does, for it reads them with the same loader.
// https://microsoft.github.io/language-server-protocol
package lsp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// Options of a server.
type Options struct {
	Loader   *project.Loader
	Version  string // of Culvert, told to the client
	Log      *slog.Logger
	Language *language.Language // of what is said of rules, where the client names none that there is; nil: English
	Chosen   bool               // Language holds whatever the client names
}

// settleAfter is how long nothing is typed before the rules are checked against each other.
const settleAfter = 250 * time.Millisecond

// Serve speaks with one client until it says exit, closes the stream, or the context ends.
func Serve(ctx context.Context, stream io.ReadWriteCloser, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{ctx: ctx, loader: o.Loader, version: o.Version, log: o.Log, docs: map[string]*document{},
		language: o.Language, chosen: o.Chosen, spaces: map[string]*workspace{}, exit: make(chan struct{})}
	s.mu.Lock() // the first message may come before NewConn is back
	s.conn = jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(stream, jsonrpc2.VSCodeObjectCodec{}), s)
	s.mu.Unlock()
	select {
	case <-s.conn.DisconnectNotify():
	case <-s.exit:
	case <-ctx.Done():
	}
	cancel()
	_ = s.conn.Close() // a stream that the client has closed is closed
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.checks.Wait()
	return nil
}

// server answers one client. Requests are answered one after the other, in the order in which they come.
type server struct {
	ctx     context.Context
	conn    *jsonrpc2.Conn
	loader  *project.Loader
	version string
	log     *slog.Logger

	chosen bool // the language, by whoever started the server

	mu       sync.Mutex // of all below
	language *language.Language
	docs     map[string]*document
	spaces   map[string]*workspace // by folder
	watches  bool                  // the client can be asked to tell of changed files
	shutdown bool
	closed   bool // nothing is begun any more

	checks sync.WaitGroup
	exit   chan struct{}
	once   sync.Once
}

// Handle answers one message.
func (s *server) Handle(ctx context.Context, conn *jsonrpc2.Conn, req *jsonrpc2.Request) {
	result, err := s.answer(req)
	if req.Notif {
		if err != nil {
			s.log.Warn("a message of the editor cannot be used", "method", req.Method, "error", err)
		}
		return
	}
	if err != nil {
		code := int64(jsonrpc2.CodeInternalError)
		if e, ok := err.(*jsonrpc2.Error); ok {
			code = e.Code
		}
		err = conn.ReplyWithError(ctx, req.ID, &jsonrpc2.Error{Code: code, Message: s.say(err.Error())})
	} else {
		err = conn.Reply(ctx, req.ID, result)
	}
	if err != nil && s.ctx.Err() == nil {
		s.log.Warn("the editor does not take an answer", "method", req.Method, "error", err)
	}
}

// say gives a text in the language of the client.
func (s *server) say(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.language.Text(text)
}

// answer gives the result of a request. A mistake of ours in one must not end the server: the
// editor would lose it for the day.
func (s *server) answer(req *jsonrpc2.Request) (result any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if failure := recover(); failure != nil {
			s.log.Error("a request failed", "method", req.Method, "failure", fmt.Sprint(failure))
			err = fmt.Errorf("culvert itself failed on %s: %v", req.Method, failure)
		}
	}()
	switch req.Method {
	case "initialize":
		return s.initialize(req.Params)
	case "initialized":
		s.watch()
		return nil, nil
	case "shutdown":
		s.shutdown = true
		return nil, nil
	case "exit":
		s.once.Do(func() { close(s.exit) })
		return nil, nil
	case "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose", "textDocument/didSave",
		"workspace/didChangeWatchedFiles":
		return nil, s.sync(req.Method, req.Params)
	}
	if s.shutdown {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidRequest, Message: "the server was told to shut down"}
	}
	if do, ok := requests[req.Method]; ok {
		return do(s, req.Params)
	}
	if req.Notif || strings.HasPrefix(req.Method, "$/") {
		return nil, nil // what is not understood may be left out, says the protocol
	}
	return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: "there is no method " + req.Method}
}

// requests are the requests about one file.
var requests = map[string]func(*server, *json.RawMessage) (any, error){
	"textDocument/completion": about(
		func(v *view, at spot, _ At) any { return v.completion(at).In(v.server.language) },
	),
	"textDocument/hover":          about(func(v *view, at spot, _ At) any { return v.hover(at).in(v.server.language) }),
	"textDocument/signatureHelp":  about(func(v *view, at spot, _ At) any { return v.signature(at) }),
	"textDocument/definition":     about(func(v *view, at spot, _ At) any { return v.definition(at) }),
	"textDocument/references":     about(func(v *view, at spot, _ At) any { return v.references(at) }),
	"textDocument/prepareRename":  about(func(v *view, at spot, _ At) any { return v.prepareRename(at) }),
	"textDocument/documentSymbol": about(func(v *view, _ spot, _ At) any { return v.symbols() }),
	"textDocument/rename":         (*server).rename,
	"textDocument/codeAction":     (*server).codeActions,
	"textDocument/formatting":     (*server).formatting,
	"textDocument/inlayHint":      (*server).inlayHints,
}

// about makes a request of what is asked of a place in an open file. Of a file that is not open, or
// of no project, there is nothing to say.
func about(do func(*view, spot, At) any) func(*server, *json.RawMessage) (any, error) {
	return func(s *server, raw *json.RawMessage) (any, error) {
		p, err := decode[At](raw)
		if err != nil {
			return nil, err
		}
		v := s.view(p.TextDocument.URI)
		if v == nil {
			return nil, nil
		}
		return do(v, v.lines.toSpot(p.Position), p), nil
	}
}

func (s *server) initialize(raw *json.RawMessage) (any, error) {
	p, err := decode[initializeParams](raw)
	if err != nil {
		return nil, err
	}
	if l, ok := language.Find(p.Locale); ok && !s.chosen {
		s.language = l
	}
	s.watches = p.Capabilities.Workspace.DidChangeWatchedFiles.DynamicRegistration
	return map[string]any{"capabilities": capabilities(),
		"serverInfo": map[string]string{"name": "culvert", "version": s.version}}, nil
}

// watch asks to be told of files that change beside the editor: samples, maps, the metadata of a sync, another branch.
func (s *server) watch() {
	if !s.watches || s.closed {
		return
	}
	watchers := []map[string]string{{"globPattern": "**/*.{yaml,yml,csv,json,xml,txt,xlsx}"}}
	registration := map[string]any{"registrations": []map[string]any{{
		"id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": map[string]any{"watchers": watchers},
	}}}
	conn := s.conn
	s.checks.Go(func() { // answered by the loop that this is called from
		var result any
		if err := conn.Call(s.ctx, "client/registerCapability", registration, &result); err != nil && s.ctx.Err() == nil {
			s.log.Warn("the editor does not tell of changed files", "error", err)
		}
	})
}

func (s *server) notify(method string, params any) {
	if err := s.conn.Notify(s.ctx, method, params); err != nil && s.ctx.Err() == nil {
		s.log.Warn("the editor cannot be told", "method", method, "error", err)
	}
}

// checkLater checks the rules against each other when nothing has changed for a while, beside what is asked meanwhile.
func (s *server) checkLater(w *workspace, round int) {
	if s.closed {
		return
	}
	s.checks.Go(func() {
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(settleAfter):
		}
		if run := s.prepare(w, round); run != nil {
			s.settle(w, round, run)
		}
	})
}

// prepare gives what checks the rules as they are now; nil when there is nothing to check, or they
// have changed since.
func (s *server) prepare(w *workspace, round int) (run func() diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.survive()
	if w.round != round || w.failure != "" || w.session.Project() == nil {
		return nil
	}
	return w.session.Check()
}

// settle checks the rules, and publishes what was found unless they have changed meanwhile.
func (s *server) settle(w *workspace, round int, run func() diag.List) {
	defer s.survive()
	found := run()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.round == round && s.ctx.Err() == nil {
		w.session.Settle(found)
		s.publish(w)
	}
}

// survive keeps a mistake of ours in a check from ending the server, as answer does with one in a
// request. It is deferred.
func (s *server) survive() {
	if failure := recover(); failure != nil {
		s.log.Error("checking the rules against each other failed", "failure", fmt.Sprint(failure))
	}
}

// syncParams are the parameters of all notifications about files.
type syncParams struct {
	TextDocument struct {
		DocumentID
		Text string `json:"text"`
	} `json:"textDocument"`
	Changes []json.RawMessage `json:"contentChanges"`
	Files   []struct {
		URI string `json:"uri"`
	} `json:"changes"`
}

func (s *server) sync(method string, raw *json.RawMessage) error {
	p, err := decode[syncParams](raw)
	if err != nil {
		return err
	}
	id := p.TextDocument
	switch method {
	case "textDocument/didOpen":
		s.open(id.DocumentID, id.Text)
	case "textDocument/didChange":
		if len(p.Changes) == 0 {
			return nil
		}
		var last struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(p.Changes[len(p.Changes)-1], &last); err != nil {
			return err
		}
		s.open(id.DocumentID, last.Text)
	case "textDocument/didClose":
		if d := s.docs[key(id.URI)]; d != nil {
			delete(s.docs, key(id.URI))
			d.space.session.Release(d.name)
			s.change(d.space, d.name)
		}
	case "textDocument/didSave":
		if d := s.docs[key(id.URI)]; d != nil {
			s.change(d.space, d.name)
		}
	default:
		changed := map[*workspace][]string{}
		for _, f := range p.Files {
			if path := pathOf(f.URI); path != "" && s.docs[uriOf(path)] == nil {
				if w, name := s.workspaceOf(path); w != nil {
					changed[w] = append(changed[w], name)
				}
			}
		}
		for w, names := range changed {
			s.change(w, names...)
		}
	}
	return nil
}

// key names a file in one way, however the client writes its URI.
func key(uri string) string {
	if path := pathOf(uri); path != "" {
		return uriOf(path)
	}
	return uri
}

// open takes the text of a file as the editor holds it.
func (s *server) open(id DocumentID, text string) {
	path := pathOf(id.URI)
	if path == "" {
		return
	}
	w, name := s.workspaceOf(filepath.Clean(path))
	if w == nil {
		return
	}
	s.docs[key(id.URI)] = &document{uri: id.URI, version: id.Version, text: text, space: w, name: name}
	w.session.Hold(name, []byte(text))
	s.change(w, name)
}
