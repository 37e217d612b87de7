package project

import (
	"fmt"
	"strings"
	"time"
)

// Window is a daily stretch of time during which a server may be sent to; From after Until spans midnight.
type Window struct{ From, Until time.Duration }

// ParseWindow reads "18:00-06:00".
func ParseWindow(s string) (Window, error) {
	from, until, ok := strings.Cut(s, "-")
	if !ok {
		return Window{}, fmt.Errorf("%q is not a window of time", s)
	}
	f, err := clock(from)
	if err != nil {
		return Window{}, err
	}
	u, err := clock(until)
	if err != nil {
		return Window{}, err
	}
	if f == u {
		return Window{}, fmt.Errorf("the window %q begins and ends at the same time", s)
	}
	return Window{From: f, Until: u}, nil
}

func clock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day", strings.TrimSpace(s))
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Open tells whether t lies in the window, in t's own zone.
func (w Window) Open(t time.Time) bool {
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	if w.From < w.Until {
		return at >= w.From && at < w.Until
	}
	return at >= w.From || at < w.Until
}
