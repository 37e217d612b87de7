package project

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/examples"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/webhook"
)

func codes(l diag.List) []string {
	var out []string
	for _, d := range l {
		out = append(out, d.String())
	}
	return out
}

// TestSessionFindsWhatLoadFinds edits a project in many ways; after each the session holds what
// reading all files from the disk would.
func TestSessionFindsWhatLoadFinds(t *testing.T) {
	dir := t.TempDir()
	if err := examples.Write("cookbook", dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	l := &Loader{Sources: SourceKinds()}
	s := l.Edit(dir)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(step string) {
		t.Helper()
		s.Settle(s.Check()())
		p, err := l.Load(t.Context(), dir)
		if err != nil {
			t.Fatal(step, err)
		}
		if got, want := codes(s.Project().Findings), codes(p.Findings); !slices.Equal(got, want) {
			t.Errorf("%s: the session finds\n%s\nand loading\n%s", step, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got, want := len(s.Project().Rules), len(p.Rules); got != want {
			t.Errorf("%s: %d rules, want %d", step, got, want)
		}
		if got, want := len(s.Project().Texts), len(p.Texts); got != want {
			t.Errorf("%s: %d texts, want %d", step, got, want)
		}
	}
	check("opened")
	first := s.Project().Rules[0].Path
	text, err := os.ReadFile(filepath.Join(dir, first))
	if err != nil {
		t.Fatal(err)
	}
	sample := s.Project().Rules[0].Trigger.Sample
	for _, step := range []struct{ name, file, text string }{
		{"a rule with a mistake", first, strings.Replace(string(text), "actions:", "acktions:", 1)},
		{"not YAML", first, "trigger: {webhook: [\n"},
		{"empty", first, ""},
		{"as before", first, string(text)},
		{"a second rule of the same name", "rules/second.yaml", string(text)},
		{"another name", "rules/second.yaml", "rule: other\n" + string(text)},
		{"the sample changed", sample, "{}"},
		{"broken defaults", "rules/_defaults.yaml", "server: nowhere\n"},
		{"defaults", "rules/_defaults.yaml", "{}\n"},
		{"culvert.yaml with a mistake", ConfigFile, "project: x\nservres: {}\n"},
	} {
		s.Hold(step.file, []byte(step.text))
		if _, err := s.Change(t.Context(), step.file); err != nil {
			t.Fatal(step.name, err)
		}
		s.Settle(s.Check()())
		before := codes(s.Project().Findings)
		write(t, dir, map[string]string{step.file: step.text})
		check(step.name)
		s.Release(step.file)
		if _, err := s.Change(t.Context(), step.file); err != nil {
			t.Fatal(step.name, err)
		}
		s.Settle(s.Check()())
		if after := codes(s.Project().Findings); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: saving changed the findings from %q to %q", step.name, before, after)
		}
	}
}

// BenchmarkKeystroke compiles one rule anew among 1,000, with 100,000 org units.
func BenchmarkKeystroke(b *testing.B) {
	dir := country(b, 1000, 100_000)
	s := (&Loader{Sources: []sources.Kind{webhook.Kind{}, files.Kind{}}}).Edit(dir)
	if err := s.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "rules", "rule-500.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		s.Hold("rules/rule-500.yaml", append([]byte(strings.Repeat("# typed\n", n%7)), text...))
		if _, err := s.Change(b.Context(), "rules/rule-500.yaml"); err != nil {
			b.Fatal(err)
		}
	}
}
