package project

import (
	"slices"
	"testing"

	"github.com/culvert/culvert/rules/diag/explain"
)

// TestConfigPagesSayTheTruth runs the examples of the pages on culvert.yaml: the wrong one has the code, the right one has no finding.
func TestConfigPagesSayTheTruth(t *testing.T) {
	codes := func(text string) []string {
		_, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(text))
		var codes []string
		for _, d := range findings {
			codes = append(codes, d.Code)
		}
		return codes
	}
	checked := 0
	for _, code := range explain.Codes() {
		e, _ := explain.Find(code)
		if e.Checked != "config" {
			continue
		}
		checked++
		for _, b := range e.Blocks {
			switch got := codes(b.Text); {
			case b.Is("bad") && !slices.Contains(got, code):
				t.Errorf("%s: the wrong example has %q", code, got)
			case b.Is("good") && len(got) > 0:
				t.Errorf("%s: the right example has %q", code, got)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d pages were checked", checked)
	}
}
