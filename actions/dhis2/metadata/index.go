package metadata

// Index makes a snapshot searchable. It is read-only and safe for concurrent use.
type Index struct {
	Snapshot *Snapshot
}

// NewIndex builds the index of a snapshot.
func NewIndex(s *Snapshot) *Index { panic("unwritten") }

// The finders below take what an implementer writes: a uid, a code or a name. Exactly one object must fit: ambiguous is non-empty (every
// candidate, "name (code, uid)") when several do, and suggestions holds the nearest names when none does.

// Program finds a program.
func (x *Index) Program(ref string) (p *Program, ambiguous, suggestions []string) { panic("unwritten") }

// Stage finds a stage of a program.
func (x *Index) Stage(p *Program, ref string) (s *ProgramStage, ambiguous, suggestions []string) {
	panic("unwritten")
}

// TrackedEntityType finds a tracked entity type.
func (x *Index) TrackedEntityType(ref string) (t *TrackedEntityType, ambiguous, suggestions []string) {
	panic("unwritten")
}

// TrackedEntityAttribute finds an attribute among those of the uids given; nil uids: among all.
func (x *Index) TrackedEntityAttribute(ref string, among []string) (a *TrackedEntityAttribute, ambiguous, suggestions []string) {
	panic("unwritten")
}

// DataElement finds a data element among those of the uids given; nil uids: among all.
func (x *Index) DataElement(ref string, among []string) (e *DataElement, ambiguous, suggestions []string) {
	panic("unwritten")
}

// DataSet finds a data set.
func (x *Index) DataSet(ref string) (d *DataSet, ambiguous, suggestions []string) { panic("unwritten") }

// OrgUnit finds an org unit by uid, code or name.
func (x *Index) OrgUnit(ref string) (o *OrgUnit, ambiguous, suggestions []string) { panic("unwritten") }

// CategoryOptionCombo finds a combo of a category combo, also by its options' names joined by a comma in any order.
func (x *Index) CategoryOptionCombo(categoryCombo, ref string) (c *CategoryOptionCombo, ambiguous, suggestions []string) {
	panic("unwritten")
}

// CategoryOption finds a category option of a category combo.
func (x *Index) CategoryOption(categoryCombo, ref string) (c *CategoryOption, ambiguous, suggestions []string) {
	panic("unwritten")
}

// RelationshipType finds a relationship type.
func (x *Index) RelationshipType(ref string) (r *RelationshipType, ambiguous, suggestions []string) {
	panic("unwritten")
}

// ByID lookups give nil for an unknown uid.
func (x *Index) OrgUnitByID(id string) *OrgUnit                         { panic("unwritten") }
func (x *Index) DataElementByID(id string) *DataElement                 { panic("unwritten") }
func (x *Index) AttributeByID(id string) *TrackedEntityAttribute        { panic("unwritten") }
func (x *Index) TrackedEntityTypeByID(id string) *TrackedEntityType     { panic("unwritten") }
func (x *Index) OptionSetByID(id string) *OptionSet                     { panic("unwritten") }
func (x *Index) CategoryComboByID(id string) *CategoryCombo             { panic("unwritten") }
func (x *Index) CategoryOptionComboByID(id string) *CategoryOptionCombo { panic("unwritten") }
func (x *Index) ProgramByID(id string) *Program                         { panic("unwritten") }
func (x *Index) CombosOf(categoryCombo string) []*CategoryOptionCombo   { panic("unwritten") }

// DefaultCombo is the uid of the default category combo, and DefaultOptionCombo of its only option combo.
func (x *Index) DefaultCombo() string       { panic("unwritten") }
func (x *Index) DefaultOptionCombo() string { panic("unwritten") }

// ProgramHasOrgUnit tells whether a program is assigned to an org unit; DataSetHasOrgUnit the same for data sets.
func (x *Index) ProgramHasOrgUnit(program, orgUnit string) bool { panic("unwritten") }
func (x *Index) DataSetHasOrgUnit(dataSet, orgUnit string) bool { panic("unwritten") }

// InCaptureScope tells whether the syncing user may write to an org unit.
func (x *Index) InCaptureScope(orgUnit string) bool { panic("unwritten") }
