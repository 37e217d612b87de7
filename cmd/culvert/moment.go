package main

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/project"
)

// moment reads a point in time: a date, a time, or a length of time before now. Empty is the zero time.
func moment(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	d, err := project.ParseDuration(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q is neither a time nor a length of time: write 2026-03-02, 2026-03-02T18:30, "+
			"6h or 2d", flag, s)
	}
	return now.Add(-d), nil
}

// ago words how long something lies back.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return length(now.Sub(t)) + " ago"
}

// length words a length of time in one unit, or two where the second matters.
func length(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < 2*time.Minute:
		return count(int(d.Seconds()), "second", "seconds")
	case d < 2*time.Hour:
		return count(int(d.Minutes()), "minute", "minutes")
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour", "hours")
	}
	return count(int(d.Hours()/24), "day", "days")
}
