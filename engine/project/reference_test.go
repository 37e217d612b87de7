package project

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
)

var update = flag.Bool("update", false, "write the generated parts of schemas and docs anew")

// current compares a file with what its generated parts are to be, and writes it with -update.
func current(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update && string(text) != want {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), want); d != "" {
		t.Errorf("%s is not current; run the tests of this package with -update: %s", path, d)
	}
}

// generated replaces what stands between the marks of a document.
func generated(t *testing.T, path string, of map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)<!-- keys: ([a-z0-9_.]+) -->\n.*?<!-- end -->`)
	seen := map[string]bool{}
	got := section.ReplaceAllStringFunc(string(text), func(found string) string {
		mark := section.FindStringSubmatch(found)[1]
		table, ok := of[mark]
		if !ok {
			t.Errorf("%s has a table of %q, which is nothing", path, mark)
			return found
		}
		seen[mark] = true
		return "<!-- keys: " + mark + " -->\n" + table + "<!-- end -->"
	})
	for mark := range of {
		if !seen[mark] {
			t.Errorf("%s has no table of %s: add <!-- keys: %s --> and <!-- end -->", path, mark, mark)
		}
	}
	current(t, path, got)
}

// TestTriggerReferenceIsCurrent makes the tables of docs/triggers.md from what the kinds declare.
func TestTriggerReferenceIsCurrent(t *testing.T) {
	tables := map[string]string{}
	for _, k := range SourceKinds() {
		spec := k.Settings()
		tables[spec.Name] = keyTable(spec.Fields, "")
	}
	generated(t, "../../docs/triggers.md", tables)
}

// keyTable is the table of keys, with those of mappings below them.
func keyTable(fields []settings.Field, prefix string) string {
	var b strings.Builder
	if prefix == "" {
		b.WriteString("| key | meaning | left out |\n| --- | --- | --- |\n")
	}
	cell := func(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
	for i := range fields {
		f := &fields[i]
		otherwise := f.Otherwise()
		if !f.Required && (f.Default != "" && f.LeftOut == "" || f.Type == settings.Word) {
			otherwise = "`" + otherwise + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", prefix, f.Name, cell(f.Doc), cell(strings.TrimSuffix(otherwise, ",")))
		b.WriteString(keyTable(f.Fields, prefix+f.Name+"."))
		if f.Type == settings.Named {
			b.WriteString(keyTable(f.Each.Fields, prefix+f.Name+".NAME."))
		}
	}
	return b.String()
}

// TestEveryKeyIsDeclaredWhole keeps declarations complete: texts, words, bounds and defaults.
func TestEveryKeyIsDeclaredWhole(t *testing.T) {
	bounds := true
	var check func(at string, fields []settings.Field)
	check = func(at string, fields []settings.Field) {
		seen := map[string]bool{}
		for i := range fields {
			f := &fields[i]
			name := at + "." + f.Name
			switch {
			case f.Name == "" || seen[f.Name]:
				t.Errorf("%s is declared twice, or has no name", name)
			case f.Doc == "" || strings.HasSuffix(f.Doc, "."):
				t.Errorf("%s: its text is %q", name, f.Doc)
			case f.Otherwise() == "":
				t.Errorf("%s does not say what holds when it is left out", name)
			case f.Required && f.Hint == "":
				t.Errorf("%s is needed and does not say how it is written", name)
			case bounds && (f.Type == settings.Duration && f.Most <= f.Least ||
				(f.Type == settings.Whole || f.Type == settings.Number) && f.Max <= f.Min):
				t.Errorf("%s has no bounds", name)
			case (f.Type == settings.Named || f.Type == settings.List) && f.Each == nil:
				t.Errorf("%s does not say what it holds", name)
			case f.Type == settings.Word && len(f.Words) < 2:
				t.Errorf("%s has no words", name)
			}
			if d, err := settings.ParseDuration(f.Default); f.Type == settings.Duration && f.Default != "" &&
				(err != nil || d < f.Least || bounds && d > f.Most) {
				t.Errorf("%s: its default %q is not within its bounds", name, f.Default)
			}
			seen[f.Name] = true
			check(name, f.Fields)
			if f.Each != nil {
				check(name+".NAME", f.Each.Fields)
			}
		}
	}
	for _, k := range SourceKinds() {
		spec := k.Settings()
		if spec.Name != k.Name() || spec.Doc == "" || !strings.HasPrefix(spec.Example, spec.Name+": ") {
			t.Errorf("%s is declared as %q, %q, %q", k.Name(), spec.Name, spec.Doc, spec.Example)
		}
		check(spec.Name, spec.Fields)
		if c, ok := k.(sources.Connected); ok {
			check("connections."+c.Connection().Name, c.Connection().Keys)
		}
	}
	bounds = false // of one's own file the limits are one's own
	check(ConfigFile, configKeys().Fields)
}

// TestConfigReferenceIsCurrent makes the table of docs/config.md from what configKeys declares.
func TestConfigReferenceIsCurrent(t *testing.T) {
	generated(t, "../../docs/config.md", map[string]string{ConfigFile: keyTable(configKeys().Fields, "")})
}
