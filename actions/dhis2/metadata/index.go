package metadata

import (
	"slices"
	"strings"
	"sync"
)

// Index makes a snapshot searchable. It is read-only and safe for concurrent use.
type Index struct {
	Snapshot *Snapshot

	orgUnits      *finder[OrgUnit]
	groups        *finder[OrgUnitGroup]
	programs      *finder[Program]
	types         *finder[TrackedEntityType]
	attributes    *finder[TrackedEntityAttribute]
	elements      *finder[DataElement]
	dataSets      *finder[DataSet]
	optionSets    *finder[OptionSet]
	combos        *finder[CategoryCombo]
	optionCombos  *finder[CategoryOptionCombo]
	categories    *finder[Category]
	options       *finder[CategoryOption]
	relationships *finder[RelationshipType]
	metaAttrs     *finder[Attribute]

	stages  map[string]stageOf                // by uid
	ofCombo map[string][]*CategoryOptionCombo // option combos by their category combo
	former  *former
	scope   map[string]bool // uids of the org units that the user captures in

	programUnits, dataSetUnits map[string][]string // sorted uids
	sets                       sync.Map            // *OptionSet -> *optionIndex
	directory                  *directory
}

type stageOf struct {
	stage   *ProgramStage
	program *Program
}

// NewIndex builds the index of a snapshot.
func NewIndex(s *Snapshot) *Index {
	x := &Index{
		Snapshot: s,
		orgUnits: newFinder(OrgUnits, s.OrgUnits, func(o *OrgUnit) *Named { return &o.Named }),
		groups:   newFinder(OrgUnitGroups, s.OrgUnitGroups, func(o *OrgUnitGroup) *Named { return &o.Named }),
		programs: newFinder(Programs, s.Programs, func(o *Program) *Named { return &o.Named }),
		types: newFinder(TrackedEntityTypes, s.TrackedEntityTypes,
			func(o *TrackedEntityType) *Named { return &o.Named }),
		attributes: newFinder(TrackedEntityAttributes, s.TrackedEntityAttributes,
			func(o *TrackedEntityAttribute) *Named { return &o.Named }),
		elements:   newFinder(DataElements, s.DataElements, func(o *DataElement) *Named { return &o.Named }),
		dataSets:   newFinder(DataSets, s.DataSets, func(o *DataSet) *Named { return &o.Named }),
		optionSets: newFinder(OptionSets, s.OptionSets, func(o *OptionSet) *Named { return &o.Named }),
		combos:     newFinder(CategoryCombos, s.CategoryCombos, func(o *CategoryCombo) *Named { return &o.Named }),
		optionCombos: newFinder(CategoryOptionCombos, s.CategoryOptionCombos,
			func(o *CategoryOptionCombo) *Named { return &o.Named }),
		categories: newFinder(Categories, s.Categories, func(o *Category) *Named { return &o.Named }),
		options:    newFinder(CategoryOptions, s.CategoryOptions, func(o *CategoryOption) *Named { return &o.Named }),
		relationships: newFinder(RelationshipTypes, s.RelationshipTypes,
			func(o *RelationshipType) *Named { return &o.Named }),
		metaAttrs:    newFinder(Attributes, s.Attributes, func(o *Attribute) *Named { return &o.Named }),
		stages:       map[string]stageOf{},
		ofCombo:      map[string][]*CategoryOptionCombo{},
		former:       newFormer(s.Former),
		scope:        map[string]bool{},
		programUnits: map[string][]string{},
		dataSetUnits: map[string][]string{},
	}
	for i := range s.Programs {
		p := &s.Programs[i]
		x.programUnits[p.ID] = sorted(p.OrgUnits)
		for j := range p.Stages {
			x.stages[p.Stages[j].ID] = stageOf{&p.Stages[j], p}
		}
	}
	for i := range s.DataSets {
		units := make([]string, len(s.DataSets[i].OrgUnits))
		for j, ref := range s.DataSets[i].OrgUnits {
			units[j] = ref.ID
		}
		x.dataSetUnits[s.DataSets[i].ID] = sorted(units)
	}
	for i := range s.CategoryOptionCombos {
		c := &s.CategoryOptionCombos[i]
		x.ofCombo[c.CategoryCombo.ID] = append(x.ofCombo[c.CategoryCombo.ID], c)
	}
	for _, ref := range s.User.CaptureUnits {
		x.scope[ref.ID] = true
	}
	x.directory = newDirectory(x)
	return x
}

// sorted gives the uids in order, the slice itself when it is in order already.
func sorted(uids []string) []string {
	if slices.IsSorted(uids) {
		return uids
	}
	uids = slices.Clone(uids)
	slices.Sort(uids)
	return uids
}

// The finders below take what an implementer writes: a uid, a code or a name. Exactly one object
// must fit: ambiguous is non-empty (every candidate, "name (code, uid)") when several do, and
// suggestions holds the nearest names when none does. An object that none fits by what it is called
// now is still found by a name or code that it had at an earlier sync; Renamed tells.

// Program finds a program.
func (x *Index) Program(ref string) (p *Program, ambiguous, suggestions []string) {
	return x.programs.find(ref, nil, x.former)
}

// Stage finds a stage of a program.
func (x *Index) Stage(p *Program, ref string) (s *ProgramStage, ambiguous, suggestions []string) {
	if p == nil {
		return nil, nil, nil
	}
	f := newFinder(ProgramStages, p.Stages, func(o *ProgramStage) *Named { return &o.Named })
	return f.find(ref, nil, x.former)
}

// TrackedEntityType finds a tracked entity type.
func (x *Index) TrackedEntityType(ref string) (t *TrackedEntityType, ambiguous, suggestions []string) {
	return x.types.find(ref, nil, x.former)
}

// TrackedEntityAttribute finds an attribute among those of the uids given; nil uids: among all.
func (x *Index) TrackedEntityAttribute(ref string, among []string) (a *TrackedEntityAttribute, ambiguous,
	suggestions []string) {
	return x.attributes.find(ref, among, x.former)
}

// DataElement finds a data element among those of the uids given; nil uids: among all.
func (x *Index) DataElement(ref string, among []string) (e *DataElement, ambiguous, suggestions []string) {
	return x.elements.find(ref, among, x.former)
}

// DataSet finds a data set.
func (x *Index) DataSet(ref string) (d *DataSet, ambiguous, suggestions []string) {
	return x.dataSets.find(ref, nil, x.former)
}

// OptionSet finds an option set.
func (x *Index) OptionSet(ref string) (o *OptionSet, ambiguous, suggestions []string) {
	return x.optionSets.find(ref, nil, x.former)
}

// CategoryCombo finds a category combo.
func (x *Index) CategoryCombo(ref string) (c *CategoryCombo, ambiguous, suggestions []string) {
	return x.combos.find(ref, nil, x.former)
}

// OrgUnit finds an org unit by uid, code or name.
func (x *Index) OrgUnit(ref string) (o *OrgUnit, ambiguous, suggestions []string) {
	return x.orgUnits.find(ref, nil, x.former)
}

// CategoryOptionCombo finds a combo of a category combo, also by its options' names joined by a comma in any order.
func (x *Index) CategoryOptionCombo(categoryCombo, ref string) (c *CategoryOptionCombo, ambiguous,
	suggestions []string) {
	combos := x.ofCombo[categoryCombo]
	among := make([]string, len(combos))
	for i, c := range combos {
		among[i] = c.ID
	}
	c, ambiguous, suggestions = x.optionCombos.find(ref, among, x.former)
	if c != nil || len(ambiguous) > 0 {
		return c, ambiguous, suggestions
	}
	want := unorderedKey(ref)
	var fit []*CategoryOptionCombo
	for _, c := range combos {
		if want == unorderedKey(x.optionNames(c)) {
			fit = append(fit, c)
			ambiguous = append(ambiguous, describe(&c.Named))
		}
	}
	switch len(fit) {
	case 0:
		return nil, nil, suggestions
	case 1:
		return fit[0], nil, nil
	}
	return nil, ambiguous, nil
}

func (x *Index) optionNames(c *CategoryOptionCombo) string {
	names := make([]string, len(c.CategoryOptions))
	for i, ref := range c.CategoryOptions {
		if o := x.options.byID(ref.ID); o != nil {
			names[i] = o.Name
		}
	}
	return strings.Join(names, ",")
}

// unorderedKey is the same for texts that differ only in the order of their comma separated parts.
// Names that hold a comma themselves are split on both sides alike.
func unorderedKey(s string) string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = spelled(parts[i])
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

// CategoryOption finds a category option of a category combo.
func (x *Index) CategoryOption(categoryCombo, ref string) (c *CategoryOption, ambiguous, suggestions []string) {
	among := []string{}
	if combo := x.combos.byID(categoryCombo); combo != nil {
		for _, r := range combo.Categories {
			if category := x.categories.byID(r.ID); category != nil {
				for _, o := range category.Options {
					among = append(among, o.ID)
				}
			}
		}
	}
	return x.options.find(ref, among, x.former)
}

// RelationshipType finds a relationship type.
func (x *Index) RelationshipType(ref string) (r *RelationshipType, ambiguous, suggestions []string) {
	return x.relationships.find(ref, nil, x.former)
}

// Renamed tells whether ref is no current uid, code or name in a collection but the former name or
// code of exactly one object: then its uid, and what takes ref's place (the new name for a name,
// the new code for a code, the name where there is no code).
func (x *Index) Renamed(collection, ref string) (uid, now string, ok bool) {
	return x.former.renamed(x, collection, ref)
}

// ByID lookups give nil for an unknown uid.
func (x *Index) OrgUnitByID(id string) *OrgUnit                     { return x.orgUnits.byID(id) }
func (x *Index) OrgUnitGroupByID(id string) *OrgUnitGroup           { return x.groups.byID(id) }
func (x *Index) DataElementByID(id string) *DataElement             { return x.elements.byID(id) }
func (x *Index) AttributeByID(id string) *TrackedEntityAttribute    { return x.attributes.byID(id) }
func (x *Index) TrackedEntityTypeByID(id string) *TrackedEntityType { return x.types.byID(id) }
func (x *Index) OptionSetByID(id string) *OptionSet                 { return x.optionSets.byID(id) }
func (x *Index) CategoryComboByID(id string) *CategoryCombo         { return x.combos.byID(id) }
func (x *Index) CategoryOptionComboByID(id string) *CategoryOptionCombo {
	return x.optionCombos.byID(id)
}
func (x *Index) CategoryOptionByID(id string) *CategoryOption { return x.options.byID(id) }
func (x *Index) ProgramByID(id string) *Program               { return x.programs.byID(id) }
func (x *Index) DataSetByID(id string) *DataSet               { return x.dataSets.byID(id) }
func (x *Index) CombosOf(categoryCombo string) []*CategoryOptionCombo {
	return x.ofCombo[categoryCombo]
}

// StageByID gives a stage with its program; nil for an unknown uid.
func (x *Index) StageByID(id string) (*ProgramStage, *Program) {
	s := x.stages[id]
	return s.stage, s.program
}

// DefaultCombo is the uid of the default category combo, and DefaultOptionCombo of its only option
// combo; empty when the snapshot has none.
func (x *Index) DefaultCombo() string {
	for i := range x.Snapshot.CategoryCombos {
		if c := &x.Snapshot.CategoryCombos[i]; c.Default || c.Name == "default" {
			return c.ID
		}
	}
	return ""
}

// DefaultOptionCombo is the uid of the only option combo of the default category combo.
func (x *Index) DefaultOptionCombo() string {
	if combos := x.ofCombo[x.DefaultCombo()]; len(combos) > 0 {
		return combos[0].ID
	}
	return ""
}

// ProgramHasOrgUnit tells whether a program is assigned to an org unit; DataSetHasOrgUnit the same for data sets.
func (x *Index) ProgramHasOrgUnit(program, orgUnit string) bool {
	_, ok := slices.BinarySearch(x.programUnits[program], orgUnit)
	return ok
}

// DataSetHasOrgUnit tells whether a data set is assigned to an org unit.
func (x *Index) DataSetHasOrgUnit(dataSet, orgUnit string) bool {
	_, ok := slices.BinarySearch(x.dataSetUnits[dataSet], orgUnit)
	return ok
}

// InCaptureScope tells whether the syncing user may write to an org unit: it is one of the user's, or below one.
func (x *Index) InCaptureScope(orgUnit string) bool {
	o := x.orgUnits.byID(orgUnit)
	if o == nil {
		return x.scope[orgUnit]
	}
	if x.scope[o.ID] {
		return true
	}
	for rest := o.Path; rest != ""; {
		var id string
		id, rest, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
		if x.scope[id] {
			return true
		}
	}
	return false
}
