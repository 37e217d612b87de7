package metadata

import (
	"fmt"
	"slices"
)

// The methods below say what is different in one object that both snapshots hold, besides its name and code.

func (d *differ) server() {
	was, now := d.old.Snapshot, d.fresh.Snapshot
	add := func(about []string, format string, args ...any) {
		d.changes = append(d.changes, Change{Kind: Altered, About: about, Words: fmt.Sprintf(format, args...)})
	}
	if was.Server.Version != now.Server.Version {
		add(nil, "server: DHIS2 %s became %s", was.Server.Version, now.Server.Version)
	}
	if was.User.ID != now.User.ID {
		add(nil, "user: %s became %s", was.User.Username, now.User.Username)
		return
	}
	before, after := refSet(was.User.CaptureUnits), refSet(now.User.CaptureUnits)
	for _, r := range was.User.CaptureUnits {
		if !after[r.ID] {
			add([]string{r.ID}, "user %s: may no longer capture data in %s", now.User.Username, d.nameOf(OrgUnits, r.ID))
		}
	}
	for _, r := range now.User.CaptureUnits {
		if !before[r.ID] {
			add([]string{r.ID}, "user %s: may now capture data in %s", now.User.Username, d.nameOf(OrgUnits, r.ID))
		}
	}
	for _, authority := range was.User.Authorities {
		if !slices.Contains(now.User.Authorities, authority) {
			add(nil, "user %s: lost the authority %s", now.User.Username, authority)
		}
	}
	for _, authority := range now.User.Authorities {
		if !slices.Contains(was.User.Authorities, authority) {
			add(nil, "user %s: gained the authority %s", now.User.Username, authority)
		}
	}
}

func (d *differ) program(was, now *Program) {
	o := object{Programs, &now.Named, nil}
	d.field(o, "type", was.Type, now.Type)
	d.ref(o, "tracked entity type", TrackedEntityTypes, was.TrackedEntityType, now.TrackedEntityType)
	d.ref(o, "category combo", CategoryCombos, was.CategoryCombo, now.CategoryCombo)
	d.flag(o, was.OnlyEnrollOnce, now.OnlyEnrollOnce, "a person can be enrolled only once now",
		"a person can be enrolled again now")
	d.flag(o, was.SelectEnrollmentDatesInFuture, now.SelectEnrollmentDatesInFuture,
		"enrollment dates may be in the future now",
		"enrollment dates may no longer be in the future")
	d.flag(o, was.SelectIncidentDatesInFuture, now.SelectIncidentDatesInFuture, "incident dates may be in the future now",
		"incident dates may no longer be in the future")
	d.field(o, "expiry days", fmt.Sprint(was.ExpiryDays), fmt.Sprint(now.ExpiryDays))
	d.field(o, "days to change completed events", fmt.Sprint(was.CompleteEventsExpiryDays),
		fmt.Sprint(now.CompleteEventsExpiryDays))
	d.field(o, "access level", was.AccessLevel, now.AccessLevel)
	d.access(o, was.Access, now.Access)
	before, after, required, requires := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, a := range was.Attributes {
		before[a.Attribute.ID], required[a.Attribute.ID] = true, a.Mandatory
	}
	for _, a := range now.Attributes {
		after[a.Attribute.ID], requires[a.Attribute.ID] = true, a.Mandatory
	}
	d.memberUses(o, TrackedEntityAttributes, before, after, required, requires)
	d.units(o, was.OrgUnits, now.OrgUnits)
	pair(was.Stages, now.Stages, func(s *ProgramStage) string { return s.ID },
		func(was, is *ProgramStage) { d.stage(was, is, now) })
}

// memberUses compares which members an object has, and which of them it requires.
func (d *differ) memberUses(o object, collection string, before, after, required, requires map[string]bool) {
	what := singular(collection)
	d.members(o, collection, before, after, what+" %s is new in it", what+" %s is no longer in it")
	d.members(o, collection, both(required, before, after), both(requires, before, after), what+" %s is mandatory now",
		what+" %s is no longer mandatory")
	d.members(o, collection, nil, fresh(requires, before), what+" %s is mandatory", "")
}

// both keeps the marked members that are in both lists; fresh those that are not in the former one.
func both(marked, before, after map[string]bool) map[string]bool {
	out := map[string]bool{}
	for id, on := range marked {
		if on && before[id] && after[id] {
			out[id] = true
		}
	}
	return out
}

func fresh(marked, before map[string]bool) map[string]bool {
	out := map[string]bool{}
	for id, on := range marked {
		if on && !before[id] {
			out[id] = true
		}
	}
	return out
}

func (d *differ) stage(was, now *ProgramStage, p *Program) {
	o := object{ProgramStages, &now.Named, &p.Named}
	d.flag(o, was.Repeatable, now.Repeatable, "it can be repeated now", "it can no longer be repeated")
	d.field(o, "validation", was.ValidationStrategy, now.ValidationStrategy)
	d.flag(o, was.EnableUserAssignment, now.EnableUserAssignment, "events can be assigned to users now",
		"events can no longer be assigned to users")
	d.access(o, was.Access, now.Access)
	before, after, required, requires := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, e := range was.DataElements {
		before[e.DataElement.ID], required[e.DataElement.ID] = true, e.Compulsory
	}
	for _, e := range now.DataElements {
		after[e.DataElement.ID], requires[e.DataElement.ID] = true, e.Compulsory
	}
	d.memberUses(o, DataElements, before, after, required, requires)
}

func (d *differ) entityType(was, now *TrackedEntityType) {
	o := object{TrackedEntityTypes, &now.Named, nil}
	d.access(o, was.Access, now.Access)
	before, after, required, requires := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, a := range was.Attributes {
		before[a.Attribute.ID], required[a.Attribute.ID] = true, a.Mandatory
	}
	for _, a := range now.Attributes {
		after[a.Attribute.ID], requires[a.Attribute.ID] = true, a.Mandatory
	}
	d.memberUses(o, TrackedEntityAttributes, before, after, required, requires)
}

func (d *differ) attribute(was, now *TrackedEntityAttribute) {
	o := object{TrackedEntityAttributes, &now.Named, nil}
	d.field(o, "value type", was.ValueType, now.ValueType)
	d.ref(o, "option set", OptionSets, was.OptionSet, now.OptionSet)
	d.flag(o, was.Unique, now.Unique, "it is unique now", "it is no longer unique")
	d.flag(o, was.OrgUnitScope, now.OrgUnitScope, "it is unique within an org unit now",
		"it is unique in the whole system now")
	d.flag(o, was.Generated, now.Generated, "DHIS2 generates its values now", "DHIS2 no longer generates its values")
	d.field(o, "pattern", was.Pattern, now.Pattern)
}

func (d *differ) element(was, now *DataElement) {
	o := object{DataElements, &now.Named, nil}
	d.field(o, "value type", was.ValueType, now.ValueType)
	d.field(o, "domain", was.DomainType, now.DomainType)
	d.ref(o, "option set", OptionSets, was.OptionSet, now.OptionSet)
	d.ref(o, "category combo", CategoryCombos, was.CategoryCombo, now.CategoryCombo)
	d.flag(o, was.ZeroIsSignificant, now.ZeroIsSignificant, "zeros are stored now", "zeros are no longer stored")
}

func (d *differ) dataSet(was, now *DataSet) {
	o := object{DataSets, &now.Named, nil}
	d.field(o, "period type", was.PeriodType, now.PeriodType)
	d.field(o, "open future periods", fmt.Sprint(was.OpenFuturePeriods), fmt.Sprint(now.OpenFuturePeriods))
	d.field(o, "expiry days", fmt.Sprint(was.ExpiryDays), fmt.Sprint(now.ExpiryDays))
	d.ref(o, "category combo", CategoryCombos, was.CategoryCombo, now.CategoryCombo)
	d.access(o, was.Access, now.Access)
	combos := func(s *DataSet) map[string]*Ref {
		m := map[string]*Ref{}
		for i := range s.Elements {
			m[s.Elements[i].DataElement.ID] = s.Elements[i].CategoryCombo
		}
		return m
	}
	before, after := combos(was), combos(now)
	d.members(o, DataElements, keys(before), keys(after), "data element %s is new in it",
		"data element %s is no longer in it")
	for _, e := range now.Elements {
		id := e.DataElement.ID
		if combo, stays := before[id]; stays && idOf(combo) != idOf(after[id]) {
			d.alter(o, []string{id}, "data element %s: %s", d.nameOf(DataElements, id),
				became("category combo", d.nameOf(CategoryCombos, idOf(combo)), d.nameOf(CategoryCombos, idOf(after[id]))))
		}
	}
	d.units(o, ids(was.OrgUnits), ids(now.OrgUnits))
}

func keys[V any](m map[string]V) map[string]bool {
	out := make(map[string]bool, len(m))
	for k := range m {
		out[k] = true
	}
	return out
}

func ids(refs []Ref) []string {
	list := make([]string, len(refs))
	for i, r := range refs {
		list[i] = r.ID
	}
	return list
}

func (d *differ) optionSet(was, now *OptionSet) {
	d.field(object{OptionSets, &now.Named, nil}, "value type", was.ValueType, now.ValueType)
}

func (d *differ) combo(was, now *CategoryCombo) {
	d.members(object{CategoryCombos, &now.Named, nil}, Categories, refSet(was.Categories), refSet(now.Categories),
		"category %s is new in it",
		"category %s is no longer in it")
}

func (d *differ) categoryOption(was, now *CategoryOption) {
	o := object{CategoryOptions, &now.Named, nil}
	d.field(o, "start", was.StartDate, now.StartDate)
	d.field(o, "end", was.EndDate, now.EndDate)
	d.access(o, was.Access, now.Access)
}

func (d *differ) relationshipType(was, now *RelationshipType) {
	o := object{RelationshipTypes, &now.Named, nil}
	for _, side := range []struct {
		name     string
		was, now Constraint
	}{{"from", was.From, now.From}, {"to", was.To, now.To}} {
		d.field(o, side.name+" entity", side.was.Entity, side.now.Entity)
		d.ref(o, side.name+" tracked entity type", TrackedEntityTypes, side.was.TrackedEntityType, side.now.TrackedEntityType)
		d.ref(o, side.name+" program", Programs, side.was.Program, side.now.Program)
		d.ref(o, side.name+" stage", ProgramStages, side.was.ProgramStage, side.now.ProgramStage)
	}
}

func (d *differ) orgUnit(was, now *OrgUnit) {
	o := object{OrgUnits, &now.Named, nil}
	d.ref(o, "parent", OrgUnits, was.Parent, now.Parent)
	if was.ClosedDate != now.ClosedDate {
		if now.ClosedDate == "" {
			d.alter(o, nil, "open again, it was closed on %s", was.ClosedDate)
		} else {
			d.alter(o, nil, "closed on %s", now.ClosedDate)
		}
	}
	d.field(o, "opening date", was.OpeningDate, now.OpeningDate)
	values := func(o *OrgUnit) map[string]string {
		m := map[string]string{}
		for _, v := range o.AttributeValues {
			m[v.Attribute.ID] = v.Value
		}
		return m
	}
	if len(was.AttributeValues)+len(now.AttributeValues) == 0 || slices.Equal(was.AttributeValues, now.AttributeValues) {
		return
	}
	before, after := values(was), values(now)
	for i := range d.fresh.Snapshot.Attributes {
		a := &d.fresh.Snapshot.Attributes[i]
		d.field(o, a.Name, before[a.ID], after[a.ID])
	}
}
