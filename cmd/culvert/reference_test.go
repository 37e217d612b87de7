package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/project"
)

var update = flag.Bool("update", false, "write docs/commands.md")

// TestReferenceIsCurrent compares docs/commands.md with the commands as they are.
func TestReferenceIsCurrent(t *testing.T) {
	a := &app{loader: &project.Loader{Sources: project.SourceKinds()}}
	want := reference(a.root())
	file := filepath.Join("..", "..", "docs", "commands.md")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/commands.md is not what the commands say: run `go test ./cmd/culvert -run Reference -update`")
	}
}

// TestManualPages writes the pages of all commands.
func TestManualPages(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if code := run([]string{"man", dir}, strings.NewReader(""), &out, &out); code != exitFine {
		t.Fatalf("man ends with %d: %s", code, out.String())
	}
	for _, page := range []string{"culvert.1", "culvert-validate.1", "culvert-convert-motech.1", "culvert-user-add.1"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), ".SH SYNOPSIS") {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// TestShellCompletion asks as a shell does.
func TestShellCompletion(t *testing.T) {
	dir := exampleProject(t, "anc")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"try", ""}, "anc-registration\n"},
		{[]string{"pause", "--rule", ""}, "anc-visit\n"},
		{[]string{"sync", "--server", ""}, "national\n"},
		{[]string{"explain", "E10"}, "E1018\n"},
		{[]string{"explain", "unknown-f"}, "unknown-field\n"},
		{[]string{"val"}, "validate"},
		{[]string{"failures", "--code", ""}, "unknown-org-unit\n"},
	} {
		var out, errors strings.Builder
		args := append([]string{"__complete"}, c.args[0])
		if len(c.args) > 1 {
			args = append(append(args, "-C", dir), c.args[1:]...)
		}
		if code := run(args, strings.NewReader(""), &out, &errors); code != exitFine ||
			!strings.Contains(out.String(), c.want) {
			t.Errorf("%q completes (%d) %q%s, without %q", c.args, code, out.String(), errors.String(), c.want)
		}
	}
}
