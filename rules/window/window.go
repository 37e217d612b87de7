// Package window reads and asks stretches of time that come again every day or on some days of the
// week: when a server may be sent to, or the records of a rule are sent.
package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Daily is a stretch of every day; From after Until spans midnight.
type Daily struct{ From, Until time.Duration }

// ParseDaily reads "18:00-06:00".
func ParseDaily(s string) (Daily, error) {
	from, until, ok := strings.Cut(s, "-")
	if !ok {
		return Daily{}, fmt.Errorf("%q is not a window of time", s)
	}
	f, err := ParseClock(from)
	if err != nil {
		return Daily{}, err
	}
	u, err := ParseClock(until)
	if err != nil {
		return Daily{}, err
	}
	if f == u {
		return Daily{}, fmt.Errorf("the window %q begins and ends at the same time", s)
	}
	return Daily{From: f, Until: u}, nil
}

// endOfDay may be written as the end of a window, though no clock shows it.
const endOfDay = "24:00"

// ParseClock reads a time of day: 07:30.
func ParseClock(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == endOfDay {
		return 0, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// Open tells whether t lies in the window, in t's own zone.
func (w Daily) Open(t time.Time) bool {
	open, _ := w.within(t)
	return open
}

// within tells whether t lies in the window, and whether that one began the day before.
func (w Daily) within(t time.Time) (open, begunBefore bool) {
	at := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	switch {
	case w.From < w.Until:
		return at >= w.From && at < w.Until, false
	case at >= w.From:
		return true, false
	}
	return at < w.Until, true
}

// Weekly is a set of stretches of time on some days of the week. The zero Weekly is never open.
type Weekly struct {
	Hours []Daily // none: the whole day
	Days  []time.Weekday
	Zone  *time.Location
}

// Open tells whether t lies in the window. A stretch that spans midnight belongs to the day on which
// it begins.
func (w *Weekly) Open(t time.Time) bool {
	t = t.In(w.Zone)
	if len(w.Hours) == 0 {
		return w.on(t.Weekday())
	}
	return slices.ContainsFunc(w.Hours, func(h Daily) bool {
		open, begunBefore := h.within(t)
		day := t.Weekday()
		if begunBefore {
			day = (day + 6) % 7
		}
		return open && w.on(day)
	})
}

func (w *Weekly) on(day time.Weekday) bool { return slices.Contains(w.Days, day) }

// Next gives the first moment after t at which the window opens; zero when it never does.
func (w *Weekly) Next(t time.Time) time.Time {
	var first time.Time
	local := t.In(w.Zone)
	hours := w.Hours
	if len(hours) == 0 {
		hours = []Daily{{}}
	}
	for ahead := range 9 {
		year, month, day := local.AddDate(0, 0, ahead).Date()
		if !w.on(time.Date(year, month, day, 12, 0, 0, 0, w.Zone).Weekday()) {
			continue
		}
		for _, h := range hours {
			at := moment(year, month, day, h.From, w.Zone)
			if at.After(t) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// moment gives when the clocks of a zone show a time of a day; where they are put over it, when that is done.
func moment(year int, month time.Month, day int, clock time.Duration, zone *time.Location) time.Time {
	at := time.Date(year, month, day, int(clock/time.Hour), int(clock/time.Minute)%60, 0, 0, zone)
	shown := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	if shown == clock {
		return at
	}
	if _, end := at.ZoneBounds(); at.Day() != day || shown < clock {
		return end
	}
	begin, _ := at.ZoneBounds()
	return begin
}

// days are the names of the days, the short ones as rules write them.
var days = map[string]time.Weekday{"mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday,
	"fri": time.Friday, "sat": time.Saturday, "sun": time.Sunday}

// ParseDays reads "mon", "monday", or a range such as "mon-fri" or "sat-thu".
func ParseDays(s string) ([]time.Weekday, error) {
	from, until, isRange := strings.Cut(s, "-")
	first, err := parseDay(from)
	if err != nil || !isRange {
		return []time.Weekday{first}, err
	}
	last, err := parseDay(until)
	if err != nil {
		return nil, err
	}
	list := []time.Weekday{first}
	for day := first; day != last; {
		day = (day + 1) % 7
		list = append(list, day)
	}
	return list, nil
}

func parseDay(s string) (time.Weekday, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) >= 3 {
		if day, ok := days[s[:3]]; ok && strings.HasPrefix(strings.ToLower(day.String()), s) {
			return day, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week", s)
}
