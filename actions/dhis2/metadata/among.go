package metadata

import (
	"slices"

	"github.com/culvert/culvert/rules"
)

// holder says what the objects of a collection belong to.
type holder struct {
	collection string // of what they belong to
	what       string
	member     func(d *directory, holder string) func(*rules.Object) bool
}

// holders lists them, by collection.
var holders = map[string]holder{
	OptionsInSets:        {OptionSets, "option set", byParent},
	ProgramStages:        {Programs, "program", byParent},
	CategoryOptionCombos: {CategoryCombos, "category combo", byParent},
	CategoryOptions: {Categories, "category", func(d *directory, id string) func(*rules.Object) bool {
		members := map[string]bool{}
		if c := d.x.categories.byID(id); c != nil {
			members = refSet(c.Options)
		}
		return func(o *rules.Object) bool { return members[o.ID] }
	}},
	OrgUnits: {OrgUnitGroups, "org unit group", func(d *directory, id string) func(*rules.Object) bool {
		members := map[string]bool{}
		if g := d.x.groups.byID(id); g != nil {
			members = refSet(g.OrgUnits)
		}
		return func(o *rules.Object) bool { return members[o.ID] }
	}},
}

func byParent(_ *directory, id string) func(*rules.Object) bool {
	return func(o *rules.Object) bool { return o.Parent != nil && o.Parent.ID == id }
}

// Among finds what objects of a collection belong to; see rules.Directory.
func (d *directory) Among(collection, ref string) rules.Among {
	h, ok := holders[collection]
	if !ok {
		return rules.Among{}
	}
	a := rules.Among{What: h.what}
	switch h.collection {
	case OptionSets:
		a.ID, a.Ambiguous, a.Near = foundAs(d.x.optionSets, ref, d.x.former)
	case Programs:
		a.ID, a.Ambiguous, a.Near = foundAs(d.x.programs, ref, d.x.former)
	case CategoryCombos:
		a.ID, a.Ambiguous, a.Near = foundAs(d.x.combos, ref, d.x.former)
	case Categories:
		a.ID, a.Ambiguous, a.Near = foundAs(d.x.categories, ref, d.x.former)
	case OrgUnitGroups:
		a.ID, a.Ambiguous, a.Near = foundAs(d.x.groups, ref, d.x.former)
	}
	if a.ID != "" {
		a.Holds = h.member(d, a.ID)
	}
	return a
}

// foundAs finds the uid of what somebody calls something by its uid, code or name.
func foundAs[T any](f *finder[T], ref string, old *former) (id string, ambiguous, near []string) {
	one, ambiguous, near := f.find(ref, nil, old)
	if one != nil {
		id = f.named(one).ID
	}
	return id, ambiguous, near
}

// AmongNames lists what objects of a collection may belong to, by name.
func (d *directory) AmongNames(collection string) []string {
	h, ok := holders[collection]
	if !ok {
		return nil
	}
	return d.Names(h.collection, "name")
}

// Lacks tells whether the snapshot was read without something, which a sync reads once rules ask for it:
// the users, or which org units are in the groups (rules.Members).
func (d *directory) Lacks(what string) bool {
	switch what {
	case Users:
		return !d.x.Snapshot.Has(HoldsUsers)
	case rules.Members:
		return !d.x.Snapshot.Has(HoldsMembers)
	}
	return false
}

// memberships builds the groups of each org unit, when a lookup first finds one.
func (d *directory) memberships() {
	d.groupsOnce.Do(func() {
		d.groupsOf = map[string][]int32{}
		if d.Lacks(rules.Members) {
			return
		}
		for i := range d.x.Snapshot.OrgUnitGroups {
			for _, ref := range d.x.Snapshot.OrgUnitGroups[i].OrgUnits {
				if !slices.Contains(d.groupsOf[ref.ID], int32(i)) {
					d.groupsOf[ref.ID] = append(d.groupsOf[ref.ID], int32(i))
				}
			}
		}
	})
}
