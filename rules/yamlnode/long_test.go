package yamlnode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// TestPlacesInALongLine finds every entry of a mapping that stands in one long line, with letters of several bytes.
func TestPlacesInALongLine(t *testing.T) {
	var b strings.Builder
	b.WriteString("m: {")
	columns := map[string]int{}
	column := 5
	for i := range 3000 {
		key := fmt.Sprintf("ké%d", i)
		columns[key] = column
		entry := key + `: "ñ\t1", `
		b.WriteString(entry)
		column += len([]rune(entry))
	}
	b.WriteString("z: 1}\n")
	var list diag.List
	doc := Parse("x.yaml", []byte(b.String()), &list)
	if len(list) > 0 {
		t.Fatal(list)
	}
	m := doc.Root.Get("m")
	for _, p := range m.Pairs() {
		if p.Key.Value == "z" {
			continue
		}
		at := p.Key.Place().Range
		if want := columns[p.Key.Value]; at.Start.Column != want || at.End.Column != want+len([]rune(p.Key.Value)) {
			t.Fatalf("%s stands at %v, want column %d", p.Key.Value, at, want)
		}
		if m.Key(p.Key.Value) != p.Key || m.Get(p.Key.Value) != p.Value {
			t.Fatalf("%s is not found by its name", p.Key.Value)
		}
	}
	if m.Get("none") != nil || m.Only(func(k string) bool { return k != "z" }).Get("z") != nil {
		t.Error("a key that is not there was found")
	}
	if merged := Merge(m, doc.Root); merged.Get("ké7") != m.Get("ké7") || merged.Get("m") != m {
		t.Error("a merged mapping lacks entries")
	}
}

// BenchmarkManyKeys reads mappings of growing size in one line and looks at every key's place: the
// time for a key must not grow with their number.
func BenchmarkManyKeys(b *testing.B) {
	for _, keys := range []int{1000, 10_000, 50_000} {
		var text strings.Builder
		text.WriteString("m: {")
		for i := range keys {
			fmt.Fprintf(&text, "k%d: v%d, ", i, i)
		}
		text.WriteString("z: 1}\n")
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			for b.Loop() {
				var list diag.List
				m := Parse("x.yaml", []byte(text.String()), &list).Root.Get("m")
				for _, p := range m.Pairs() {
					if m.Key(p.Key.Value).Place().Range.Start.Line != 1 {
						b.Fatal("found elsewhere")
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
		})
	}
}
