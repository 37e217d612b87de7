package service

import (
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/console"
)

// OrgUnits finds org units of any server, by uid, code or name, with all that lie below them.
func (s *inspection) OrgUnits(text string) console.Units {
	var out console.Units
	p := s.current.Load()
	for _, server := range slices.Sorted(maps.Keys(p.Indexes)) {
		x := p.Indexes[server]
		units, near := unitsCalled(x, text)
		out.IDs = append(out.IDs, below(x, units)...)
		for _, u := range units {
			out.Names = append(out.Names, u.Name)
		}
		out.Near = append(out.Near, near...)
	}
	slices.Sort(out.IDs)
	out.IDs = slices.Compact(out.IDs)
	return out
}

// unitsCalled gives the org units that a text means: several of one name are all meant. Whoever
// searches types, so that the case of letters does not count where it is no name, code or uid as it stands.
func unitsCalled(x *metadata.Index, text string) (units []*metadata.OrgUnit, near []string) {
	u, ambiguous, near := x.OrgUnit(text)
	if u != nil {
		return []*metadata.OrgUnit{u}, nil
	}
	for i := range x.Snapshot.OrgUnits {
		if u := &x.Snapshot.OrgUnits[i]; strings.EqualFold(strings.TrimSpace(u.Name), strings.TrimSpace(text)) {
			units = append(units, u)
		}
	}
	if len(units) > 0 || len(ambiguous) > 0 {
		return units, ambiguous
	}
	return nil, near
}

// below gives the uids of org units and of all that lie below them.
func below(x *metadata.Index, units []*metadata.OrgUnit) []string {
	if len(units) == 0 {
		return nil
	}
	var out []string
	for i := range x.Snapshot.OrgUnits {
		u := &x.Snapshot.OrgUnits[i]
		if slices.ContainsFunc(units, func(top *metadata.OrgUnit) bool {
			return u.ID == top.ID || top.Path != "" && strings.HasPrefix(u.Path, top.Path+"/")
		}) {
			out = append(out, u.ID)
		}
	}
	return out
}

// UnitName gives the name of an org unit of any server; its uid where no last sync knows it.
func (s *inspection) UnitName(uid string) string {
	for _, x := range s.current.Load().Indexes {
		if u := x.OrgUnitByID(uid); u != nil {
			return u.Name
		}
	}
	return uid
}
