package language

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool(
	"update",
	false,
	"list new texts in the catalogs, and take out those that the code no longer has",
)

// Every text of the code is in every catalog, said in its language, with the same values.
func TestEveryTextIsTranslated(t *testing.T) {
	found := extracted(t)
	files, err := filepath.Glob("texts/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("catalogs: %v, %v", files, err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var f file
			if err := yaml.Unmarshal(text, &f); err != nil {
				t.Fatal(err)
			}
			if *update {
				rewrite(t, name, text, f, found)
				return
			}
			missing := 0
			for _, key := range slices.Sorted(maps.Keys(found)) {
				if f.Texts[key].other == "" {
					if missing++; missing <= 20 {
						t.Errorf("%s has no translation of %q (%s)", name, key, found[key])
					}
				}
			}
			if missing > 20 {
				t.Errorf("... and of %d others: go test ./engine/language -update lists them", missing-20)
			}
			for key, s := range f.Texts {
				if _, ok := found[key]; !ok {
					t.Errorf("%s translates %q, which the code does not say: go test ./engine/language -update", name, key)
				}
				for _, form := range []string{s.other, s.one} {
					if form == "" {
						continue
					}
					if err := checkFormat(key, form); err != nil && (form != s.one) {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		})
	}
}

// rewrite lists all texts in a catalog, sorted, with the translations that it has.
func rewrite(t *testing.T, name string, text []byte, f file, found map[string]string) {
	t.Helper()
	head, _, ok := bytes.Cut(text, []byte("\ntexts:"))
	if !ok {
		t.Fatalf("%s has no texts:", name)
	}
	texts := &yaml.Node{Kind: yaml.MappingNode}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		texts.Content = append(texts.Content, quoted(key), translation(f.Texts[key]))
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteByte('\n')
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(map[string]*yaml.Node{"texts": texts}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the repository
		t.Fatal(err)
	}
}

func quoted(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text, Style: yaml.DoubleQuotedStyle}
}

func translation(s said) *yaml.Node {
	if s.one == "" {
		return quoted(s.other)
	}
	return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{
		{Kind: yaml.ScalarNode, Value: "one"}, quoted(s.one), {Kind: yaml.ScalarNode, Value: "other"}, quoted(s.other),
	}}
}

// TestCatalogsAreNamedByTheirTag holds that a language is found by its file's name, and that each file can be read.
func TestCatalogsAreNamedByTheirTag(t *testing.T) {
	for tag, load := range catalogs() {
		if l, err := load(); err != nil || l.Tag != tag {
			t.Errorf("texts/%s.yaml: %v", tag, err)
		}
	}
}
