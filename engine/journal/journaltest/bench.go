package journaltest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// searched is how many records the journal has that searches are measured in.
const searched = 1_000_000

// searchedFrom is when the first of them was received: ten a second.
var searchedFrom = time.Unix(1_772_438_400, 0)

// FillForSearch keeps a million settled records of ten rules, 200,000 of them failed for forty
// causes, and a backlog of a thousand.
func FillForSearch(b testing.TB, j journal.Journal) {
	b.Helper()
	const part = 5000
	for from := int64(0); from < searched; from += part {
		records := make([]*journal.Record, part)
		for i := range records {
			n := from + int64(i)
			r := Form(n)
			r.Received = searchedFrom.Add(time.Duration(n) * 100 * time.Millisecond)
			r.Rule, r.Body, r.Key = fmt.Sprintf("rule-%d", n%10), []byte(`{}`), fmt.Sprintf("case-%x", n%400_000)
			if n%5 == 3 {
				r.State, r.Problem = journal.Failed, &journal.Problem{Class: actions.ClassData,
					Problem: diag.Problem{Code: fmt.Sprintf("E%d", 1000+n%40), Message: "the value does not fit",
						Hint: "fix it"}}
			} else {
				r.State, r.Objects = journal.Delivered, []string{fmt.Sprintf("tei%08x", n%400_000), fmt.Sprintf("evt%08x", n)}
			}
			if n >= searched-1000 {
				r.State, r.Problem, r.Objects = journal.Pending, nil, nil
			}
			records[i] = r
		}
		if _, err := j.Append(context.Background(), records, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch measures what pages for people cost in a journal that FillForSearch filled.
func BenchmarkSearch(b *testing.B, j journal.Journal) {
	failed := []journal.State{journal.Failed}
	for _, c := range []struct {
		name string
		f    journal.Filter
	}{
		{"newest", journal.Filter{}},
		{"deep page", journal.Filter{Before: searched / 3}},
		{"record id", journal.Filter{Text: Form(4711).ID}},
		{"key", journal.Filter{Text: "case-1267"}},
		{"uid", journal.Filter{Text: "tei00001267"}},
		{"rule", journal.Filter{Rule: "rule-7"}},
		{"failed", journal.Filter{States: failed}},
		{"failed, deep page", journal.Filter{States: failed, Before: searched / 3}},
		{"failed of a rule", journal.Filter{States: failed, Rule: "rule-3"}},
		{"failed by code", journal.Filter{States: failed, Code: "E1013"}},
		{"failed by code and rule, deep page", journal.Filter{States: failed, Code: "E1013", Rule: "rule-3",
			Before: searched / 3}},
		{"pending", journal.Filter{States: []journal.State{journal.Pending}}},
		{"an hour", journal.Filter{Since: searchedFrom.Add(10 * time.Hour), Until: searchedFrom.Add(11 * time.Hour)}},
		{"failed in an hour", journal.Filter{States: failed, Since: searchedFrom.Add(10 * time.Hour),
			Until: searchedFrom.Add(11 * time.Hour)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				page, err := j.Search(b.Context(), c.f)
				if err != nil || len(page.Records) == 0 {
					b.Fatal(len(page.Records), err)
				}
			}
		})
	}
	for name, do := range map[string]func() error{
		"story":    func() error { _, err := j.Story(b.Context(), "tei00001267", 50); return err },
		"versions": func() error { _, err := j.Versions(b.Context(), "rule-1", Form(4711).ID); return err },
		"causes":   func() error { _, err := j.Causes(b.Context(), journal.Filter{Limit: 50}); return err },
		"summary":  func() error { _, err := j.Summary(b.Context()); return err },
		"figures": func() error {
			_, err := j.Figures(b.Context(), journal.FigureQuery{Width: journal.Hour, Since: time.Now().Add(-7 * journal.Day)})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
