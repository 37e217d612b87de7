package lsp

import (
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/scaffold/form"
	"github.com/culvert/culvert/rules/expression"
)

// MapSheet is a value map of the rule.
type MapSheet struct {
	Name    string
	Path    []string // of its entries
	Line    int
	File    string // the CSV file that it stands in
	Entries []MapEntry
	More    int      // entries beyond those
	Other   string   // what a value that is not in it does
	Gaps    []Gap    // values that come, or that the form offers, and are not in it
	Choices []Choice // options of the fields that use it
	Unused  []Choice // options that no entry leads to
	UsedBy  []string
	Found   []Found
}

// MapEntry is one value with what it becomes.
type MapEntry struct {
	In, Out string
	Path    []string
	Comes   bool   // a record of the sample has the value
	Asked   bool   // the form offers it as an answer
	Label   string // what the form calls it
	Found   []Found
}

// Gap is a value that is not in a map.
type Gap struct {
	Value string
	Comes bool   // a record of the sample has it
	Label string // what the form calls it
}

// A table shows so many maps, and so many entries of each; the text has them all.
const (
	maxMaps    = 200
	maxEntries = 500
)

// maps lays out the value maps that the rule file itself has.
func (m *sheetMaker) maps(take func(from, to spot) []Found) []MapSheet {
	var out []MapSheet
	for _, e := range m.view.out.root.child("maps").list() {
		switch {
		case e.key == "":
		case len(out) < maxMaps:
			out = append(out, m.mapSheet(e, take))
		default:
			m.sheet.MoreMaps++
		}
	}
	return out
}

func (m *sheetMaker) mapSheet(e *entry, take func(from, to spot) []Found) MapSheet {
	s := MapSheet{Name: e.key, Path: keysOf(e), Line: e.keyFrom.line + 1, File: e.text("file"), Other: e.text("other")}
	expressions := m.mapped(e.path())
	incoming := m.sampled(expressions)
	entries := e.children
	if values := e.child("values"); values != nil {
		entries, s.Path = values.children, keysOf(values)
	}
	match := e.child("match")
	var all []MapEntry
	if s.File == "" {
		for _, c := range entries {
			if c.key == "" || c.key == "other" || c == match {
				continue
			}
			x := MapEntry{In: c.key, Out: c.value}
			if len(all) < maxEntries {
				x.Path, x.Found = under(s.Path, c.key), take(c.keyFrom, after(c))
			}
			all = append(all, x)
		}
	} else if m.sheet.Rule != nil && m.sheet.Rule.Maps[e.key] != nil {
		for _, o := range m.sheet.Rule.Maps[e.key].Outputs() {
			all = append(all, MapEntry{In: o.In, Out: o.Out})
		}
	}
	s.Gaps = m.gaps(e.key, m.asked(expressions), incoming, all)
	m.choices(&s, e, all)
	s.Entries = all[:min(len(all), maxEntries)]
	s.More = len(all) - len(s.Entries)
	s.Found = take(e.keyFrom, after(e))
	return s
}

// fieldRead is a field of the record in an expression, or of an item of a list.
var fieldRead = regexp.MustCompile(`\b(trigger|item)((?:\.[A-Za-z_]\w*|\[(?:"[^"]*"|'[^']*'|\d+)\])+)`)

// fieldStep is one step of it.
var fieldStep = regexp.MustCompile(`\.(\w+)|\["([^"]*)"\]|\['([^']*)'\]`)

// asked lists what the form's questions that some expressions read may be answered with.
func (m *sheetMaker) asked(expressions []string) []form.Choice {
	if m.form == nil {
		return nil
	}
	var out []form.Choice
	for _, text := range expressions {
		for _, read := range fieldRead.FindAllStringSubmatch(text, -1) {
			var path []string
			for _, step := range fieldStep.FindAllStringSubmatch(read[2], -1) {
				path = append(path, step[1]+step[2]+step[3])
			}
			if len(path) == 0 {
				continue
			}
			find := m.form.Find
			if read[1] == "item" {
				find = m.form.FindInRepeat
			}
			if q := find(path); q != nil {
				out = append(out, q.Choices...)
			}
		}
	}
	return out
}

// gaps lists the values that come, or that the form offers, and are not in a map; it marks those that are.
func (m *sheetMaker) gaps(name string, asked []form.Choice, incoming []string, entries []MapEntry) []Gap {
	at := make(map[string]int, len(entries))
	for i := range entries {
		at[entries[i].In] = i
	}
	mapped := func(value string) bool {
		if r := m.sheet.Rule; r != nil && r.Rule != nil && r.Maps[name] != nil {
			_, err := r.Maps[name].Map(value)
			return err == nil
		}
		return false
	}
	var out []Gap
	for _, value := range incoming {
		if i, known := at[value]; known {
			entries[i].Comes = true
		} else if !expression.IsBlank(value) && !mapped(value) {
			out = append(out, Gap{Value: value, Comes: true})
		}
	}
	for _, c := range asked {
		label := strings.Join(c.Labels[:min(len(c.Labels), 1)], "")
		if i, known := at[c.Name]; known {
			entries[i].Asked, entries[i].Label = true, label
		} else if i := slices.IndexFunc(out, func(g Gap) bool { return g.Value == c.Name }); i >= 0 {
			out[i].Label = label
		} else if c.Name != "" && !mapped(c.Name) {
			out = append(out, Gap{Value: c.Name, Label: label})
		}
	}
	return out
}

// choices adds the options of the fields that use a map.
func (m *sheetMaker) choices(s *MapSheet, e *entry, entries []MapEntry) {
	for _, f := range m.mapFields(e.path()) {
		s.UsedBy = append(s.UsedBy, f.Name)
		if f.options == nil {
			continue
		}
		led := map[string]bool{} // options that an entry leads to, by uid
		seen := map[string]bool{}
		for i := range entries {
			if out := entries[i].Out; !seen[out] {
				seen[out] = true
				if o := m.optionMeant(f, out); o != nil {
					led[o.ID] = true
				}
			}
		}
		for _, o := range f.options.Options[:min(len(f.options.Options), maxShownChoices)] {
			c := Choice{o.Code, o.Name}
			if slices.Contains(s.Choices, c) {
				continue
			}
			s.Choices = append(s.Choices, c)
			if !led[o.ID] {
				s.Unused = append(s.Unused, c)
			}
		}
	}
}

func (m *sheetMaker) optionMeant(f *field, value string) *metadata.Option {
	o, _ := m.optionOf(f, value)
	return o
}
