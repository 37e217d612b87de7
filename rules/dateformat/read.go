package dateformat

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/calendar"
)

// reading is the state of reading a text.
type reading struct {
	rest                                string
	year, month, day, hour, minute, sec int
	nano                                int
	pm, twelve                          bool
	zone                                *time.Location
	words                               *words
}

// Parse reads a date in the format, in the zone unless the text has its own.
func (f *Format) Parse(s string, zone *time.Location) (time.Time, error) {
	r := &reading{rest: strings.TrimSpace(s), year: 1970, month: 1, day: 1, words: f.words}
	for i, tok := range f.tokens {
		next := rune(0)
		if i+1 < len(f.tokens) {
			next = f.tokens[i+1].letter
		}
		if !r.read(tok, next) {
			return time.Time{}, fail(fmt.Sprintf("the text is not a date of the format %q", f.pattern), "")
		}
	}
	if r.rest != "" {
		return time.Time{}, fail(fmt.Sprintf("the text goes on after a date of the format %q", f.pattern), "")
	}
	if r.twelve {
		if r.hour < 1 || r.hour > 12 {
			return time.Time{}, ErrNoSuchDay
		}
		r.hour %= 12
		if r.pm {
			r.hour += 12
		}
	}
	if f.calendar != nil {
		day, err := f.calendar.Gregorian(calendar.Date{Year: r.year, Month: r.month, Day: r.day})
		if err != nil {
			return time.Time{}, ErrNoSuchDay
		}
		r.year, r.month, r.day = day.Year(), int(day.Month()), day.Day()
	}
	return r.time(zone)
}

// Reads tells whether a text is a date of the format.
func (f *Format) Reads(s string) bool {
	_, err := f.Parse(s, time.UTC)
	return err == nil
}

// ErrNoSuchDay is the error of 30 February and of half past 25.
var ErrNoSuchDay = fail("the date does not exist in the calendar", "")

// time makes the date, and refuses 30 February instead of making it 1 March.
func (r *reading) time(zone *time.Location) (time.Time, error) {
	plain := time.Date(r.year, time.Month(r.month), r.day, r.hour, r.minute, r.sec, r.nano, time.UTC)
	if plain.Year() != r.year || int(plain.Month()) != r.month || plain.Day() != r.day || r.hour > 23 || r.minute > 59 ||
		r.sec > 59 || r.year < 1 {
		return time.Time{}, ErrNoSuchDay
	}
	if r.zone != nil {
		t := time.Date(r.year, time.Month(r.month), r.day, r.hour, r.minute, r.sec, r.nano, r.zone).In(zone)
		if t.Year() < 1 || t.Year() > 9999 {
			return time.Time{}, ErrNoSuchDay
		}
		return t, nil
	}
	if r.hour == 0 && r.minute == 0 && r.sec == 0 && r.nano == 0 {
		return DayStart(r.year, time.Month(r.month), r.day, zone), nil
	}
	return time.Date(r.year, time.Month(r.month), r.day, r.hour, r.minute, r.sec, r.nano, zone), nil
}

// read takes one token off the text. A number that is followed by another one without anything
// between has exactly its digits.
func (r *reading) read(tok token, next rune) bool {
	if tok.letter == 0 {
		rest, ok := strings.CutPrefix(r.rest, tok.text)
		r.rest = rest
		return ok
	}
	least, most := 1, 2
	if tok.count == 2 || next != 0 && !strings.ContainsRune("aEZX", next) {
		least = tok.count
	}
	if least > 1 || next != 0 && !strings.ContainsRune("aEZX", next) {
		most = max(least, tok.count)
	}
	switch tok.letter {
	case 'y':
		if tok.count == 2 {
			if !r.number(&r.year, 2, 2) {
				return false
			}
			// Where the format does not say, as in POSIX: 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068.
			from := cmp.Or(tok.from, 1969)
			if r.year += from - from%100; r.year < from {
				r.year += 100
			}
			return true
		}
		return r.number(&r.year, 4, 4)
	case 'M':
		if tok.count >= 3 {
			return r.month3(tok.count)
		}
		return r.number(&r.month, least, most)
	case 'd':
		return r.number(&r.day, least, most)
	case 'E':
		ok := r.word(r.words.isWeekday)
		r.rest = strings.TrimPrefix(r.rest, "-feira") // of a Portuguese weekday
		return ok
	case 'H':
		return r.number(&r.hour, least, most)
	case 'h':
		r.twelve = true
		return r.number(&r.hour, least, most)
	case 'm':
		return r.number(&r.minute, least, most)
	case 's':
		return r.number(&r.sec, least, most)
	case 'S':
		return r.fraction(tok.count)
	case 'a':
		return r.word(func(w string) bool { r.pm = strings.EqualFold(w, "PM"); return r.pm || strings.EqualFold(w, "AM") })
	}
	return r.offset()
}

// number reads least to most digits.
func (r *reading) number(into *int, least, most int) bool {
	n := 0
	*into = 0
	for n < most && n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		*into = *into*10 + int(r.rest[n]-'0')
		n++
	}
	r.rest = r.rest[n:]
	return n >= least
}

// fraction reads digits after a second: as many as the pattern has, or all there are when it has three or more.
func (r *reading) fraction(count int) bool {
	n := 0
	for n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' && (n < count || count >= 3) {
		n++
	}
	if n == 0 {
		return false
	}
	digits := (r.rest[:n] + "000000000")[:9]
	r.rest = r.rest[n:]
	r.nano = 0
	for _, d := range digits {
		r.nano = r.nano*10 + int(d-'0')
	}
	return true
}

func (r *reading) month3(count int) bool {
	return r.word(func(w string) bool {
		r.month = r.words.monthOf(w, count == 3)
		return r.month != 0
	})
}

// word reads letters, and a point after them as in "Jan.".
func (r *reading) word(fits func(string) bool) bool {
	n := 0
	for n < len(r.rest) {
		c, size := utf8.DecodeRuneInString(r.rest[n:])
		if !unicode.IsLetter(c) {
			break
		}
		n += size
	}
	w := r.rest[:n]
	r.rest = strings.TrimPrefix(r.rest[n:], ".")
	return n > 0 && fits(w)
}

// offset reads Z, +03, +0300 or +03:00.
func (r *reading) offset() bool {
	if rest, ok := strings.CutPrefix(r.rest, "Z"); ok {
		r.rest, r.zone = rest, time.UTC
		return true
	}
	if r.rest == "" || r.rest[0] != '+' && r.rest[0] != '-' {
		return false
	}
	sign := 1
	if r.rest[0] == '-' {
		sign = -1
	}
	r.rest = r.rest[1:]
	var hours, minutes int
	if !r.number(&hours, 2, 2) || hours > 18 {
		return false
	}
	after, colon := strings.CutPrefix(r.rest, ":")
	if colon {
		r.rest = after
	}
	if r.rest != "" && r.rest[0] >= '0' && r.rest[0] <= '9' {
		if !r.number(&minutes, 2, 2) || minutes > 59 {
			return false
		}
	} else if colon {
		return false
	}
	r.zone = time.FixedZone("", sign*(hours*3600+minutes*60))
	return true
}

// ParseISO reads a date as computers write it: 2026-08-20, with or without a time after T or a
// space, with or without a zone. Without a zone it is in the zone given.
func ParseISO(s string, zone *time.Location) (time.Time, error) {
	r := &reading{rest: strings.TrimSpace(s)}
	ok := r.number(&r.year, 4, 4) && r.text("-") && r.number(&r.month, 2, 2) && r.text("-") && r.number(&r.day, 2, 2)
	if ok && r.rest != "" {
		ok = (r.text("T") || r.text(" ")) && r.number(&r.hour, 2, 2) && r.text(":") && r.number(&r.minute, 2, 2)
		if ok && r.text(":") {
			ok = r.number(&r.sec, 2, 2)
			if ok && (r.text(".") || r.text(",")) {
				ok = r.fraction(9)
			}
		}
		if ok && r.rest != "" {
			r.text(" ")
			ok = r.offset()
		}
	}
	if !ok || r.rest != "" {
		return time.Time{}, fail("the text is not a date such as 2026-08-20 or 2026-08-20T10:30:00Z",
			"describe another format, such as dd/MM/yyyy")
	}
	return r.time(zone)
}

func (r *reading) text(s string) bool {
	rest, ok := strings.CutPrefix(r.rest, s)
	r.rest = rest
	return ok
}

// DayStart is the first moment of a day. Where clocks are put forward at midnight that is one o'clock.
func DayStart(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	want := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	// Where the moment does not exist, time.Date may give one on the day before.
	for range 25 {
		if t.Day() == want.Day() {
			break
		}
		t = t.Add(time.Hour)
	}
	return t
}
