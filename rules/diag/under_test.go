package diag

import "testing"

func TestReportUnderAFolder(t *testing.T) {
	place := Place{File: "rules/a.yaml", Range: Range{Start: Position{1, 2}, End: Position{1, 3}}}
	r := Report{
		Findings: List{{Problem: Problem{Code: "x", Place: place}, Related: []Related{{Place: place}},
			Fix: &Fix{Place: place}}},
		Files:  []string{"rules/a.yaml"},
		Source: func(file string) ([]byte, bool) { return []byte("text"), file == "rules/a.yaml" },
	}
	if got := r.Under("."); got.Findings[0].Place.File != "rules/a.yaml" {
		t.Errorf("the same folder gives %q", got.Findings[0].Place.File)
	}
	got := r.Under("forms/culvert")
	const want = "forms/culvert/rules/a.yaml"
	d := got.Findings[0]
	if d.Place.File != want || d.Related[0].Place.File != want || d.Fix.Place.File != want || got.Files[0] != want {
		t.Errorf("got %+v and %q", d, got.Files)
	}
	if _, ok := got.Source(want); !ok {
		t.Error("the source line is lost")
	}
	if r.Findings[0].Place.File != "rules/a.yaml" || r.Findings[0].Fix.Place.File != "rules/a.yaml" {
		t.Error("the report itself has changed")
	}
}
