package scaffold

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
)

// target is one field of DHIS2 that the rule may set.
type target struct {
	name, code string // as the rule is to write the name
	title      string // as DHIS2 shows it
	combo      string // category option combination, of a data element that is divided
	kind       value.Kind
	set        *metadata.OptionSet
	mandatory  bool
	generated  bool // DHIS2 makes the value: nobody is to join it

	field  *field
	reason string
	format string
	choice *choices
	// ask is why nothing is proposed although something is near: a question to whoever writes the rule.
	ask string
	// near is a field that may be meant.
	near *field
}

// matcher joins fields with targets, and only where it can say why.
type matcher struct {
	fields  []*field
	targets []*target
	common  []string // words that tell nothing, for all targets are about it: those of the program's name
	x       *metadata.Index
	context *value.Context
}

// join goes from what is certain to what is likely. What fits several is a question, and is not
// taken for something less likely later.
func (m *matcher) join() {
	open := slices.DeleteFunc(slices.Clone(m.fields), func(f *field) bool { return f.own })
	for _, level := range []func(*target, *field) string{m.sameName, m.nearlySameName, m.anotherWord} {
		type pair struct {
			t      *target
			f      *field
			reason string
		}
		var pairs []pair
		ofTarget, ofField := map[*target][]*field{}, map[*field][]*target{}
		for _, t := range m.targets {
			if t.field != nil || t.ask != "" {
				continue
			}
			for _, f := range open {
				if reason := level(t, f); reason != "" {
					pairs = append(pairs, pair{t, f, reason})
					ofTarget[t], ofField[f] = append(ofTarget[t], f), append(ofField[f], t)
				}
			}
		}
		for _, p := range pairs {
			switch {
			case len(ofTarget[p.t]) > 1:
				p.t.ask = "which of " + exprs(ofTarget[p.t]) + " is it?"
			case len(ofField[p.f]) > 1:
				p.t.ask = p.f.expr + " may be this or " + others(ofField[p.f], p.t) + ": which?"
			default:
				m.take(p.t, p.f, p.reason)
			}
		}
		open = slices.DeleteFunc(open, func(f *field) bool { return len(ofField[f]) > 0 })
	}
	for _, t := range m.targets {
		if t.field == nil && t.ask == "" {
			t.near = m.nearest(t, open)
		}
	}
}

func exprs(fields []*field) string {
	var list []string
	for _, f := range fields {
		list = append(list, f.expr)
	}
	return strings.Join(list, ", ")
}

func others(targets []*target, but *target) string {
	var list []string
	for _, t := range targets {
		if t != but && len(list) < 4 {
			list = append(list, fmt.Sprintf("%q", t.title))
		}
	}
	return strings.Join(list, ", ")
}

// take joins a field with a target, if what the sample holds fits its type.
func (m *matcher) take(t *target, f *field, reason string) {
	if p := t.kind.Unsupported(); p != nil {
		t.ask = p.Message
		return
	}
	if f.open != "" && (t.set != nil || !slices.Contains(textTypes, t.kind.Type)) {
		t.ask = fmt.Sprintf("%s is %s, but in the form it is a %s, of which anything can come", f.expr, reason, f.open)
		return
	}
	if want, have := unitIn(t.title), f.unit(); want != "" && have != "" && want != have {
		t.ask = fmt.Sprintf("%s is %s, but it counts in %s and DHIS2 in %s: convert it", f.expr, reason, have, want)
		return
	}
	if t.set != nil {
		c := m.choicesOf(t, f)
		if len(c.unknown) > 0 {
			t.ask, t.choice = fmt.Sprintf("%s is %s, and no option is like %s", f.expr, reason, quoted(c.unknown)), c
			return
		}
		t.field, t.reason, t.choice = f, reason, c
		return
	}
	fits, format, ask := m.fits(t.kind, f)
	if !fits {
		t.ask = f.expr + " is " + reason + ", but " + ask
		return
	}
	t.field, t.reason, t.format = f, reason, format
}

// sameName says why a field is surely meant: it is called like the target, or like its code.
func (m *matcher) sameName(t *target, f *field) string {
	full := t.title + " " + t.combo
	for i, name := range f.names() {
		if i > 1 && slices.Contains(f.labels, name) && alike(name) == alike(full) {
			return "labelled the same in the form"
		}
		switch a := alike(name); {
		case a == "":
		case a == alike(full):
			return "called the same"
		case t.code != "" && t.combo == "" && a == alike(t.code):
			return "called like its code " + t.code
		case t.code != "" && t.combo != "" && a == alike(t.code+" "+t.combo):
			return "called like its code " + t.code + " and the combination"
		}
	}
	return ""
}

var (
	inBrackets = regexp.MustCompile(`\s*\(([^()]*)\)\s*$`)
	prefix     = regexp.MustCompile(`^[\p{L}\d ]{2,24} ?[-_:] `)
	// extra words of a question that change nothing of what it asks.
	extra = []string{"name", "select", "enter", "value", "please", "the", "of", "a", "an"}
)

// nearlySameName says why a field is likely meant: the names differ in what tells nothing.
func (m *matcher) nearlySameName(t *target, f *field) string {
	name, without := t.title, []string{}
	if b := inBrackets.FindStringSubmatch(name); b != nil && unitOf(b[1]) != "" {
		name, without = name[:len(name)-len(b[0])], append(without, "the unit")
	}
	if p := prefix.FindString(name); p != "" && len(words(name[len(p):])) > 0 {
		name, without = name[len(p):], append(without, fmt.Sprintf("%q", strings.TrimSpace(p)))
	}
	w := words(name + " " + t.combo)
	bare := slices.DeleteFunc(slices.Clone(w), func(s string) bool { return slices.Contains(m.common, s) })
	for _, of := range f.names() {
		have := words(of)
		switch {
		case len(have) == 0:
		case slices.Equal(have, w):
			return "called the same without " + strings.Join(without, " and ")
		case len(bare) > 0 && len(bare) < len(w) && slices.Equal(have, bare) && len(strings.Join(bare, "")) > 2:
			return "called the same without the words of the program's name"
		case len(have) > len(w) && slices.Equal(without3(have, w), w) && m.isText(t):
			return "called the same but for words such as \"name\""
		}
	}
	return ""
}

func (m *matcher) isText(t *target) bool {
	return t.set == nil && (t.kind.Type == "TEXT" || t.kind.Type == "LONG_TEXT")
}

// without3 leaves out the words that change nothing, unless the target has them too.
func without3(have, target []string) []string {
	return slices.DeleteFunc(slices.Clone(have), func(s string) bool {
		return slices.Contains(extra, s) &&
			!slices.Contains(target, s)
	})
}

// generic words are in many names, so that sharing one tells nothing.
var generic = []string{
	"name", "date", "number", "type", "id", "code", "result", "results", "status", "other", "value", "total", "month",
	"year", "period", "age", "time", "test", "specify", "comment", "first", "last", "case", "visit",
}

// nearest gives the only field that shares a telling word with a target, to be named in its comment.
func (m *matcher) nearest(t *target, fields []*field) *field {
	var found *field
	for _, f := range fields {
		for _, w := range words(f.name()) {
			if len(w) > 3 && !slices.Contains(generic, w) && !slices.Contains(m.common, w) &&
				slices.Contains(words(t.title), w) {
				if found != nil && found != f {
					return nil
				}
				found = f
			}
		}
	}
	return found
}

// choices are what a field of choices holds, with the options that are meant.
type choices struct {
	options map[string]string // choice -> option as the rule is to write it
	needed  bool              // a choice is not written as DHIS2 writes its option
	unknown []string
	unused  []string // options that no choice of the sample stands for
}

// choicesOf finds the options of what the sample holds. A choice of few letters stands for an
// option only when no other begins so.
func (m *matcher) choicesOf(t *target, f *field) *choices {
	c := &choices{options: map[string]string{}}
	used := map[string]bool{}
	list := f.distinct()
	if t.kind.Type == "MULTI_TEXT" {
		list = m.severalChoices(t.set, list)
	}
	var unwritable []string // that no key of a map can be
	for _, text := range list {
		o, _, _ := m.x.Option(t.set, text)
		if o == nil {
			o = m.likeChoice(t.set, text, f.choices[text])
			c.needed = true
		}
		if o == nil {
			c.unknown = append(c.unknown, text)
			continue
		}
		if strings.ContainsAny(text, "|*") {
			unwritable = append(unwritable, text)
		}
		c.options[text], used[o.ID] = m.optionName(t.set, o), true
	}
	if c.needed {
		c.unknown = append(c.unknown, unwritable...)
	}
	for i := range t.set.Options {
		if o := &t.set.Options[i]; !used[o.ID] {
			c.unused = append(c.unused, m.optionName(t.set, o))
		}
	}
	return c
}

// severalChoices parts what holds several choices, as the conversion does: at commas, and at spaces
// where that gives no option.
func (m *matcher) severalChoices(set *metadata.OptionSet, list []string) []string {
	var parts []string
	for _, text := range list {
		pieces := strings.Split(text, ",")
		for i := range pieces {
			pieces[i] = strings.TrimSpace(pieces[i])
		}
		if len(pieces) == 1 {
			if o, _, _ := m.x.Option(set, pieces[0]); o == nil && m.like(set, pieces[0]) == nil {
				pieces = strings.Fields(text)
			}
		}
		parts = append(parts, pieces...)
	}
	return slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(parts))),
		func(s string) bool { return s == "" })
}

func (m *matcher) optionName(set *metadata.OptionSet, o *metadata.Option) string {
	if one, _, _ := m.x.Option(set, o.Name); one != nil && one.ID == o.ID {
		return o.Name
	}
	return o.Code
}

// like finds the option whose name or code is written nearly so, begins so, or has it as one of its
// words; nil when there is none, or several.
func (m *matcher) like(set *metadata.OptionSet, text string) *metadata.Option {
	want := alike(text)
	if want == "" {
		return nil
	}
	for _, fits := range []func(string) bool{
		func(s string) bool { return alike(s) == want },
		func(s string) bool { return strings.HasPrefix(alike(s), want) && (len(want) == 1 || len(want) > 3) },
		func(s string) bool { return len(want) > 3 && slices.Contains(words(s), want) },
		func(s string) bool {
			c := conceptOf(words(text), answers)
			return c != "" && c == conceptOf(words(s), answers)
		},
	} {
		var found *metadata.Option
		several := false
		for i := range set.Options {
			o := &set.Options[i]
			if fits(o.Name) || fits(o.Code) {
				several = several || found != nil
				found = o
			}
		}
		if found != nil {
			if several {
				return nil
			}
			return found
		}
	}
	return nil
}

func quoted(list []string) string {
	var out []string
	for _, s := range list[:min(len(list), 5)] {
		out = append(out, fmt.Sprintf("%q", s))
	}
	if len(list) > 5 {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

// newContext is what conversions need; any clock does, for future dates are let through.
func newContext(x *metadata.Index) *value.Context {
	return &value.Context{Now: time.Now, Zone: time.UTC, OrgUnit: func(ref string) (string, string) {
		o, ambiguous, _ := x.OrgUnit(ref)
		switch {
		case o != nil:
			return o.ID, ""
		case len(ambiguous) > 0:
			return "", "several org units"
		}
		return "", "no org unit"
	}}
}
