package fileimport

import (
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

// BenchmarkKeepRow is what a row costs that needs a record of its own: its body as JSON, its hash.
func BenchmarkKeepRow(b *testing.B) {
	run := &fileRun{source: sources.File{ID: "1", Rule: "visits", Name: "visits.csv"}}
	row := &fileRow{run: run, number: 7, line: 8, id: "form-1", key: "case-1", outcome: failed(nil)}
	row.body = map[string]any{
		"id": "form-1", "person": "case-1", "n": "17", "keep": "yes", "first_name": "Amina", "last_name": "Wanjiru",
		"birth": "1994-03-01", "sex": "female",
		"phone": "+254700000000", "facility": "Ngelehun CHC", "visited": "2026-02-11", "state": "normal",
		"pressure": "120/80", "temperature": "36.6",
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := row.record(time.Time{}, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
