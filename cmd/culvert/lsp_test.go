package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

// syncedExample lays down an example with the metadata of a sandbox.
func syncedExample(t *testing.T, name string) string {
	t.Helper()
	dir := exampleProject(t, name)
	_, url := startSandbox(t, exampleProject(t, "anc"))
	for key, value := range map[string]string{"DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district",
		"COMMCARE_PASSWORD": "secret", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(key, value)
	}
	var errors strings.Builder
	if code := run([]string{"sync", "-C", dir}, strings.NewReader(""), io.Discard, &errors); code != exitFine {
		t.Fatalf("sync ends with %d: %s", code, errors.String())
	}
	return dir
}

type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipes) Close() error { return p.WriteCloser.Close() }

// TestLanguageServer drives the program over its stdin and stdout as an editor does, and has it end
// as the protocol says.
func TestLanguageServer(t *testing.T) {
	dir := syncedExample(t, "anc")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "lsp", "--stdio")
	c.Env = append(os.Environ(), asChild+"=1")
	c.Dir = t.TempDir() // editors start it anywhere
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	findings := make(chan string, 100)
	handle := jsonrpc2.HandlerWithError(func(_ context.Context, _ *jsonrpc2.Conn, req *jsonrpc2.Request) (any, error) {
		if req.Method == "textDocument/publishDiagnostics" {
			findings <- string(*req.Params)
		}
		return nil, nil
	})
	conn := jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(pipes{out, in}, jsonrpc2.VSCodeObjectCodec{}), handle)
	call := func(method string, params any) json.RawMessage {
		t.Helper()
		var answer json.RawMessage
		if err := conn.Call(ctx, method, params, &answer); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		return answer
	}
	call("initialize", map[string]any{"capabilities": map[string]any{}})
	file := filepath.Join(dir, "rules", "anc-registration.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	uri := "file://" + filepath.ToSlash(file)
	open := map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1,
		"text": strings.Replace(string(text), "Village:", "Vilage:", 1)}}
	if err := conn.Notify(ctx, "textDocument/didOpen", open); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-findings:
		if !strings.Contains(got, "unknown-attribute") || !strings.Contains(got, uri) {
			t.Errorf("findings: %s", got)
		}
	case <-ctx.Done():
		t.Fatal("no findings")
	}
	if got := call("textDocument/hover", map[string]any{"textDocument": map[string]any{"uri": uri},
		"position": map[string]any{"line": 14, "character": 18}}); !strings.Contains(string(got), "Antenatal care") {
		t.Errorf("hover: %s", got)
	}
	call("shutdown", nil)
	if err := conn.Notify(ctx, "exit", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
}

// TestNeovim opens a rule in a real editor: it starts the server, shows the findings, completes and hovers.
func TestNeovim(t *testing.T) {
	nvim, err := exec.LookPath("nvim")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("nvim is not installed")
		}
		t.Skip("nvim is not installed")
	}
	dir := syncedExample(t, "anc")
	script, err := filepath.Abs("testdata/neovim.lua")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, nvim, "--headless", "-u", "NONE", "-i", "NONE", "-c", "luafile "+script)
	c.Dir = dir
	home := t.TempDir()
	c.Env = append(os.Environ(), asChild+"=1", "CULVERT="+os.Args[0], "HOME="+home, "XDG_STATE_HOME="+home,
		"XDG_DATA_HOME="+home)
	out, err := c.CombinedOutput()
	for _, want := range []string{"finding unknown-attribute", "hover Village", "completion Village"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing (%v):\n%s", want, err, out)
		}
	}
}
