// Package dateformat reads and writes dates in the formats that people describe, such as
// dd/MM/yyyy, and reads ISO dates.
//
// A format is a pattern of letters as in Java and spreadsheets: y year, M month, d day, E weekday,
// H hour, h hour to 12, m minute, s second, S fraction of a second, a AM or PM, Z zone as +0300, X
// zone as +03:00 or Z. Other letters stand between apostrophes. A date that does not exist, such as
// 30 February, is refused.
package dateformat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/calendar"
	"github.com/culvert/culvert/rules/diag"
)

// Format is a compiled date format: a pattern of letters such as dd/MM/yyyy, as in Java and spreadsheets.
type Format struct {
	pattern  string
	tokens   []token
	words    *words             // of the months and weekdays
	calendar *calendar.Calendar // nil is the Gregorian one
}

// token is a run of one letter, or literal text when letter is 0.
type token struct {
	letter rune
	count  int
	text   string
	from   int // of a year of two digits: the first of the hundred years that are meant; 0 where the format does not say
}

// letters are the letters of patterns with the largest number of them in a row, and what they stand for.
var letters = []struct {
	letter rune
	most   int
	what   string
}{
	{'y', 4, "year (yy or yyyy)"}, {'M', 4, "month (M, MM, MMM or MMMM)"}, {'d', 2, "day"},
	{'E', 4, "weekday (EEE or EEEE)"},
	{'H', 2, "hour"}, {'h', 2, "hour to 12"}, {'m', 2, "minute"}, {'s', 2, "second"}, {'S', 9, "fraction of a second"},
	{'a', 1, "AM or PM"}, {'Z', 1, "zone as +0300"}, {'X', 3, "zone as +03:00 or Z"},
}

// Compile reads a pattern. Letters that mean nothing are refused; literal letters stand between apostrophes.
func Compile(pattern string) (*Format, error) {
	f := &Format{pattern: pattern, words: languages()["en"]}
	runes := []rune(pattern)
	if len(runes) == 0 || len(runes) > 100 {
		return nil, fail("a date format has 1 to 100 characters", `such as "dd/MM/yyyy"`)
	}
	for i := 0; i < len(runes); {
		r := runes[i]
		switch {
		case r == '\'':
			end := i + 1
			for end < len(runes) && runes[end] != '\'' {
				end++
			}
			if end == len(runes) {
				return nil, fail("the date format has an apostrophe without its partner", "")
			}
			text := string(runes[i+1 : end])
			if text == "" {
				text = "'"
			}
			f.tokens = append(f.tokens, token{text: text})
			i = end + 1
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			n := 1
			for i+n < len(runes) && runes[i+n] == r {
				n++
			}
			if err := checkLetters(r, n); err != nil {
				return nil, err
			}
			tok := token{letter: r, count: n}
			i += n
			if r == 'y' && n == 2 {
				first, size, err := pivot(runes[i:])
				if err != nil {
					return nil, err
				}
				tok.from = first
				i += size
			}
			f.tokens = append(f.tokens, tok)
		default:
			f.tokens = append(f.tokens, token{text: string(r)})
			i++
		}
	}
	return f, nil
}

// pivot reads the year in braces behind yy: yy{1930} means the hundred years from 1930 on.
func pivot(rest []rune) (year, size int, err error) {
	if len(rest) == 0 || rest[0] != '{' {
		return 0, 0, nil
	}
	if len(rest) >= 6 && rest[5] == '}' {
		if n, err := strconv.Atoi(string(rest[1:5])); err == nil && n >= 1000 && n <= 9900 {
			return n, 6, nil
		}
	}
	return 0, 0, fail("the braces behind yy hold no year",
		"write the first of the hundred years that are meant, as in yy{1930}")
}

// Century gives an error where a format reads years of two digits and does not say which hundred
// years they are of: 45 may be 1945 or 2045.
func (f *Format) Century() error {
	for _, tok := range f.tokens {
		if tok.letter == 'y' && tok.count == 2 && tok.from == 0 {
			return fail("reads years of two digits, and does not say which hundred years they are of",
				"write the first of them in braces: yy{1930} reads 30 to 99 as 1930 to 1999, and 00 to 29 as 2000 to 2029")
		}
	}
	return nil
}

func checkLetters(r rune, n int) error {
	for _, known := range letters {
		if known.letter == r && n <= known.most && (r != 'y' || n%2 == 0) {
			return nil
		}
	}
	hint := "the letters are y M d E H h m s S a Z X; other letters stand between apostrophes, as in 'T'"
	switch {
	case r == 'Y':
		hint = "the year is written with small letters: yyyy"
	case r == 'D':
		hint = "the day of the month is written with small letters: dd"
	case r == 'y':
		hint = "the year is yyyy, or yy for two digits"
	}
	return fail(fmt.Sprintf("%s is not a part of a date format", strings.Repeat(string(r), n)), hint)
}

// Write gives a date in the format; "" where the format's calendar is not known for that day.
func (f *Format) Write(t time.Time) string {
	year, month, day := t.Date()
	date := calendar.Date{Year: year, Month: int(month), Day: day}
	if f.calendar != nil {
		var err error
		if date, err = f.calendar.Of(t); err != nil {
			return ""
		}
	}
	var b strings.Builder
	for _, tok := range f.tokens {
		b.WriteString(tok.format(t, date, f.words))
	}
	return b.String()
}

func (tok token) format(t time.Time, date calendar.Date, w *words) string {
	padded := func(n int) string { return fmt.Sprintf("%0*d", tok.count, n) }
	switch tok.letter {
	case 'y':
		if tok.count == 2 {
			return padded(date.Year % 100)
		}
		return padded(date.Year)
	case 'M':
		switch tok.count {
		case 3:
			return w.shortMonths[date.Month-1]
		case 4:
			return w.months[date.Month-1]
		}
		return padded(date.Month)
	case 'd':
		return padded(date.Day)
	case 'E':
		weekday := (int(t.Weekday()) + 6) % 7
		if tok.count < 4 {
			return w.shortWeekdays[weekday]
		}
		return w.weekdays[weekday]
	case 'H':
		return padded(t.Hour())
	case 'h':
		return padded((t.Hour()+11)%12 + 1)
	case 'm':
		return padded(t.Minute())
	case 's':
		return padded(t.Second())
	case 'S':
		return fmt.Sprintf("%09d", t.Nanosecond())[:tok.count]
	case 'a':
		if t.Hour() < 12 {
			return "AM"
		}
		return "PM"
	case 'Z':
		return t.Format("-0700")
	case 'X':
		return t.Format("Z07:00")
	}
	return tok.text
}

// Error is a format that cannot be used, or a text that is not a date. Its words hold nothing of the text.
type Error struct{ diag.Problem }

// Error gives the message alone, for it stands in the middle of a sentence.
func (e *Error) Error() string { return e.Message }

func fail(message, hint string) error { return &Error{diag.Problem{Message: message, Hint: hint}} }
