package project

import (
	"slices"
	"testing"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"

	"github.com/culvert/culvert/rules/diag/explain"
)

// TestConfigPagesSayTheTruth runs the examples of the pages on culvert.yaml: the wrong one has the
// code, the right one has no finding.
func TestConfigPagesSayTheTruth(t *testing.T) {
	codes := func(text string) []string {
		_, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(text))
		var codes []string
		checkFindingsSaid(t, findings)
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

// TestTriggerPagesSayTheTruth lays the examples of pages on triggers that get in each other's way beside the wrong one.
func TestTriggerPagesSayTheTruth(t *testing.T) {
	env := rules.Environment{}
	for _, k := range SourceKinds() {
		env.TriggerKinds = append(env.TriggerKinds, sources.TriggerKind(k))
	}
	load := func(path, text string) *rules.Rule {
		r, findings := rules.Load(path, []byte(text+"id: trigger.id\nactions:\n  - dhis2.event: {program: X}\n"), env)
		if r == nil || findings.List.HasErrors() {
			t.Fatal(findings.List)
		}
		return r
	}
	checked := 0
	for _, code := range explain.Codes() {
		e, _ := explain.Find(code)
		if e.Checked != "triggers" {
			continue
		}
		checked++
		texts := map[bool]string{}
		for _, b := range e.Blocks {
			texts[b.Is("bad")] = b.Text
		}
		for _, wrong := range []bool{true, false} {
			found := checkTogether([]*rules.Rule{load("rules/a.yaml", texts[true]), load("rules/b.yaml", texts[wrong])},
				nil, SourceKinds())
			checkFindingsSaid(t, found)
			if has := slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Code == code }); has != wrong {
				t.Errorf("%s: of the example that is wrong (%v) it is said: %v", code, wrong, has)
			}
		}
	}
	if checked < 2 {
		t.Errorf("only %d pages were checked", checked)
	}
}
