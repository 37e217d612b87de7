package expression

import (
	"fmt"
	"strings"
	"time"
)

// layout is a compiled date format: a pattern of letters such as dd/MM/yyyy, as in Java and spreadsheets.
type layout struct {
	pattern string
	tokens  []layoutToken
}

// layoutToken is a run of one letter, or literal text when letter is 0.
type layoutToken struct {
	letter rune
	count  int
	text   string
}

// layoutLetters are the letters of patterns with the largest number of them in a row, and what they stand for.
var layoutLetters = []struct {
	letter rune
	most   int
	what   string
}{
	{'y', 4, "year (yy or yyyy)"}, {'M', 4, "month (M, MM, MMM or MMMM)"}, {'d', 2, "day"}, {'E', 4, "weekday (EEE or EEEE)"},
	{'H', 2, "hour"}, {'h', 2, "hour to 12"}, {'m', 2, "minute"}, {'s', 2, "second"}, {'S', 9, "fraction of a second"},
	{'a', 1, "AM or PM"}, {'Z', 1, "zone as +0300"}, {'X', 3, "zone as +03:00 or Z"},
}

// compileLayout reads a pattern. Letters that mean nothing are refused; literal letters stand between apostrophes.
func compileLayout(pattern string) (any, error) {
	l := &layout{pattern: pattern}
	runes := []rune(pattern)
	if len(runes) == 0 || len(runes) > 100 {
		return nil, fail(CodeWrongValue, "a date format has 1 to 100 characters", `such as "dd/MM/yyyy"`)
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
				return nil, fail(CodeWrongValue, "the date format has an apostrophe without its partner", "")
			}
			text := string(runes[i+1 : end])
			if text == "" {
				text = "'"
			}
			l.tokens = append(l.tokens, layoutToken{text: text})
			i = end + 1
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			n := 1
			for i+n < len(runes) && runes[i+n] == r {
				n++
			}
			if err := checkLetters(r, n); err != nil {
				return nil, err
			}
			l.tokens = append(l.tokens, layoutToken{letter: r, count: n})
			i += n
		default:
			l.tokens = append(l.tokens, layoutToken{text: string(r)})
			i++
		}
	}
	return l, nil
}

func checkLetters(r rune, n int) error {
	for _, known := range layoutLetters {
		if known.letter == r && n <= known.most && (r != 'y' || n%2 == 0) {
			return nil
		}
	}
	mend := "the letters are y M d E H h m s S a Z X; other letters stand between apostrophes, as in 'T'"
	switch {
	case r == 'Y':
		mend = "the year is written with small letters: yyyy"
	case r == 'D':
		mend = "the day of the month is written with small letters: dd"
	case r == 'y':
		mend = "the year is yyyy, or yy for two digits"
	}
	return fail(CodeWrongValue, fmt.Sprintf("%s is not a part of a date format", strings.Repeat(string(r), n)), mend)
}

func (l *layout) format(t time.Time) string {
	var b strings.Builder
	for _, tok := range l.tokens {
		b.WriteString(tok.format(t))
	}
	return b.String()
}

func (tok layoutToken) format(t time.Time) string {
	padded := func(n int) string { return fmt.Sprintf("%0*d", tok.count, n) }
	switch tok.letter {
	case 'y':
		if tok.count == 2 {
			return padded(t.Year() % 100)
		}
		return padded(t.Year())
	case 'M':
		switch tok.count {
		case 3:
			return t.Month().String()[:3]
		case 4:
			return t.Month().String()
		}
		return padded(int(t.Month()))
	case 'd':
		return padded(t.Day())
	case 'E':
		if tok.count < 4 {
			return t.Weekday().String()[:3]
		}
		return t.Weekday().String()
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
