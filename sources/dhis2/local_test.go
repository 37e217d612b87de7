package dhis2

import (
	"testing"
	"time"
)

// A time of the rule is meant in UTC, and asked for in the server's zone: west of it too.
func TestTimesOfTheServer(t *testing.T) {
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	since := time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC)
	for clock, want := range map[string]string{
		"2026-03-05T15:00:04.000": "2026-03-01T04:00:00.000", // Nairobi
		"2026-03-05T17:44:58.000": "2026-03-01T06:45:00.000", // Kathmandu
		"2026-03-05T06:00:00.000": "2026-02-28T19:00:00.000", // Guatemala
		"":                        "2026-03-01T01:00:00.000",
	} {
		if got := (info{now: clock}).local(since, now).Format(stamp); got != want {
			t.Errorf("at %q it is %s, want %s", clock, got, want)
		}
	}
}
