package settings

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// TestRead reads a mapping by its declaration: what is wrong is found once, at its place, and what
// holds when a key is left out or wrong is what the declaration says.
func TestRead(t *testing.T) {
	t.Parallel()
	spec := Spec{Fields: []Field{
		{Name: "name", Required: true, Hint: "write name: x"},
		{Name: "every", Type: Duration, Default: "6h"},
		{Name: "pause", Type: Duration, Least: time.Second, Most: time.Minute, Default: "2s"},
		{Name: "most", Type: Whole, Min: 1},
		{Name: "rate", Type: Number},
		{Name: "on", Type: Switch},
		{Name: "how", Type: Word, Words: []string{"plain", "safe"}},
		{Name: "header", Default: "X-Key"},
		{Name: "hosts", Type: Named, Each: &Field{Type: Mapping, Fields: []Field{{Name: "url", Required: true}}}},
	}}
	for name, c := range map[string]struct {
		text  string
		found []string
		hosts []string
	}{
		"all is well": {"name: a\nevery: 2h\nmost: 3\nrate: 0.5\non: true\nhow: safe\nhosts: {b: {url: x}, a: {url: y}}\n",
			nil, []string{"b x hosts.b.url", "a y hosts.a.url"}},
		"missing and unknown": {"evry: 6h\n", []string{"1:1 missing-key", "1:1 unknown-key"}, nil},
		"lengths of time":     {"name: a\nevery: often\npause: 2m\n", []string{"2:8 bad-duration", "3:8 duration"}, nil},
		"numbers":             {"name: a\nmost: 0x10\nrate: -1\n", []string{"2:7 bad-number", "3:7 bad-number"}, nil},
		"infinite":            {"name: a\nrate: .inf\n", []string{"2:7 bad-number"}, nil},
		"words":               {"name: a\non: True\nhow: fast\n", []string{"2:5 wrong-type", "3:6 wrong-type"}, nil},
		"below names":         {"name: a\nhosts:\n  b: {}\n  c: x\n", []string{"3:3 missing-key", "4:6 wrong-type"}, []string{"b  hosts.b.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found diag.List
			doc := yamlnode.Parse("a.yaml", []byte(c.text), &found)
			r := Read(doc.Root, spec, doc.Root.Place(), func(d diag.Diagnostic) { found.Add(d) })
			r.Text("name")
			every, pause := r.Duration("every"), r.Duration("pause")
			r.Whole("most")
			r.Number("rate")
			r.Is("on")
			r.Word("how")
			var hosts []string
			for name, host := range r.Named("hosts") {
				hosts = append(hosts, name.Value+" "+host.Text("url")+" "+host.Path("url"))
			}
			var got []string
			found.Sort()
			for _, d := range found {
				got = append(got, d.Place.String()[len("a.yaml:"):]+" "+d.Code)
			}
			if d := cmp.Diff(c.found, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.hosts, hosts); d != "" {
				t.Error(d)
			}
			if c.found != nil && (every != 6*time.Hour || pause != 2*time.Second || r.TextOr("header") != "X-Key") {
				t.Errorf("what was left out or wrong is %s, %s, %s", every, pause, r.TextOr("header"))
			}
		})
	}
}
