package settings

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Reader reads one mapping.
type Reader struct {
	Label  string // how findings name the mapping, such as database
	Config *yamlnode.Node

	fields []Field
	open   bool
	place  diag.Place
	report func(diag.Diagnostic)
}

// Read reads a mapping, and reports keys that the spec does not have and those that it needs, which
// are missing at place.
func Read(config *yamlnode.Node, spec Spec, place diag.Place, report func(diag.Diagnostic)) Reader {
	r := Reader{Label: spec.Name, Config: config, fields: spec.Fields, open: spec.Open, place: place, report: report}
	r.check()
	return r
}

// Sub reads the mapping below a key, and reports what Read reports. ok is false when it is absent, or
// no mapping, which is then reported.
func (r Reader) Sub(key string) (sub Reader, ok bool) {
	n := r.Config.Get(key)
	if n == nil {
		return Reader{}, false
	}
	sub = Reader{Label: r.Path(key), Config: n, fields: r.field(key).Fields, place: r.Config.Key(key).Place(),
		report: r.report}
	if n.Kind != yamlnode.Mapping {
		r.Wrong(n, "wrong-type", sub.Label+" is a mapping of keys", "write "+key+": {...}")
		return sub, false
	}
	if len(sub.fields) > 0 {
		sub.check()
	}
	return sub, true
}

// Named gives the mappings below a key whose names people choose, with the node of each name, in
// their order. What is no mapping is reported.
func (r Reader) Named(key string) iter.Seq2[*yamlnode.Node, Reader] {
	return func(yield func(*yamlnode.Node, Reader) bool) {
		each := r.field(key).Each
		for _, p := range r.Config.Get(key).Pairs() {
			label := r.Path(key) + "." + p.Key.Value
			if p.Value.Kind != yamlnode.Mapping {
				r.Wrong(p.Value, "wrong-type", label+" is a mapping of keys", "write "+p.Key.Value+": {...}")
				continue
			}
			sub := Reader{Label: label, Config: p.Value, fields: each.Fields, place: p.Key.Place(), report: r.report}
			sub.check()
			if !yield(p.Key, sub) {
				return
			}
		}
	}
}

// List gives the items of a list.
func (r Reader) List(key string) []*yamlnode.Node { return r.Config.Get(key).Items() }

// Node gives what stands behind a key, nil when it is not written.
func (r Reader) Node(key string) *yamlnode.Node { return r.Config.Get(key) }

// Path names a key of the mapping with what stands around it, such as servers.national.url.
func (r Reader) Path(key string) string {
	if r.Label == "" {
		return key
	}
	return r.Label + "." + key
}

// check reports keys that are not declared, and missing ones that are needed.
func (r Reader) check() {
	keys := Keys(r.fields)
	for _, p := range r.Config.Pairs() {
		if !r.open && !slices.Contains(keys, p.Key.Value) {
			r.Wrong(p.Key, "unknown-key", fmt.Sprintf("%s has no %q", r.Label, p.Key.Value),
				diag.Suggest(p.Key.Value, keys, "keys"))
		}
	}
	for _, f := range r.fields {
		if f.Required && !r.Has(f.Name) {
			r.Missing(f.Name, f.Hint)
		}
	}
}

// field gives the declaration of a key; a mapping that takes any keys has none.
func (r Reader) field(key string) Field {
	if f := Find(r.fields, key); f != nil {
		return *f
	}
	return Field{Name: key}
}

// Has tells whether a key is written.
func (r Reader) Has(key string) bool { return r.Config.Get(key) != nil }

// Wrong reports a mistake at a node.
func (r Reader) Wrong(n *yamlnode.Node, code, message, hint string) {
	r.report(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: n.Place()}})
}

// Warn reports at a node what is most likely not meant.
func (r Reader) Warn(n *yamlnode.Node, code, message, hint string) {
	r.report(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: n.Place()},
		Severity: diag.Warning})
}

// Problem reports a mistake at a range of a node's text, in bytes.
func (r Reader) Problem(n *yamlnode.Node, from, to int, code, message, hint string) {
	r.report(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint,
		Place: n.PlaceOf(from, to)}})
}

// Missing reports that a key is not written.
func (r Reader) Missing(key, hint string) {
	r.report(diag.Diagnostic{Problem: diag.Problem{Code: "missing-key", Message: r.Label + " needs " + key, Hint: hint,
		Place: r.place}})
}

// Text gives the value of a key, "" when it is absent or no text.
func (r Reader) Text(key string) string {
	n := r.Config.Get(key)
	if n == nil {
		return ""
	}
	switch {
	case n.Kind != yamlnode.Scalar:
		r.Wrong(n, "wrong-type", key+" is one text", "write it as "+key+": ...")
		return ""
	case n.IsNull() || n.Value == "":
		r.Wrong(n, "wrong-type", key+" is empty", "write it as "+key+": ..., or take the key out")
		return ""
	}
	return n.Value
}

// TextOr gives the value of a key, and its default when it is absent or no text.
func (r Reader) TextOr(key string) string {
	if text := r.Text(key); text != "" {
		return text
	}
	return r.field(key).Default
}

// Texts gives the value of a key that is one text or a list of them.
func (r Reader) Texts(key string) []string {
	n := r.Config.Get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Sequence {
		if text := r.Text(key); text != "" {
			return []string{text}
		}
		return nil
	}
	var list []string
	for _, item := range n.Items() {
		if item.Kind != yamlnode.Scalar || item.IsNull() || item.Value == "" {
			r.Wrong(item, "wrong-type", key+" is one text or a list of texts", "write "+key+": [one, another]")
			continue
		}
		list = append(list, item.Value)
	}
	return list
}

// Words gives the value of a key that is one or several of some words; others are reported.
func (r Reader) Words(key string, known []string) []string {
	var list []string
	for _, word := range r.Texts(key) {
		if !slices.Contains(known, word) {
			r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is %s, not %q", key, diag.Names(known, "or"), word),
				diag.Suggest(word, known, "words"))
			continue
		}
		list = append(list, word)
	}
	return list
}

// Duration gives the value of a key within the bounds of its declaration, and its default when it is absent or wrong.
func (r Reader) Duration(key string) time.Duration {
	f := r.field(key)
	fallback, _ := ParseDuration(f.Default) // none: zero
	text := r.Text(key)
	if text == "" {
		return fallback
	}
	d, err := ParseDuration(text)
	if f.Most == 0 {
		if err != nil || d < f.Least {
			r.Wrong(r.Config.Get(key), "bad-duration", fmt.Sprintf("%q is not a length of time", text),
				"write a number with s, m, h or d: 90s, 30m, 6h, 180d")
			return fallback
		}
		return d
	}
	if err != nil || d < f.Least || d > f.Most {
		hint := f.Default
		if hint == "" {
			hint = "1h"
		}
		r.Wrong(r.Config.Get(key), "duration", fmt.Sprintf("%s %q is no length of time from %s to %s", key, text,
			short(f.Least), short(f.Most)),
			"write "+key+": "+hint)
		return fallback
	}
	return d
}

// ParseDuration reads 90s, 30m, 6h and 30d.
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	return time.ParseDuration(text)
}

// short prints a length of time as people write it: 5m, not 5m0s.
func short(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Whole gives a whole number within the bounds of its declaration, and its default when it is absent
// or wrong.
func (r Reader) Whole(key string) int { return r.WholeTo(key, r.field(key).Max) }

// WholeTo is Whole with a bound that depends on something else.
func (r Reader) WholeTo(key string, most int) int {
	f := r.field(key)
	fallback, _ := strconv.Atoi(f.Default) // none: zero
	text := r.Text(key)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if most == 0 {
		if err != nil || n < f.Min {
			r.Wrong(r.Config.Get(key), "bad-number", fmt.Sprintf("%q is not a whole number from %d", text, f.Min),
				"write digits only")
			return fallback
		}
		return n
	}
	if err != nil || n < f.Min || n > most {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is a whole number from %d to %d", key, f.Min, most),
			fmt.Sprintf("write %s: %d", key, max(fallback, f.Min)))
		return fallback
	}
	return n
}

// Number gives a number above 0 and within the bound of its declaration; 0 when it is absent or wrong.
func (r Reader) Number(key string) float64 {
	text := r.Text(key)
	if text == "" {
		return 0
	}
	most := float64(r.field(key).Max)
	n, err := strconv.ParseFloat(text, 64)
	if most == 0 {
		if err != nil || !(n > 0) || math.IsInf(n, 0) {
			r.Wrong(r.Config.Get(key), "bad-number", key+" must be a number above 0",
				"for instance 10, or 0.5 for one every two seconds")
			return 0
		}
		return n
	}
	if err != nil || !(n > 0 && n <= most) {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is a number above 0 and up to %.0f", key, most),
			"write "+key+": 100")
		return 0
	}
	return n
}

// Is gives the value of a switch.
func (r Reader) Is(key string) bool {
	text := r.Text(key)
	if text != "" && text != "true" && text != "false" {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is true or false, not %q", key, text),
			"write "+key+": true, or leave it out")
	}
	return text == "true"
}

// Word gives the value of a key that is one of the words of its declaration; the first is what holds when it is absent.
func (r Reader) Word(key string) string {
	words := r.field(key).Words
	text := r.Text(key)
	if text == "" {
		return words[0]
	}
	if !slices.Contains(words, text) {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is %s, not %q", key, diag.Names(words, "or"), text),
			diag.Suggest(text, words, "words"))
		return words[0]
	}
	return text
}

// Program compiles the expression of a key over `trigger`; nil when it is absent or wrong.
func (r Reader) Program(key string, want expression.Want) *expression.Program {
	n := r.Config.Get(key)
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Scalar {
		r.Wrong(n, "wrong-type", key+" is an expression", "write "+key+": trigger.data")
		return nil
	}
	scope := expression.NewScope(expression.Options{})
	scope.AddShape("trigger", expression.Dynamic())
	program, problems := expression.Compile(n.Value, scope, want)
	for _, p := range problems {
		r.Problem(n, p.From, p.To, p.Code, p.Message, p.Hint)
	}
	if len(problems) > 0 {
		return nil
	}
	return program
}

// Time gives a day or a time; without a zone it is in UTC. It is zero when it is absent or wrong.
func (r Reader) Time(key string) time.Time {
	text := r.Text(key)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	r.Wrong(r.Config.Get(key), key, fmt.Sprintf("%s %q is no day", key, text),
		"write "+key+": 2026-01-01, or a time such as 2026-01-01T06:00:00Z")
	return time.Time{}
}

// Credential gives the value of a key that must not stand in the file.
func (r Reader) Credential(key string) string {
	text := r.Text(key)
	if text != "" && !strings.Contains(text, "${") {
		r.Wrong(r.Config.Get(key), "secret-in-file",
			key+" stands in the file, where everyone who can read the repository sees it",
			"write "+key+": ${NAME}, and set NAME in the environment")
	}
	return text
}
