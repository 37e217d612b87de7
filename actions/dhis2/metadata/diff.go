package metadata

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ChangeKind says what happened to an object between two snapshots.
type ChangeKind string

// Kinds of changes.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Renamed ChangeKind = "renamed" // the name
	Recoded ChangeKind = "recoded" // the code
	Altered ChangeKind = "changed" // anything else
)

// Change is one difference between two snapshots, in words.
type Change struct {
	Kind       ChangeKind `json:"kind"`
	Collection string     `json:"collection"` // DHIS2's plural name; empty for the server and the user
	ID         string     `json:"id"`
	Name       string     `json:"name"`          // now, or before where it was removed
	Was        string     `json:"was,omitempty"` // former name or code
	Now        string     `json:"now,omitempty"` // present name or code
	// uids of other objects that the change is about, such as the data element that left a stage
	About []string `json:"about,omitempty"`
	Words string   `json:"words"` // "option Female of Sex: code F became FEMALE"
}

// Diff tells what is different in the fresh snapshot, in an order that is the same every time:
// programs and what belongs to them first, org units last, by name. There is no difference to
// nothing.
func Diff(old, fresh *Snapshot) []Change {
	if old == nil || fresh == nil {
		return nil
	}
	d := &differ{old: NewIndex(old), fresh: NewIndex(fresh)}
	d.server()
	d.named()
	pair(old.Programs, fresh.Programs, func(p *Program) string { return p.ID }, d.program)
	pair(old.TrackedEntityTypes, fresh.TrackedEntityTypes, func(t *TrackedEntityType) string { return t.ID }, d.entityType)
	pair(old.TrackedEntityAttributes, fresh.TrackedEntityAttributes,
		func(a *TrackedEntityAttribute) string { return a.ID }, d.attribute)
	pair(old.DataElements, fresh.DataElements, func(e *DataElement) string { return e.ID }, d.element)
	pair(old.DataSets, fresh.DataSets, func(s *DataSet) string { return s.ID }, d.dataSet)
	pair(old.OptionSets, fresh.OptionSets, func(o *OptionSet) string { return o.ID }, d.optionSet)
	pair(old.CategoryCombos, fresh.CategoryCombos, func(c *CategoryCombo) string { return c.ID }, d.combo)
	pair(old.CategoryOptions, fresh.CategoryOptions, func(c *CategoryOption) string { return c.ID }, d.categoryOption)
	pair(old.RelationshipTypes, fresh.RelationshipTypes, func(r *RelationshipType) string { return r.ID },
		d.relationshipType)
	d.programRules()
	d.groups()
	pair(old.Users, fresh.Users, func(u *Account) string { return u.ID }, d.account)
	pair(old.OrgUnits, fresh.OrgUnits, func(o *OrgUnit) string { return o.ID }, d.orgUnit)
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(rank(a.Collection), rank(b.Collection)), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.ID, b.ID))
	})
	return d.changes
}

// rank orders collections as people think of them.
func rank(collection string) int {
	return slices.Index([]string{"", Programs, ProgramStages, TrackedEntityTypes, TrackedEntityAttributes, DataElements,
		DataSets, OptionSets,
		OptionsInSets, CategoryCombos, CategoryOptionCombos, Categories, CategoryOptions, RelationshipTypes, ProgramRules,
		ProgramRuleVariables, Constants, OrgUnitGroups, Attributes,
		OrgUnitLevels, OrgUnits, Users}, collection)
}

// differ collects changes.
type differ struct {
	old, fresh *Index
	changes    []Change
}

// pair calls do with every object that both lists hold.
func pair[T any](old, fresh []T, id func(*T) string, do func(was, now *T)) {
	before := make(map[string]*T, len(old))
	for i := range old {
		before[id(&old[i])] = &old[i]
	}
	for i := range fresh {
		if was := before[id(&fresh[i])]; was != nil {
			do(was, &fresh[i])
		}
	}
}

// alter adds a change of an object that both snapshots hold: what is said follows its name and a colon.
func (d *differ) alter(o object, about []string, format string, args ...any) {
	d.changes = append(d.changes, Change{Kind: Altered, Collection: o.collection, ID: o.named.ID, Name: o.named.Name,
		About: about,
		Words: label(o) + ": " + fmt.Sprintf(format, args...)})
}

// label names an object with what it lies in: "option Female (Sex)".
func label(o object) string {
	words := singular(o.collection) + " " + called(o.named)
	if o.parent != nil {
		words += " (" + called(o.parent) + ")"
	}
	return words
}

func called(n *Named) string { return cmp.Or(n.Name, n.Code, n.ID) }

// singular is what people call an object of a collection.
func singular(collection string) string {
	switch collection {
	case OrgUnits:
		return "org unit"
	case OrgUnitLevels:
		return "level"
	case Attributes:
		return "metadata attribute"
	case TrackedEntityTypes:
		return "tracked entity type"
	case TrackedEntityAttributes:
		return "attribute"
	case ProgramStages:
		return "stage"
	case DataElements:
		return "data element"
	case DataSets:
		return "data set"
	case OptionSets:
		return "option set"
	case CategoryCombos:
		return "category combo"
	case CategoryOptionCombos:
		return "category option combo"
	case Categories:
		return "category"
	case CategoryOptions:
		return "category option"
	case RelationshipTypes:
		return "relationship type"
	case ProgramRules:
		return "program rule"
	case ProgramRuleVariables:
		return "program rule variable"
	case OrgUnitGroups:
		return "org unit group"
	}
	return strings.TrimSuffix(collection, "s") // program, option
}

// named compares which objects there are and what they are called.
func (d *differ) named() {
	before, now := everything(d.old.Snapshot), everything(d.fresh.Snapshot)
	for _, id := range slices.Sorted(maps.Keys(before)) {
		was := before[id]
		is, stays := now[id]
		if d.notBoth(was.collection) {
			continue
		}
		if !stays {
			d.changes = append(d.changes, Change{Kind: Removed, Collection: was.collection, ID: id, Name: was.named.Name,
				About: parentOf(was),
				Words: label(was) + " was removed"})
			continue
		}
		if was.named.Name != is.named.Name {
			d.changes = append(d.changes, Change{Kind: Renamed, Collection: is.collection, ID: id, Name: is.named.Name,
				About: parentOf(is),
				Was:   was.named.Name, Now: is.named.Name, Words: label(was) + " was renamed to " + is.named.Name})
		}
		if was.named.Code != is.named.Code {
			d.changes = append(d.changes, Change{Kind: Recoded, Collection: is.collection, ID: id, Name: is.named.Name,
				About: parentOf(is),
				Was:   was.named.Code, Now: is.named.Code, Words: label(is) + ": " + became("code", was.named.Code, is.named.Code)})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if _, known := before[id]; !known && !d.notBoth(now[id].collection) {
			o := now[id]
			d.changes = append(d.changes, Change{Kind: Added, Collection: o.collection, ID: id, Name: o.named.Name,
				About: parentOf(o),
				Words: label(o) + " is new"})
		}
	}
}

func parentOf(o object) []string {
	if o.parent == nil {
		return nil
	}
	return []string{o.parent.ID}
}

// became words a change of one value.
func became(what, was, now string) string {
	switch {
	case was == "":
		return fmt.Sprintf("%s is now %s", what, now)
	case now == "":
		return fmt.Sprintf("%s %s was taken away", what, was)
	}
	return fmt.Sprintf("%s %s became %s", what, was, now)
}

// field reports a changed value of an object.
func (d *differ) field(o object, what, was, now string) {
	if was != now {
		d.alter(o, nil, "%s", became(what, was, now))
	}
}

// flag reports a changed yes or no: the words for yes, or those for no.
func (d *differ) flag(o object, was, now bool, yes, no string) {
	if was != now && now {
		d.alter(o, nil, "%s", yes)
	} else if was != now {
		d.alter(o, nil, "%s", no)
	}
}

// ref reports another object being referred to.
func (d *differ) ref(o object, what, collection string, was, now *Ref) {
	if a, b := idOf(was), idOf(now); a != b {
		d.changes = append(d.changes, Change{Kind: Altered, Collection: o.collection, ID: o.named.ID, Name: o.named.Name,
			About: slices.DeleteFunc([]string{a, b}, func(s string) bool { return s == "" }),
			Words: label(o) + ": " + became(what, d.nameOf(collection, a), d.nameOf(collection, b))})
	}
}

// access reports rights of the syncing user.
func (d *differ) access(o object, was, now DataAccess) {
	d.flag(o, was.Data.Write, now.Data.Write, "its data may now be written by Culvert's user",
		"its data may no longer be written by Culvert's user")
}

// nameOf is what an object is called now, or was; its uid when no snapshot holds it.
func (d *differ) nameOf(collection, id string) string {
	if id == "" {
		return ""
	}
	for _, x := range []*Index{d.fresh, d.old} {
		if n := x.named(collection, id); n != nil {
			return called(n)
		}
	}
	return id
}

// members reports uids that came and went; the words hold %s for the member's name.
func (d *differ) members(o object, collection string, was, now map[string]bool, came, went string) {
	for _, id := range slices.Sorted(maps.Keys(was)) {
		if !now[id] {
			d.alter(o, []string{id}, went, d.nameOf(collection, id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if !was[id] {
			d.alter(o, []string{id}, came, d.nameOf(collection, id))
		}
	}
}

// units reports how many org units were assigned and taken away, naming them where they are few.
func (d *differ) units(o object, was, now []string) {
	before, after := setOf(was), setOf(now)
	count := func(a, b map[string]bool, what string) {
		var names, ids []string
		for id := range a {
			if !b[id] {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return
		}
		slices.Sort(ids)
		for _, id := range ids {
			names = append(names, d.nameOf(OrgUnits, id))
		}
		if len(names) > 3 {
			d.alter(o, ids, "%d org units %s", len(names), what)
			return
		}
		d.alter(o, ids, "%s %s", strings.Join(names, ", "), what)
	}
	count(before, after, "no longer assigned")
	count(after, before, "now assigned")
}

func setOf(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

func refSet(list []Ref) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, r := range list {
		m[r.ID] = true
	}
	return m
}
