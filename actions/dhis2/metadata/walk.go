package metadata

import "iter"

// object is any named object of a snapshot, with what it lies in.
type object struct {
	collection string
	named      *Named
	parent     *Named // the program of a stage, the option set of an option
}

// everyObject walks all named objects of a snapshot, stages and options included.
func everyObject(s *Snapshot) iter.Seq[object] {
	return func(yield func(object) bool) {
		_ = each(s.Programs, func(o *Program) bool {
			return yield(object{Programs, &o.Named, nil}) && each(o.Stages, func(st *ProgramStage) bool {
				return yield(object{ProgramStages, &st.Named, &o.Named})
			})
		}) && each(s.TrackedEntityTypes, func(o *TrackedEntityType) bool {
			return yield(object{TrackedEntityTypes, &o.Named, nil})
		}) && each(s.TrackedEntityAttributes, func(o *TrackedEntityAttribute) bool {
			return yield(object{TrackedEntityAttributes, &o.Named, nil})
		}) && each(s.DataElements, func(o *DataElement) bool {
			return yield(object{DataElements, &o.Named, nil})
		}) && each(s.DataSets, func(o *DataSet) bool {
			return yield(object{DataSets, &o.Named, nil})
		}) && each(s.OptionSets, func(o *OptionSet) bool {
			return yield(object{OptionSets, &o.Named, nil}) && each(o.Options, func(op *Option) bool {
				return yield(object{OptionsInSets, &op.Named, &o.Named})
			})
		}) && each(s.CategoryCombos, func(o *CategoryCombo) bool {
			return yield(object{CategoryCombos, &o.Named, nil})
		}) && each(s.CategoryOptionCombos, func(o *CategoryOptionCombo) bool {
			return yield(object{CategoryOptionCombos, &o.Named, nil})
		}) && each(s.Categories, func(o *Category) bool {
			return yield(object{Categories, &o.Named, nil})
		}) && each(s.CategoryOptions, func(o *CategoryOption) bool {
			return yield(object{CategoryOptions, &o.Named, nil})
		}) && each(s.RelationshipTypes, func(o *RelationshipType) bool {
			return yield(object{RelationshipTypes, &o.Named, nil})
		}) && each(s.Attributes, func(o *Attribute) bool {
			return yield(object{Attributes, &o.Named, nil})
		}) && each(s.OrgUnitLevels, func(o *OrgUnitLevel) bool {
			return yield(object{OrgUnitLevels, &o.Named, nil})
		}) && each(s.OrgUnitGroups, func(o *OrgUnitGroup) bool {
			return yield(object{OrgUnitGroups, &o.Named, nil})
		}) && each(s.Users, func(o *Account) bool {
			return yield(object{Users, &o.Named, nil})
		}) && each(s.OrgUnits, func(o *OrgUnit) bool {
			return yield(object{OrgUnits, &o.Named, nil})
		})
	}
}

// each calls do with every element and tells whether it was never stopped.
func each[T any](list []T, do func(*T) bool) bool {
	for i := range list {
		if !do(&list[i]) {
			return false
		}
	}
	return true
}

// everything gives all named objects by uid.
func everything(s *Snapshot) map[string]object {
	all := make(map[string]object, len(s.OrgUnits)+len(s.DataElements)+1000)
	for o := range everyObject(s) {
		all[o.named.ID] = o
	}
	return all
}
