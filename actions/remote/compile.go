package remote

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Reader reads the keys of one action and reports what is wrong with them. It goes on after a
// mistake, so that one run finds everything.
type Reader struct {
	Spec   *rules.ActionSpec
	Failed bool
}

// Read begins to read an action, whose kind declares its keys, and reports those that it does not have.
func Read(spec *rules.ActionSpec, declared settings.Spec) *Reader {
	r := &Reader{Spec: spec}
	known := append(settings.Keys(rules.ActionKeys()), settings.Keys(declared.Fields)...)
	for _, pair := range spec.Body.Pairs() {
		if !slices.Contains(known, pair.Key.Value) {
			r.Fault(pair.Key.Place(), "unknown-key", diag.Suggest(pair.Key.Value, known, "keys"), "%s has no key %q",
				spec.Kind, pair.Key.Value)
		}
	}
	for _, f := range declared.Fields {
		if f.Required && spec.Body.Get(f.Name).IsNull() {
			r.Fault(spec.Place, "missing-key", f.Hint, "%s needs %q", spec.Kind, f.Name)
		}
	}
	return r
}

// Fault reports a mistake that keeps the action from being used.
func (r *Reader) Fault(place diag.Place, code, hint, format string, args ...any) {
	r.Failed = true
	r.Spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: code, Place: place, Hint: hint,
		Message: fmt.Sprintf(format, args...)}})
}

// Text reads a key whose value is an expression that gives text; nil when it is absent.
func (r *Reader) Text(key string) *rules.Expr {
	n := r.Spec.Body.Get(key)
	if n.IsNull() {
		return nil
	}
	return r.TextAt(n)
}

// TextAt compiles an expression that gives text.
func (r *Reader) TextAt(n *yamlnode.Node) *rules.Expr {
	e := r.Spec.Expression(n, expression.Text)
	r.Failed = r.Failed || e == nil
	return e
}

// Condition reads a key whose value is an expression that gives yes or no; nil when it is absent.
func (r *Reader) Condition(key string) *rules.Expr {
	n := r.Spec.Body.Get(key)
	if n.IsNull() {
		return nil
	}
	e := r.Spec.Expression(n, expression.Condition)
	r.Failed = r.Failed || e == nil
	return e
}

// Field compiles a value that is a bare expression or the long form; nil when it is absent or wrong.
func (r *Reader) Field(name string, n *yamlnode.Node) *rules.Field {
	if n.IsNull() {
		return nil
	}
	f := r.Spec.Field(name, n)
	if f == nil {
		r.Failed = true
		return nil
	}
	if f.Format != "" {
		r.Fault(
			f.FormatPlace,
			"unknown-key",
			"write the date or number as text in the expression, with text() or format()",
			"%q takes no format here: nobody says which types the other system has",
			name,
		)
	}
	return f
}

// Fields reads a mapping of names to values.
func (r *Reader) Fields(key string) []*rules.Field {
	n := r.Spec.Body.Get(key)
	if n.IsNull() {
		return nil
	}
	if n.Kind != yamlnode.Mapping {
		r.Fault(n.Place(), "wrong-shape", "write one line for each name, indented below it",
			"%q must be a mapping of names to values", key)
		return nil
	}
	var list []*rules.Field
	for _, pair := range n.Pairs() {
		if f := r.Field(pair.Key.Value, pair.Value); f != nil {
			list = append(list, f)
		}
	}
	return list
}

// Word reads a key that is one of some words; the first is what holds when it is absent.
func (r *Reader) Word(key string, words ...string) string {
	n := r.Spec.Body.Get(key)
	switch {
	case n.IsNull():
		return words[0]
	case n.Kind == yamlnode.Scalar && slices.Contains(words, n.Value):
		return n.Value
	}
	r.Fault(
		n.Place(),
		"wrong-choice",
		"write one of "+strings.Join(words, ", "),
		"%q is not understood for %q",
		n.Value,
		key,
	)
	return words[0]
}

// HashName names an object for the journal's memory without telling whose it is.
func HashName(kind string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return kind + ":" + hex.EncodeToString(sum[:16])
}

// Digest is the fingerprint of what is sent; never 0 in the bits that are kept.
func Digest(parts ...string) uint64 {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return binary.BigEndian.Uint64(sum[:]) | 1
}
