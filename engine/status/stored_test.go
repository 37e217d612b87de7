package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// fakeReader is a journal of which only the figures are read.
type fakeReader struct {
	Reader
	summary journal.Summary
	files   []journal.File
	err     error
	asked   int
}

func (f *fakeReader) Meta(context.Context, string) (string, error) { return "", nil }

func (f *fakeReader) Summary(context.Context) (journal.Summary, error) {
	f.asked++
	return f.summary, f.err
}

func (f *fakeReader) Files(_ context.Context, state journal.FileState) ([]journal.File, error) {
	if state != journal.FileOpen {
		return nil, errors.New("only open files are counted")
	}
	return f.files, f.err
}

func TestStoredFiguresSayWhatWaitsAndWhatHasFailedNow(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	j := &fakeReader{
		summary: journal.Summary{Size: 4096, Rules: []journal.RuleSummary{
			{Rule: "anc", Pending: 3, Held: 1, Failed: 2, Oldest: now.Add(-90 * time.Second)}, {Rule: "malaria"},
		}},
		files: []journal.File{{File: sources.File{Rule: "malaria"}, Rows: 100},
			{File: sources.File{Rule: "malaria"}, Rows: 7}},
	}
	reg := prometheus.NewPedanticRegistry()
	if err := RegisterStored(reg, j, "1.2.3", func() time.Time { return now }); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP culvert_journal_up 1 when the journal could be read for these figures.
# TYPE culvert_journal_up gauge
culvert_journal_up 1
# HELP culvert_oldest_pending_age_seconds How long the oldest pending record of a rule has waited; 0 when none waits.
# TYPE culvert_oldest_pending_age_seconds gauge
culvert_oldest_pending_age_seconds{rule="anc"} 90
culvert_oldest_pending_age_seconds{rule="malaria"} 0
# HELP culvert_open_files Dropped files that are being worked on.
# TYPE culvert_open_files gauge
culvert_open_files{rule="malaria"} 2
# HELP culvert_records Records that are not settled, now: pending, held, failed.
# TYPE culvert_records gauge
culvert_records{rule="anc",state="failed"} 2
culvert_records{rule="anc",state="held"} 1
culvert_records{rule="anc",state="pending"} 3
culvert_records{rule="malaria",state="failed"} 0
culvert_records{rule="malaria",state="held"} 0
culvert_records{rule="malaria",state="pending"} 0
`
	names := []string{"culvert_journal_up", "culvert_oldest_pending_age_seconds", "culvert_open_files", "culvert_records"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if j.asked != 1 {
		t.Errorf("the journal was read %d times", j.asked)
	}

	// Whoever asks again at once gets the same; later it is read anew, and one that cannot be read gives no old figures.
	if _, err := reg.Gather(); err != nil || j.asked != 1 {
		t.Errorf("read %d times, %v", j.asked, err)
	}
	now, j.err = now.Add(time.Minute), errors.New("the disk is gone")
	down := "# HELP culvert_journal_up 1 when the journal could be read for these figures.\n# TYPE culvert_journal_up " +
		"gauge\nculvert_journal_up 0\n"
	if err := testutil.GatherAndCompare(reg, strings.NewReader(down), names...); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("names against the conventions: %v, %v", problems, err)
	}
}
