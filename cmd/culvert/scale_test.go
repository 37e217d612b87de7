package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/scale"
)

// TestScale rehearses a very small country, with its outage: every form and every row arrives once,
// a night on which little has changed sends little, and each figure of the report is there.
func TestScale(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	o := scale.Options{Dir: filepath.Join(t.TempDir(), "scale"), Out: &said, Factors: []float64{0.0002, 0.0005}, Days: 2,
		Outage: 2, Peak: time.Second, Program: program, Env: []string{asChild + "=1"}}
	results, err := scale.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	// 500 rows of cases, and the forms of the peak, two days and the outage.
	r := results[1]
	if sent := 1 + 2*120 + 2*120; r.Events != 500+sent || r.People != 3*sent/10+1 {
		t.Errorf("DHIS2 holds %d events and %d people of %d forms and 500 rows", r.Events, r.People, sent)
	}
	// A form or two can be under way when those that wait are counted.
	if r.Outage.Backlog < 2*120-10 || r.Outage.Backlog > 2*120 || len(r.Days) != 2 || r.Days[1].Night <= 0 || r.PeakLag.P99 <= 0 || r.Memory <= 0 ||
		r.Journal <= 0 || r.CPU <= 0 {
		t.Errorf("figures are missing: %+v", r)
	}
	var table, text bytes.Buffer
	if err := scale.Report(&table, results); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.02 %", "0.05 %", "outage: forms that waited", strconv.FormatInt(int64(r.Outage.Backlog), 10), "× 2.5", "A day of this machine"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	if err := scale.JSON(&text, results); err != nil || !json.Valid(text.Bytes()) {
		t.Errorf("the JSON is none: %v", err)
	}
	// Its folder is its own to empty, and no other.
	o.Dir, o.Factors = t.TempDir(), o.Factors[:1]
	if err := os.MkdirAll(filepath.Join(o.Dir, "at-0.02", "ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := scale.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--into") {
		t.Errorf("a folder of somebody else: %v", err)
	}
}

func TestFactors(t *testing.T) {
	for text, want := range map[string][]float64{"1%": {0.01}, "0.1%, 10": {0.001, 0.1}} {
		got, err := factorsOf(text)
		if err != nil || len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0%", "-1%", "x", "2000%", "NaN"} {
		if got, err := factorsOf(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
