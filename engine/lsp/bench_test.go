package lsp

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// BenchmarkKeystroke types into one rule of 1,000, with 100,000 org units, and asks after each
// letter for what an editor asks. What counts is the time until the answer, of which people notice
// more than 50 ms.
func BenchmarkKeystroke(b *testing.B) {
	dir := ancProject(b, "anc")
	national := filepath.Join(dir, "metadata", "national")
	s, err := metadata.Read(national)
	if err != nil {
		b.Fatal(err)
	}
	root := s.OrgUnits[0]
	for i := range 100_000 {
		id := fmt.Sprintf("u%010d", i)
		s.OrgUnits = append(s.OrgUnits, metadata.OrgUnit{
			Named: metadata.Named{ID: id, Code: fmt.Sprintf("C%d", i), Name: fmt.Sprintf("Health Centre %d", i)}, Level: 2,
			Path: root.Path + "/" + id, Parent: &metadata.Ref{ID: root.ID},
		})
	}
	if err := metadata.Write(national, s); err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(registration)))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		own := strings.Replace(string(text), "rule: anc-registration", fmt.Sprintf("rule: anc-registration-%d", i), 1)
		if err := os.WriteFile(filepath.Join(dir, "rules", fmt.Sprintf("rule-%d.yaml", i)), []byte(own), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	e := newEditor(b, dir)
	e.open("rules/rule-500.yaml")
	base := strings.Replace(e.text["rules/rule-500.yaml"], "org_unit: clinic", "org_unit: {value: %s}", 1)
	for _, c := range []struct{ name, text, mark string }{
		{"expression", strings.ReplaceAll(base, "title(trigger.form.village)", "trigger.form.%s"),
			"Village: trigger.form.%s|"},
		{"org unit", base, "org_unit: {value: %s|}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			typed := "Health Centre 77"
			n := 0
			e.complete("rules/rule-500.yaml", "rule: |") // the project has been read
			for b.Loop() {
				n++
				part := typed[:n%len(typed)]
				e.change("rules/rule-500.yaml", strings.ReplaceAll(c.text, "%s", part))
				e.complete("rules/rule-500.yaml", strings.ReplaceAll(c.mark, "%s", part))
			}
		})
	}
}
