package rules

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// ValueMap maps incoming values to DHIS2 values.
type ValueMap struct {
	Name  string // empty for a map that stands in a field
	Place diag.Place

	exact   map[string]string
	ranges  []numberRange
	policy  otherPolicy
	other   string // of policyValue
	folded  bool
	outputs []MapOutput
	file    string // of a map in a CSV file
}

// otherPolicy says what a value does that is not in the map.
type otherPolicy int

const (
	policyFail otherPolicy = iota
	policyDefault
	policyPass
	policyBlank
	policyValue
)

var policyNames = []string{"default", "pass", "blank", "fail"}

func policyOf(word string) (otherPolicy, bool) {
	switch word {
	case "default":
		return policyDefault, true
	case "pass":
		return policyPass, true
	case "blank":
		return policyBlank, true
	case "fail":
		return policyFail, true
	}
	return policyFail, false
}

// MapOutput is one right-hand side of a value map.
type MapOutput struct {
	In, Out string
	Place   diag.Place
}

// Outputs gives every right-hand side with its place, for checks against option sets.
func (m *ValueMap) Outputs() []MapOutput { return m.outputs }

// Passes tells whether values that are not in the map pass as they are.
func (m *ValueMap) Passes() bool { return m.policy == policyPass }

// numberRange is a key such as "0-4" or ">=5".
type numberRange struct {
	low, high         float64
	lowOpen, highOpen bool // the end itself does not belong to it
	text, out         string
	place             diag.Place
}

func (r numberRange) holds(f float64) bool {
	return (f > r.low || f == r.low && !r.lowOpen) && (f < r.high || f == r.high && !r.highOpen)
}

func (r numberRange) overlaps(o numberRange) bool {
	return (r.low < o.high || r.low == o.high && !r.lowOpen && !o.highOpen) && (o.low < r.high || o.low == r.high && !o.lowOpen && !r.highOpen)
}

var (
	betweenPattern = regexp.MustCompile(`^(-?\d+(?:\.\d+)?)\s*(?:-|\.\.)\s*(-?\d+(?:\.\d+)?)$`)
	comparePattern = regexp.MustCompile(`^(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)$`)
)

// parseRange reads a key that is a range of numbers. Both ends of "0-4" belong to it.
func parseRange(key string) (numberRange, bool) {
	r := numberRange{low: math.Inf(-1), high: math.Inf(1), text: key}
	if m := betweenPattern.FindStringSubmatch(key); m != nil {
		r.low, _ = strconv.ParseFloat(m[1], 64)
		r.high, _ = strconv.ParseFloat(m[2], 64)
		return r, true
	}
	m := comparePattern.FindStringSubmatch(key)
	if m == nil {
		return r, false
	}
	n, _ := strconv.ParseFloat(m[2], 64)
	switch m[1] {
	case ">=":
		r.low = n
	case ">":
		r.low, r.lowOpen = n, true
	case "<=":
		r.high = n
	case "<":
		r.high, r.highOpen = n, true
	}
	return r, true
}

// Map gives the value for an incoming one: nil when it becomes blank, or is left to the field's default. Blank stays blank. The error is a
// *Failure without a place.
func (m *ValueMap) Map(v any) (any, error) {
	in := textOf(v)
	if in == "" {
		return nil, nil
	}
	if out, ok := m.find(in); ok {
		if out == "" {
			return nil, nil
		}
		return out, nil
	}
	if list, ok := m.choices(in); ok {
		return list, nil
	}
	switch m.policy {
	case policyPass:
		return v, nil
	case policyBlank, policyDefault:
		return nil, nil
	case policyValue:
		return m.other, nil
	}
	return nil, &Failure{
		Code: "unmapped-value", Message: fmt.Sprintf("the value is not in %s", m.label()), Place: m.Place, Value: clip(in),
		Mend: "add the value to the map, or say with other: what becomes of such values; then replay the record",
	}
}

func (m *ValueMap) label() string {
	if m.Name == "" {
		return "the value map"
	}
	return fmt.Sprintf("the value map %q", m.Name)
}

// find looks a value up without regard to the policy.
func (m *ValueMap) find(in string) (string, bool) {
	in = strings.TrimSpace(in)
	key := in
	if m.folded {
		key = foldKey(in)
	}
	if out, ok := m.exact[key]; ok {
		return out, true
	}
	if len(m.ranges) > 0 {
		if f, err := strconv.ParseFloat(in, 64); err == nil {
			for _, r := range m.ranges {
				if r.holds(f) {
					return r.out, true
				}
			}
		}
	}
	return "", false
}

// choices maps the answers of a multiple choice, which forms send with spaces between them: each must be in the map.
func (m *ValueMap) choices(in string) ([]any, bool) {
	words := strings.Fields(in)
	if len(words) < 2 {
		return nil, false
	}
	list := make([]any, 0, len(words))
	for _, word := range words {
		out, ok := m.find(word)
		if !ok {
			return nil, false
		}
		if out != "" {
			list = append(list, out)
		}
	}
	return list, true
}

// foldKey drops what ignore_case does not regard: case, and how many spaces stand between words.
func foldKey(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

// maps compiles the value maps and adds them to the scope as functions.
func (c *compiler) maps() {
	for _, p := range c.root.Get("maps").Pairs() {
		usable := c.name(p.Key, "a value map")
		m := c.valueMap(p.Key, p.Value)
		m.Name = p.Key.Value
		c.rule.Maps[m.Name] = m
		if usable {
			c.scope.AddFunction(m.Name, m.Map)
		}
	}
}

// fieldMap gives the map that a field names or holds; nil when it is wrong, which is then reported.
func (c *compiler) fieldMap(n *yamlnode.Node) *ValueMap {
	if n.Kind == yamlnode.Mapping {
		return c.valueMap(n, n)
	}
	if !isValue(n) {
		return nil
	}
	m := c.rule.Maps[n.Value]
	if m == nil {
		names := make([]string, 0, len(c.rule.Maps))
		for name := range c.rule.Maps {
			names = append(names, name)
		}
		hint := diag.Suggest(n.Value, names, "maps")
		if hint == "" {
			hint = "write it under maps:, or put it here as {from value: to value}"
		}
		c.fault(n.Place(), "unknown-map", fmt.Sprintf("unknown value map %q", n.Value), hint)
		return nil
	}
	c.used[n.Value] = true
	return m
}

// isLongMap tells whether a map is written with values: or file: instead of its values themselves.
func isLongMap(n *yamlnode.Node) bool {
	if values := n.Get("values"); values != nil && values.Kind == yamlnode.Mapping {
		return true
	}
	if n.Get("file") == nil {
		return false
	}
	return !slices.ContainsFunc(n.Pairs(), func(p yamlnode.Pair) bool {
		return !slices.Contains([]string{"file", "from", "to", "other", "match"}, p.Key.Value)
	})
}

// valueMap compiles one map. A mistake in an entry leaves the others usable.
func (c *compiler) valueMap(at, n *yamlnode.Node) *ValueMap {
	m := &ValueMap{Place: at.Place(), exact: map[string]string{}}
	b := mapBuilder{compiler: c, m: m, keys: map[string]diag.Place{}}
	if n.Kind != yamlnode.Mapping || n.Refused() {
		return m // the schema has said so
	}
	if !isLongMap(n) {
		b.entries(n, true)
	} else {
		b.long(n)
	}
	if len(b.keys) == 0 && !b.broken {
		c.fault(m.Place, "empty-map", "the value map has no entries", "write one line per value, such as f: Female")
	}
	return m
}

// mapBuilder fills a map and watches for keys that stand twice.
type mapBuilder struct {
	*compiler
	m      *ValueMap
	keys   map[string]diag.Place
	broken bool // a finding says why entries are missing
}

func (b *mapBuilder) long(n *yamlnode.Node) {
	for _, p := range n.Pairs() {
		if keys := []string{"values", "file", "from", "to", "other", "match"}; !slices.Contains(keys, p.Key.Value) {
			b.fault(p.Key.Place(), "unknown-key", fmt.Sprintf("unknown key %q beside values:", p.Key.Value), "put values under values:; "+diag.Known(keys, "keys"))
		}
	}
	if match := n.Get("match"); isValue(match) {
		switch match.Value {
		case "ignore_case":
			b.m.folded = true
		case "exact":
		default:
			ways := []string{"exact", "ignore_case"}
			b.fault(match.Place(), "not-allowed", fmt.Sprintf("\"match\" must be %s, not %q", diag.Names(ways, "or"), match.Value), diag.Suggest(match.Value, ways, "ways"))
		}
	}
	if file := n.Get("file"); isValue(file) {
		b.fromFile(file, n.Get("from"), n.Get("to"))
	}
	if values := n.Get("values"); values != nil {
		b.entries(values, false)
	}
	if other := n.Get("other"); other != nil {
		b.other(other)
	}
}

// other reads the policy: a word, or {value: text}.
func (b *mapBuilder) other(n *yamlnode.Node) {
	if v := n.Get("value"); v != nil && len(n.Pairs()) == 1 {
		b.m.policy, b.m.other = policyValue, v.Value
		b.m.outputs = append(b.m.outputs, MapOutput{In: "other", Out: v.Value, Place: v.Place()})
		return
	}
	policy, ok := policyOf(n.Value)
	if !ok || n.Kind != yamlnode.Scalar {
		b.fault(n.Place(), "not-allowed", fmt.Sprintf("\"other\" must be %s, or {value: text}", diag.Names(policyNames, "or")), diag.Suggest(n.Value, policyNames, "policies"))
		return
	}
	b.m.policy = policy
}

// entries reads the values of a map; short tells that `other` may be the policy.
func (b *mapBuilder) entries(n *yamlnode.Node, short bool) {
	for _, p := range n.Pairs() {
		if p.Value.Refused() {
			b.broken = true
			continue
		}
		if short && p.Key.Value == "other" {
			_, word := policyOf(p.Value.Value)
			if word && p.Value.Kind == yamlnode.Scalar || p.Value.Kind == yamlnode.Mapping {
				b.other(p.Value)
				continue
			}
		}
		switch p.Value.Kind {
		case yamlnode.Sequence:
			// The DHIS2 value is the key, the list holds the incoming ones.
			b.m.outputs = append(b.m.outputs, MapOutput{In: "", Out: p.Key.Value, Place: p.Key.Place()})
			for i, item := range p.Value.Items() {
				if isValue(item) {
					if i == 0 {
						b.m.outputs[len(b.m.outputs)-1].In = item.Value
					}
					b.key(item.Value, p.Key.Value, item.Place())
				}
			}
		case yamlnode.Scalar:
			out := p.Value.Value
			if p.Value.IsNull() {
				out = ""
			} else {
				b.m.outputs = append(b.m.outputs, MapOutput{In: p.Key.Value, Out: out, Place: p.Value.Place()})
			}
			for key := range strings.SplitSeq(p.Key.Value, "|") {
				b.key(strings.TrimSpace(key), out, p.Key.Place())
			}
		default:
			b.broken = true
			b.fault(p.Value.Place(), "wrong-shape", fmt.Sprintf("the value for %q must be text or a list", p.Key.Value), "write the DHIS2 value, or a list of incoming values under it")
		}
	}
}

// key adds one incoming value.
func (b *mapBuilder) key(in, out string, place diag.Place) {
	if in == "" {
		b.warn(place, "blank-map-key", "an empty key is never used: a blank value is not mapped", "remove it, and give the field default: or blank:")
		return
	}
	key := in
	if b.m.folded {
		key = foldKey(in)
	}
	if first, ok := b.keys[key]; ok {
		b.broken = true
		b.report(diag.Diagnostic{
			Code: "duplicate-map-key", Message: fmt.Sprintf("the value %q stands in the map a second time", in), Hint: "remove one of the two", Place: place,
			Related: []diag.Related{{Place: first, Message: "first written here"}},
		})
		return
	}
	b.keys[key] = place
	b.m.exact[key] = out
	r, ok := parseRange(in)
	if !ok {
		return
	}
	r.out, r.place = out, place
	if r.low > r.high {
		b.fault(place, "bad-range", fmt.Sprintf("no number lies in the range %q", in), "write the smaller number first")
		return
	}
	for _, o := range b.m.ranges {
		if r.overlaps(o) {
			b.report(diag.Diagnostic{
				Code: "overlapping-ranges", Message: fmt.Sprintf("the ranges %q and %q overlap", o.text, in), Hint: "both ends of a range belong to it: write 0-4 and 5-9",
				Place: place, Related: []diag.Related{{Place: o.place, Message: "the other range"}},
			})
			return
		}
	}
	b.m.ranges = append(b.m.ranges, r)
}

// fromFile reads a map from a CSV file: the columns from and to, those that the rule names, or the only two.
func (b *mapBuilder) fromFile(file, from, to *yamlnode.Node) {
	b.broken = true
	name, ok := b.path(file)
	if !ok {
		return
	}
	text, ok := b.read(file, name, "the map")
	if !ok {
		return
	}
	t := readTable(name, text, b.report)
	if t == nil {
		return
	}
	in, out := b.column(t, from, "from", 0), b.column(t, to, "to", 1)
	if in < 0 || out < 0 {
		return
	}
	b.m.file = name
	b.broken = len(t.rows) > 0
	for _, row := range t.rows {
		place := t.place(row.places[in], row.cells[in])
		if row.cells[out] != "" {
			b.m.outputs = append(b.m.outputs, MapOutput{In: row.cells[in], Out: row.cells[out], Place: t.place(row.places[out], row.cells[out])})
		}
		for key := range strings.SplitSeq(row.cells[in], "|") {
			key = strings.TrimSpace(key)
			if row.cells[out] == b.m.exact[key] && key != "" && b.keys[key] != (diag.Place{}) {
				continue // the same line twice says nothing else
			}
			b.key(key, row.cells[out], place)
		}
	}
}

// column finds a column of a map's file.
func (b *mapBuilder) column(t *csvTable, n *yamlnode.Node, usual string, number int) int {
	if isValue(n) {
		i := t.column(n.Value)
		if i < 0 {
			b.fault(n.Place(), "unknown-column", fmt.Sprintf("the file %s has no column %q", t.file, n.Value), diag.Suggest(n.Value, t.header, "columns"))
		}
		return i
	}
	if i := t.column(usual); i >= 0 {
		return i
	}
	if len(t.header) == 2 {
		return number
	}
	b.fault(t.place(t.places[0], t.header[0]), "unknown-column", fmt.Sprintf("the file has no column %q", usual), "name the columns from and to, or say in the rule which they are: {file: ..., from: ..., to: ...}")
	return -1
}

// isCovered tells whether a value is in the map, or the map says what becomes of others.
func (m *ValueMap) isCovered(v any) bool {
	if m.policy != policyFail || expression.IsBlank(v) {
		return true
	}
	_, ok := m.find(textOf(v))
	if !ok {
		_, ok = m.choices(textOf(v))
	}
	return ok
}
