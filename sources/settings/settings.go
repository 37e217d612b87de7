// Package settings reads the keys of a trigger's config and reports what is wrong with them, each at its place.
package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Reader reads one mapping.
type Reader struct {
	Label  string // how findings name the mapping, such as database
	Config *yamlnode.Node

	place  diag.Place
	report func(diag.Diagnostic)
}

// Of reads a trigger's config. ok is false when it is no mapping, which is then reported with the example.
func Of(t *rules.Trigger, example string, report func(diag.Diagnostic)) (r Reader, ok bool) {
	if t == nil {
		return Reader{}, false
	}
	r = Reader{Label: t.Kind, Config: t.Config, place: t.Place, report: report}
	if t.Config == nil || t.Config.Kind != yamlnode.Mapping {
		report(diag.Diagnostic{Code: "wrong-type", Message: fmt.Sprintf("the %s trigger is a mapping of keys", t.Kind), Hint: "write " + example, Place: t.Place})
		return r, false
	}
	return r, true
}

// Sub reads the mapping below a key. ok is false when it is absent, or no mapping, which is then reported.
func (r Reader) Sub(key string) (sub Reader, ok bool) {
	n := r.Config.Get(key)
	if n == nil {
		return Reader{}, false
	}
	sub = Reader{Label: r.Label + "." + key, Config: n, place: r.Config.Key(key).Place(), report: r.report}
	if n.Kind != yamlnode.Mapping {
		r.Wrong(n, "wrong-type", sub.Label+" is a mapping of keys", "write "+key+": {...}")
		return sub, false
	}
	return sub, true
}

// Has tells whether a key is written.
func (r Reader) Has(key string) bool { return r.Config.Get(key) != nil }

// Known reports keys that do not exist.
func (r Reader) Known(keys ...string) {
	for _, p := range r.Config.Pairs() {
		if !slices.Contains(keys, p.Key.Value) {
			r.Wrong(p.Key, "unknown-key", fmt.Sprintf("%s has no %q", r.Label, p.Key.Value), diag.Suggest(p.Key.Value, keys, "keys"))
		}
	}
}

// Wrong reports a mistake at a node.
func (r Reader) Wrong(n *yamlnode.Node, code, message, hint string) {
	r.report(diag.Diagnostic{Code: code, Message: message, Hint: hint, Place: n.Place()})
}

// Warn reports at a node what is most likely not meant.
func (r Reader) Warn(n *yamlnode.Node, code, message, hint string) {
	r.report(diag.Diagnostic{Code: code, Severity: diag.Warning, Message: message, Hint: hint, Place: n.Place()})
}

// Problem reports a mistake at a range of a node's text, in bytes.
func (r Reader) Problem(n *yamlnode.Node, from, to int, code, message, hint string) {
	r.report(diag.Diagnostic{Code: code, Message: message, Hint: hint, Place: n.PlaceOf(from, to)})
}

// Missing reports that a key is not written.
func (r Reader) Missing(key, hint string) {
	r.report(diag.Diagnostic{Code: "missing-key", Message: r.Label + " needs " + key, Hint: hint, Place: r.place})
}

// Text gives the value of a key, "" when it is absent or no text.
func (r Reader) Text(key string) string {
	n := r.Config.Get(key)
	if n == nil {
		return ""
	}
	if n.Kind != yamlnode.Scalar || n.IsNull() || n.Value == "" {
		r.Wrong(n, "wrong-type", key+" is one text", "write it as "+key+": ...")
		return ""
	}
	return n.Value
}

// Required gives the value of a key that must be there.
func (r Reader) Required(key, hint string) string {
	if !r.Has(key) {
		r.Missing(key, hint)
		return ""
	}
	return r.Text(key)
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

// Duration gives the value of a key within bounds, and fallback when it is absent or wrong.
func (r Reader) Duration(key string, fallback, least, most time.Duration) time.Duration {
	text := r.Text(key)
	if text == "" {
		return fallback
	}
	d, err := ParseDuration(text)
	if err != nil || d < least || d > most {
		r.Wrong(r.Config.Get(key), "duration", fmt.Sprintf("%s %q is no length of time from %s to %s", key, text, short(least), short(most)), "write "+key+": "+short(fallback))
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

// Whole gives a whole number from least to most, and fallback when it is absent or wrong.
func (r Reader) Whole(key string, fallback, least, most int) int {
	text := r.Text(key)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is a whole number from %d to %d", key, least, most), fmt.Sprintf("write %s: %d", key, fallback))
		return fallback
	}
	return n
}

// OneOf gives the value of a key that is one of several words; the first is what holds when it is absent.
func (r Reader) OneOf(key string, words ...string) string {
	text := r.Text(key)
	if text == "" {
		return words[0]
	}
	if !slices.Contains(words, text) {
		r.Wrong(r.Config.Get(key), "wrong-type", fmt.Sprintf("%s is %s, not %q", key, diag.Names(words, "or"), text), diag.Suggest(text, words, "words"))
		return words[0]
	}
	return text
}
