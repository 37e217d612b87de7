package metadata

import "slices"

// Has tells whether a snapshot holds what not every one does, one of HoldsGroups and so on.
func (s *Snapshot) Has(what string) bool { return slices.Contains(s.Server.Holds, what) }

// notBoth tells that one of two snapshots was read without a collection: what it lacks came or went with
// the rules that ask for it, and not on the server.
func (d *differ) notBoth(collection string) bool {
	for _, x := range []*Index{d.old, d.fresh} {
		if (collection == OrgUnitGroups || collection == Users) && !x.Snapshot.Has(collection) {
			return true
		}
	}
	return false
}

// groups compares the members of org unit groups, of those whose members both snapshots know.
func (d *differ) groups() {
	known := func(x *Index) func(*OrgUnitGroup) bool {
		all, asked := x.Snapshot.Has(HoldsMembers), groupsAsked(x.Snapshot.ProgramRules)
		return func(g *OrgUnitGroup) bool { return all || asked[g.ID] || g.Code != "" && asked[g.Code] }
	}
	before, after := known(d.old), known(d.fresh)
	pair(d.old.Snapshot.OrgUnitGroups, d.fresh.Snapshot.OrgUnitGroups, func(g *OrgUnitGroup) string { return g.ID },
		func(was, now *OrgUnitGroup) {
			if before(was) && after(now) {
				d.units(object{OrgUnitGroups, &now.Named, nil}, ids(was.OrgUnits), ids(now.OrgUnits))
			}
		})
}

func (d *differ) account(was, now *Account) {
	d.field(object{Users, &now.Named, nil}, "user name", was.Username, now.Username)
}
