package metadata

import "encoding/json"

// part is something that program rules are made of, for comparison.
type part struct {
	id, name, words string
	about           []string
	content         string
}

// programRules compares rules and what they use: variables and constants. They are
// compared whole, as nobody names their properties in a rule file.
func (d *differ) programRules() {
	for collection, list := range map[string]func(x *Index) []part{
		ProgramRules: func(x *Index) []part {
			return parts(x.Snapshot.ProgramRules, func(r ProgramRule) part {
				program := r.Program.ID
				r.Name = ""
				return part{id: r.ID, about: []string{program}, words: d.nameOf(Programs, program), content: content(r)}
			}, func(r ProgramRule) string { return r.Name })
		},
		ProgramRuleVariables: func(x *Index) []part {
			return parts(x.Snapshot.ProgramRuleVariables, func(v ProgramRuleVariable) part {
				return part{id: v.ID, about: []string{v.Program.ID}, words: d.nameOf(Programs, v.Program.ID), content: content(v)}
			}, func(v ProgramRuleVariable) string { return v.Name })
		},
		Constants: func(x *Index) []part {
			return parts(x.Snapshot.Constants, func(c Constant) part { return part{id: c.ID, content: content(c)} },
				func(c Constant) string { return c.Name })
		},
	} {
		d.parts(collection, list(d.old), list(d.fresh))
	}
}

func parts[T any](list []T, of func(T) part, name func(T) string) []part {
	out := make([]part, len(list))
	for i, x := range list {
		out[i] = of(x)
		out[i].name = name(x)
	}
	return out
}

func content(x any) string {
	text, _ := json.Marshal(x) // of our own types: it cannot fail
	return string(text)
}

func (d *differ) parts(collection string, old, fresh []part) {
	add := func(kind ChangeKind, p part, what string) {
		words := singular(collection) + " " + p.name
		if p.words != "" {
			words += " (" + p.words + ")"
		}
		d.changes = append(d.changes, Change{Kind: kind, Collection: collection, ID: p.id, Name: p.name, About: p.about,
			Words: words + " " + what})
	}
	before, after := make(map[string]part, len(old)), make(map[string]part, len(fresh))
	for _, p := range old {
		before[p.id] = p
	}
	for _, p := range fresh {
		after[p.id] = p
	}
	changed := "has changed"
	if collection == ProgramRules {
		changed = "does something else now"
	}
	for _, was := range old {
		switch now, stays := after[was.id]; {
		case !stays:
			add(Removed, was, "was removed")
		case was.content != now.content:
			add(Altered, now, changed)
		}
	}
	for _, p := range fresh {
		if _, had := before[p.id]; !had {
			add(Added, p, "is new")
		}
	}
}
