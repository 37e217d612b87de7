package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

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
	if m == c.env.Library.mapNamed(n.Value) {
		c.use(n.Value)
	}
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
	known := settings.With(mapKeys, "file")
	return !slices.ContainsFunc(n.Pairs(), func(p yamlnode.Pair) bool {
		return settings.Find(known, p.Key.Value) == nil
	})
}

// valueMap compiles one map. A mistake in an entry leaves the others usable.
func (c *compiler) valueMap(at, n *yamlnode.Node) *ValueMap {
	m := &ValueMap{Place: at.Place(), exact: map[string]string{}}
	b := mapBuilder{compiler: c, m: m, keys: map[string]diag.Place{}}
	if n.Kind != yamlnode.Mapping || n.Refused() {
		return m // the schema has said so
	}
	if !isLongMap(n) && !c.isBetween(n) {
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
	between := b.isBetween(n)
	fields := slices.DeleteFunc(slices.Clone(mapKeys), func(f settings.Field) bool {
		return !between && len(f.With) == 1 && f.With[0] == "in"
	})
	if between {
		fields = settings.With(mapKeys, "in")
	}
	keys := settings.Keys(fields)
	for _, p := range n.Pairs() {
		if !slices.Contains(keys, p.Key.Value) {
			b.fault(p.Key.Place(), "unknown-key", fmt.Sprintf("unknown key %q beside values:", p.Key.Value),
				"put values under values:; "+diag.Known(keys, "keys"))
		}
	}
	if match := n.Get("match"); isValue(match) {
		word, _ := b.word(match, mapKeys, "match", "ways")
		b.m.folded = word == "ignore_case"
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
	if between {
		b.fromServers(n)
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
		b.fault(n.Place(), "not-allowed", fmt.Sprintf("\"other\" must be %s, or {value: text}",
			diag.Names(policyNames, "or")), diag.Suggest(n.Value, policyNames, "policies"))
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
			b.fault(p.Value.Place(), "wrong-shape", fmt.Sprintf("the value for %q must be text or a list", p.Key.Value),
				"write the DHIS2 value, or a list of incoming values under it")
		}
	}
}

// key adds one incoming value.
func (b *mapBuilder) key(in, out string, place diag.Place) {
	if in == "" {
		b.warn(place, "blank-map-key", "an empty key is never used: a blank value is not mapped",
			"remove it, and give the field default: or blank:")
		return
	}
	key := tidy(in)
	if b.m.folded {
		key = foldKey(key)
	}
	if first, ok := b.keys[key]; ok {
		b.broken = true
		b.report(diag.Diagnostic{
			Problem: diag.Problem{Code: "duplicate-map-key",
				Message: fmt.Sprintf("the value %q stands in the map a second time", in),
				Hint:    "remove one of the two", Place: place},
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
				Problem: diag.Problem{Code: "overlapping-ranges",
					Message: fmt.Sprintf("the ranges %q and %q overlap", o.text, in),
					Hint:    "both ends of a range belong to it: write 0-4 and 5-9",
					Place:   place}, Related: []diag.Related{{Place: o.place, Message: "the other range"}},
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
			b.m.outputs = append(b.m.outputs, MapOutput{In: row.cells[in], Out: row.cells[out],
				Place: t.place(row.places[out], row.cells[out])})
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
			b.fault(n.Place(), "unknown-column", fmt.Sprintf("the file %s has no column %q", t.file, n.Value),
				diag.Suggest(n.Value, t.header, "columns"))
		}
		return i
	}
	if i := t.column(usual); i >= 0 {
		return i
	}
	if len(t.header) == 2 {
		return number
	}
	b.fault(t.place(t.places[0], t.header[0]), "unknown-column", fmt.Sprintf("the file has no column %q", usual),
		"name the columns from and to, or say in the rule which they are: {file: ..., from: ..., to: ...}")
	return -1
}
