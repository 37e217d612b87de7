package status

import (
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

// TestPauses tells what is paused, and asks about a pause that nobody made or that seems forgotten.
func TestPauses(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.Local)
	ago := func(d time.Duration) *controls.Pause {
		return &controls.Pause{Since: at.Add(-d), Who: "otto", Why: "the ministry asked"}
	}
	itself := ago(time.Minute)
	itself.Itself, itself.Why = true, "on_failure: stop, and a record has failed: no such option"
	o := Overview{At: at, Runners: []Runner{{Servers: []Server{{Name: "national", Waiting: 3}}}},
		Paused: &controls.Controls{
			Rules: map[string]*controls.Pause{
				"new": ago(time.Hour), "empty": ago(100 * time.Hour), "old": ago(25 * time.Hour), "strict": itself,
				"old@regional": ago(26 * time.Hour),
			},
			Servers: map[string]*controls.Pause{"national": ago(48 * time.Hour)},
		}}
	summary := journal.Summary{Rules: []journal.RuleSummary{{Rule: "new", Held: 2}, {Rule: "old", Held: 1},
		{Rule: "old@regional", Pending: 4}}}
	o.addPauses(summary)
	want := []string{
		"rule empty is paused since 2026-02-26 08:00, by otto: the ministry asked",
		"rule new is paused since 2026-03-02 11:00, by otto, 2 records wait: the ministry asked",
		"! rule old is paused since 2026-03-01 11:00, by otto, 5 records wait: the ministry asked",
		"! rule old@regional is paused since 2026-03-01 10:00, by otto, 4 records wait: the ministry asked",
		"! rule strict is paused since 2026-03-02 11:59: on_failure: stop, and a record has failed: no such option",
		"! server national is paused since 2026-02-28 12:00, by otto, 3 records wait: the ministry asked",
	}
	var got []string
	for _, p := range o.Pauses {
		text := p.What()
		if p.Concern {
			text = "! " + text
		}
		got = append(got, text)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	concerns := o.concerns(summary)
	if len(concerns) != 4 || concerns[0].Hint != "`culvert resume --rule old`" ||
		concerns[3].Hint != "`culvert resume --server national`" {
		t.Errorf("concerns %v", concerns)
	}
}
