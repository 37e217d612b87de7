package window

import (
	"testing"
	"time"
)

func TestDaily(t *testing.T) {
	for text, open := range map[string]map[string]bool{
		"18:00-06:00": {"18:00": true, "23:59": true, "05:59": true, "06:00": false, "12:00": false},
		"08:00-17:30": {"07:59": false, "08:00": true, "17:29": true, "17:30": false},
		"20:00-24:00": {"20:00": true, "23:59": true, "00:00": false},
	} {
		w, err := ParseDaily(text)
		if err != nil {
			t.Fatal(err)
		}
		for at, want := range open {
			when, _ := time.Parse("15:04", at)
			if w.Open(when) != want {
				t.Errorf("%s at %s: %v", text, at, !want)
			}
		}
	}
	for _, text := range []string{"", "18:00", "25:00-06:00", "18:00-18:00", "6-7", "18:00-6:00 pm"} {
		if _, err := ParseDaily(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestDays(t *testing.T) {
	for text, want := range map[string]int{"mon": 1, "Monday": 1, "mon-fri": 5, "sat-thu": 6, "fri-mon": 4, "sun-sat": 7,
		"thurs": 1} {
		if list, err := ParseDays(text); err != nil || len(list) != want {
			t.Errorf("%s: %v %v", text, list, err)
		}
	}
	for _, text := range []string{"", "m", "monday-", "lundi", "mo", "mondays", "mon-xyz"} {
		if _, err := ParseDays(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestWeekly asks over midnight, over the change of the clocks and on days that are left out.
func TestWeekly(t *testing.T) {
	zone, err := time.LoadLocation("Africa/Nairobi")
	if err != nil {
		t.Fatal(err)
	}
	night, _ := ParseDaily("22:00-06:00")
	noon, _ := ParseDaily("12:00-13:00")
	weekdays, _ := ParseDays("mon-fri")
	w := &Weekly{Hours: []Daily{night, noon}, Days: weekdays, Zone: zone}
	at := func(text string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return x.UTC()
	}
	for text, want := range map[string]bool{
		"2026-03-06 23:00": true,  // Friday
		"2026-03-07 05:00": true,  // Saturday, in the night that began on Friday
		"2026-03-07 12:30": false, // Saturday
		"2026-03-09 05:00": false, // Monday, in a night that began on Sunday
		"2026-03-09 12:30": true,
		"2026-03-09 14:00": false,
	} {
		if w.Open(at(text)) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	for from, want := range map[string]string{
		"2026-03-07 07:00": "2026-03-09 12:00", "2026-03-09 12:00": "2026-03-09 22:00", "2026-03-06 12:59": "2026-03-06 22:00",
	} {
		if next := w.Next(at(from)); !next.Equal(at(want)) {
			t.Errorf("after %s: %s", from, next.In(zone))
		}
	}
	saturday := &Weekly{Days: []time.Weekday{time.Saturday}, Zone: zone}
	if !saturday.Open(at("2026-03-07 00:00")) || saturday.Open(at("2026-03-08 00:00")) ||
		!saturday.Next(at("2026-03-07 00:00")).Equal(at("2026-03-14 00:00")) {
		t.Error("a whole day")
	}
	if never := (&Weekly{Zone: zone}); never.Open(at("2026-03-07 00:00")) || !never.Next(at("2026-03-07 00:00")).IsZero() {
		t.Error("a window without days opens")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("18:00-06:00", "mon-fri")
	f.Fuzz(func(t *testing.T, hours, days string) {
		h, err := ParseDaily(hours)
		d, derr := ParseDays(days)
		if err != nil || derr != nil {
			return
		}
		w := &Weekly{Hours: []Daily{h}, Days: d, Zone: time.UTC}
		start := time.Date(2026, 3, 7, 9, 13, 0, 0, time.UTC)
		if next := w.Next(start); next.IsZero() || !w.Open(next) {
			t.Errorf("%q on %q never opens, or not when it says: %s", hours, days, next)
		}
	})
}

// TestNextWhereClocksArePutForward opens with the first moment after the hour that no clock shows.
func TestNextWhereClocksArePutForward(t *testing.T) {
	for name, c := range map[string]struct{ hours, from, want string }{
		"Africa/Cairo":     {"00:15-06:00", "2026-04-23T20:00:00Z", "2026-04-23T22:00:00Z"},
		"America/New_York": {"02:30-06:00", "2026-03-08T05:00:00Z", "2026-03-08T07:00:00Z"},
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		hours, err := ParseDaily(c.hours)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339, c.from)
		w := &Weekly{Hours: []Daily{hours}, Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, Zone: zone}
		next := w.Next(from)
		if next.UTC().Format(time.RFC3339) != c.want || !w.Open(next) || w.Open(next.Add(-time.Second)) {
			t.Errorf("%s: %s", name, next.UTC())
		}
	}
}
