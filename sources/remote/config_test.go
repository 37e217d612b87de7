package remote

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var found diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &found)
	if len(found) > 0 {
		t.Fatal(found)
	}
	return &rules.Trigger{Kind: "test", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

var testKind = Kind{Word: "test", Settles: true, After: []string{Leave, Move, Delete},
	Folder: settings.Field{Name: "folder", Required: true, Hint: "name the folder"}}

// A trigger that says what cannot be is refused with the key that is wrong.
func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{connection: c, folder: out}":                             "",
		"{connection: c, folder: out, after: move, results: back}": "",
		"{connection: c}":                                          "test needs folder",
		"{folder: out}":                                            "test needs connection",
		"{connection: c, folder: out, after: burn}":                `after cannot be "burn"`,
		"{connection: c, folder: out, done: done}":                 "done is for files that are moved",
		"{connection: c, folder: out, results: ./out/}":            "results is the folder that files are taken from",
		"{connection: c, folder: out, after: move, failed: out}":   "failed is the folder that files are taken from",
		"{connection: c, folder: out, local_folder: ../x}":         "leads out of the project",
		"{connection: c, folder: out, glob: a/b}":                  "glob is for file names",
		"{connection: c, folder: out, marker: done}":               "is no file ending",
		"{connection: c, folder: out, max_bytes: 0}":               "max_bytes",
		"{connection: c, folder: out, every: 1s}":                  "every",
		"{connection: c, folder: out, format: pdf}":                "no format is named",
	} {
		var found []string
		testKind.Check(trigger(t, text), func(d diag.Diagnostic) { found = append(found, d.Message) })
		if got := strings.Join(found, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Two rules may read the same files when neither takes them away.
func TestCheckAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"{connection: c, folder: out}", "{connection: c, folder: out/}", false},
		{"{connection: c, folder: out}", "{connection: c, folder: out/, after: delete}", true},
		{"{connection: c, folder: out, after: move}", "{connection: c, folder: out}", true},
		{"{connection: c, folder: out, after: move}", "{connection: c, folder: out, glob: b*}", false},
		{"{connection: c, folder: out, after: move}", "{connection: d, folder: out}", false},
	} {
		n := 0
		testKind.CheckAll([]*rules.Rule{{Name: "a", Trigger: *trigger(t, c.a)}, {Name: "b", Trigger: *trigger(t, c.b)}},
			func(diag.Diagnostic) { n++ })
		if (n == 1) != c.want {
			t.Errorf("%s and %s: %d findings", c.a, c.b, n)
		}
	}
}

// What people on other machines call a file is a name here.
func TestLocalName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.csv": "a.csv", "Données mars (2).xlsx": "Données mars (2).xlsx", `C:\out\a.csv`: "a.csv", "a:b*.csv": "a_b_.csv",
		"..": "file", "a\x00b.csv": "a_b.csv", "\u202ecsv.exe.csv": "_csv.exe.csv",
	} {
		if got := LocalName(name); got != want {
			t.Errorf("%q is %q here, want %q", name, got, want)
		}
	}
	if got := LocalName(strings.Repeat("ü", 200) + ".csv"); len(got) > 180 || !strings.HasSuffix(got, ".csv") {
		t.Errorf("a long name has %d bytes here", len(got))
	}
	for _, name := range []string{"a." + strings.Repeat("ü", 200), strings.Repeat("a", 140) + "." + strings.Repeat("b", 300)} {
		if got := LocalName(name); len(got) > 180 || !utf8.ValidString(got) {
			t.Errorf("a name with a long ending has %d bytes here", len(got))
		}
	}
}
