package console

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
)

// functions are what templates may call.
func (s *Console) functions(l *language.Language) template.FuncMap {
	number := func(n int64) string { return localNumber(l, n) }
	return template.FuncMap{
		"time": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return l.Moment(t.Local())
		},
		"ago": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return l.Text(words(s.c.Now().Sub(t)) + " ago")
		},
		"length":    func(d time.Duration) string { return l.Text(words(d)) },
		"languages": func() []language.Choice { return language.Choices(l) },
		"lag":       func(d time.Duration) string { return l.Text(lag(d)) },
		"rows":      func(text string) int { return min(max(strings.Count(text, "\n")+2, 8), 30) },
		"iso":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"number":    number,
		"rate":      func(f float64) string { return strings.Replace(fmt.Sprintf("%.1f", f), ".", l.Decimal(), 1) },
		"segment":   url.PathEscape,
		"chart":     func(s series) template.HTML { return s.chart(l) },
		"spark":     func(s series) template.HTML { return s.spark(l) },
		"word":      l.Word,
		"capital":   func(text string) string { return capital(l.Text(text)) },
		"prose":     func(text string) template.HTML { return prose(l.Text(text)) },
		"add":       func(a, b int) int { return a + b },
		"fields":    func(title string, fields []Field, t *Trace) fieldTable { return fieldTable{title, fields, t != nil} },
		"parts":     func(server, title string, parts []Object) partTable { return partTable{server, title, parts} },
		"leaves":    leaves,
		"target":    func(kind, name string, paused bool) target { return target{kind, name, paused} },
		"called":    func(o Object) called { return called{o.Name, o.Names.In(l.Code())} },
		"unit":      s.c.Running.UnitName,
		"states":    func() []journal.State { return states },
	}
}

// lag gives how long records were on their way.
func lag(d time.Duration) string {
	if d < time.Second {
		return "under a second"
	}
	return words(d)
}

// words gives a length of time in its largest unit.
func words(d time.Duration) string {
	unit := func(n int, name string) string {
		if n == 1 {
			return "1 " + name
		}
		return fmt.Sprintf("%d %ss", n, name)
	}
	switch {
	case d < 2*time.Minute:
		return unit(int(max(d, 0).Seconds()), "second")
	case d < 2*time.Hour:
		return unit(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return unit(int(d.Hours()), "hour")
	}
	return unit(int(d.Hours()/24), "day")
}

// states are those of records, as searches offer them.
var states = []journal.State{journal.Pending, journal.Held, journal.Delivered, journal.Skipped, journal.Failed,
	journal.Dismissed, journal.Superseded}

// target is a rule or server that can be paused.
type target struct {
	Kind, Name string
	Paused     bool
}

// number writes a count with its thousands apart, as English does.
func number(n int64) string { return localNumber(nil, n) }

// localNumber writes a count with its thousands apart.
func localNumber(l *language.Language, n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + l.Thousand() + text[i:]
	}
	return text
}

// fieldTable is a table of a rule's fields; Values tells whether there are values of a sample.
type fieldTable struct {
	Title  string
	Fields []Field
	Values bool
}

// partTable is a table of what an object of the metadata is made of.
type partTable struct {
	Server, Title string
	Parts         []Object
}

// called is what an object is called: in the rules, and in the visitor's language where DHIS2 knows that.
type called struct{ Name, Here string }

// leaves gives the parts that are no stages.
func leaves(parts []Object) []Object {
	return slices.DeleteFunc(slices.Clone(parts), func(o Object) bool { return o.Kind == "program stage" })
}

// lines gives a text line by line.
func lines(text string) []string {
	return strings.Split(strings.TrimRight(text, "\n"), "\n")
}

// capital begins a sentence.
func capital(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// prose sets what stands between backticks as code.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // every part is escaped
}
