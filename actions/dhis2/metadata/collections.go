package metadata

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Names of the collections as DHIS2's API and the files of a snapshot spell them.
const (
	OrgUnits                = "organisationUnits"
	OrgUnitLevels           = "organisationUnitLevels"
	Attributes              = "attributes"
	TrackedEntityTypes      = "trackedEntityTypes"
	TrackedEntityAttributes = "trackedEntityAttributes"
	Programs                = "programs"
	ProgramStages           = "programStages" // inside programs; not a file of its own
	DataElements            = "dataElements"
	DataSets                = "dataSets"
	OptionSets              = "optionSets"
	OptionsInSets           = "options" // inside option sets; not a file of its own
	CategoryCombos          = "categoryCombos"
	CategoryOptionCombos    = "categoryOptionCombos"
	Categories              = "categories"
	CategoryOptions         = "categoryOptions"
	RelationshipTypes       = "relationshipTypes"
	ProgramRules            = "programRules"
	ProgramRuleVariables    = "programRuleVariables"
	Constants               = "constants"
	OrgUnitGroups           = "organisationUnitGroups"
	Users                   = "users"
)

// formerNames is the file of Snapshot.Former; the server knows no such collection.
const formerNames = "names"

// collection is what sync, disk, index and diff need to know of one list of a snapshot.
type collection interface {
	// title is the collection's name.
	title() string
	// size is how many objects a snapshot holds of it.
	size(s *Snapshot) int
	// encode gives the collection as it lies on disk.
	encode(s *Snapshot) ([]byte, error)
	// decode fills the snapshot from the text of a file. Its errors start with the line.
	decode(text string, s *Snapshot) error
	// arrange brings the objects into the order that they have on disk, the first of two with the same uid kept.
	arrange(s *Snapshot)
	// query says what to ask a server for, and how many objects at a time; no fields: the server does not have it.
	query() (fields string, page int)
	// changes tells whether a server's lastUpdated covers every change of what is read, so that only
	// changed objects need reading.
	changes() bool
	// ids gives the uids that a snapshot holds of it.
	ids(s *Snapshot) map[string]bool
	// clear empties it; keep drops the objects whose uid is not among those given; take copies it from another snapshot.
	clear(s *Snapshot)
	keep(s *Snapshot, ids map[string]bool)
	take(s, from *Snapshot)
	// join adds another snapshot's objects.
	join(s, from *Snapshot)
	// add decodes an object as a server gives it and appends it.
	add(object json.RawMessage, s *Snapshot) error
}

// set is the collection of one type.
type set[T any] struct {
	name   string
	fields string // what sync asks for; empty: not on the server
	page   int    // objects a page, fewer where objects are large
	dated  bool   // what changes answers
	of     func(*Snapshot) *[]T
	id     func(*T) string
	parse  func(line string, into *T) bool // quick reading of the usual case; nil or false: encoding/json does it
	parts  func(*T) (whole *T, list []any) // its last property, a list, is written with a line for each entry
	tidy   func(*T)                        // orders and shortens what a server answers in any order and length
}

func (c set[T]) title() string        { return c.name }
func (c set[T]) size(s *Snapshot) int { return len(*c.of(s)) }

func (c set[T]) query() (string, int)   { return c.fields, c.page }
func (c set[T]) changes() bool          { return c.dated }
func (c set[T]) clear(s *Snapshot)      { *c.of(s) = nil }
func (c set[T]) take(s, from *Snapshot) { *c.of(s) = slices.Clone(*c.of(from)) }

func (c set[T]) join(s, from *Snapshot) { *c.of(s) = append(*c.of(s), *c.of(from)...) }

func (c set[T]) ids(s *Snapshot) map[string]bool {
	ids := make(map[string]bool, c.size(s))
	for i := range *c.of(s) {
		ids[c.id(&(*c.of(s))[i])] = true
	}
	return ids
}

func (c set[T]) keep(s *Snapshot, ids map[string]bool) {
	*c.of(s) = slices.DeleteFunc(*c.of(s), func(x T) bool { return !ids[c.id(&x)] })
}

func (c set[T]) add(object json.RawMessage, s *Snapshot) error {
	var x T
	if err := json.Unmarshal(object, &x); err != nil {
		return fmt.Errorf("an object of %s: %w", c.name, plainJSON(err))
	}
	if c.id(&x) == "" {
		return fmt.Errorf("an object of %s has no id", c.name)
	}
	list := c.of(s)
	*list = append(*list, x)
	return nil
}

func (c set[T]) arrange(s *Snapshot) {
	list := c.of(s)
	if c.tidy != nil {
		for i := range *list {
			c.tidy(&(*list)[i])
		}
	}
	order := func(a, b T) int { return cmp.Compare(c.id(&a), c.id(&b)) }
	if !slices.IsSortedFunc(*list, order) {
		slices.SortStableFunc(*list, order)
	}
	*list = slices.CompactFunc(*list, func(a, b T) bool { return c.id(&a) == c.id(&b) })
}

// collections lists every collection, in the order that sync reads them: what others point to comes
// later, so that an object that is added in the meantime is not pointed to and missing.
func collections() []collection {
	return []collection{
		set[OrgUnitLevel]{name: OrgUnitLevels, fields: "id,name,level", page: 1000,
			of: func(s *Snapshot) *[]OrgUnitLevel { return &s.OrgUnitLevels },
			id: func(x *OrgUnitLevel) string { return x.ID }},
		set[Program]{name: Programs, page: 20, of: func(s *Snapshot) *[]Program { return &s.Programs }, fields: programFields,
			id: func(x *Program) string { return x.ID }, tidy: (*Program).tidy},
		set[ProgramRule]{name: ProgramRules, page: 500,
			fields: "id,name,program[id],programStage[id],priority,condition," +
				"programRuleActions[id,programRuleActionType,content,data,priority,dataElement[id],trackedEntityAttribute[id]," +
				"programStage[id]]",
			of: func(s *Snapshot) *[]ProgramRule { return &s.ProgramRules },
			id: func(x *ProgramRule) string { return x.ID }, tidy: (*ProgramRule).tidy},
		set[ProgramRuleVariable]{name: ProgramRuleVariables, page: 1000,
			fields: "id,name,program[id],programRuleVariableSourceType,dataElement[id],trackedEntityAttribute[id]," +
				"programStage[id],valueType,useCodeForOptionSet",
			of: func(s *Snapshot) *[]ProgramRuleVariable { return &s.ProgramRuleVariables },
			id: func(x *ProgramRuleVariable) string { return x.ID }},
		set[Constant]{name: Constants, page: 1000, fields: "id,code,name,value",
			of: func(s *Snapshot) *[]Constant { return &s.Constants },
			id: func(x *Constant) string { return x.ID }},
		set[RelationshipType]{name: RelationshipTypes, page: 200,
			fields: "id,code,name,bidirectional,fromConstraint[relationshipEntity,trackedEntityType[id],program[id]," +
				"programStage[id]]," +
				"toConstraint[relationshipEntity,trackedEntityType[id],program[id],programStage[id]]",
			of: func(s *Snapshot) *[]RelationshipType { return &s.RelationshipTypes },
			id: func(x *RelationshipType) string { return x.ID }},
		set[TrackedEntityType]{name: TrackedEntityTypes, page: 200,
			fields: "id,code,name,featureType,trackedEntityTypeAttributes[mandatory,searchable,trackedEntityAttribute[id]]," +
				"access[data]",
			of: func(s *Snapshot) *[]TrackedEntityType { return &s.TrackedEntityTypes },
			id: func(x *TrackedEntityType) string { return x.ID }},
		set[TrackedEntityAttribute]{name: TrackedEntityAttributes, page: 500, dated: true,
			fields: "id,code,name,valueType,unique,orgunitScope,generated,pattern,confidential,optionSet[id]," + translated,
			of:     func(s *Snapshot) *[]TrackedEntityAttribute { return &s.TrackedEntityAttributes },
			id:     func(x *TrackedEntityAttribute) string { return x.ID }},
		set[DataSet]{name: DataSets, page: 10,
			fields: "id,code,name,periodType,openFuturePeriods,expiryDays,categoryCombo[id],access[data]," +
				"dataSetElements[dataElement[id],categoryCombo[id]],organisationUnits[id]," +
				"compulsoryDataElementOperands[dataElement[id],categoryOptionCombo[id]]," + translated,
			of: func(s *Snapshot) *[]DataSet { return &s.DataSets },
			id: func(x *DataSet) string { return x.ID }, tidy: (*DataSet).tidy},
		set[DataElement]{name: DataElements, page: 1000, dated: true,
			fields: "id,code,name,valueType,domainType,zeroIsSignificant,aggregationType,optionSet[id],categoryCombo[id]," +
				translated,
			of: func(s *Snapshot) *[]DataElement { return &s.DataElements },
			id: func(x *DataElement) string { return x.ID }},
		set[OptionSet]{name: OptionSets, page: 50, fields: "id,code,name,valueType,options[id,code,name,sortOrder]",
			of: func(s *Snapshot) *[]OptionSet { return &s.OptionSets },
			id: func(x *OptionSet) string { return x.ID }, tidy: (*OptionSet).tidy, parts: (*OptionSet).parts},
		set[CategoryCombo]{name: CategoryCombos, page: 500, fields: "id,code,name,dataDimensionType,isDefault,categories[id]",
			of: func(s *Snapshot) *[]CategoryCombo { return &s.CategoryCombos },
			id: func(x *CategoryCombo) string { return x.ID }},
		set[CategoryOptionCombo]{name: CategoryOptionCombos, page: 1000, dated: true,
			fields: "id,code,name,categoryCombo[id],categoryOptions[id]",
			of:     func(s *Snapshot) *[]CategoryOptionCombo { return &s.CategoryOptionCombos },
			id:     func(x *CategoryOptionCombo) string { return x.ID }, tidy: (*CategoryOptionCombo).tidy},
		set[Category]{name: Categories, page: 200, fields: "id,code,name,categoryOptions[id]",
			of: func(s *Snapshot) *[]Category { return &s.Categories },
			id: func(x *Category) string { return x.ID }},
		set[CategoryOption]{name: CategoryOptions, page: 1000, fields: "id,code,name,startDate,endDate,access[data]",
			of: func(s *Snapshot) *[]CategoryOption { return &s.CategoryOptions },
			id: func(x *CategoryOption) string { return x.ID }, tidy: (*CategoryOption).tidy},
		set[Attribute]{name: Attributes, page: 500, fields: "id,code,name,valueType,unique,organisationUnitAttribute",
			of: func(s *Snapshot) *[]Attribute { return &s.Attributes },
			id: func(x *Attribute) string { return x.ID }},
		set[OrgUnit]{name: OrgUnits, page: 2000, dated: true,
			fields: "id,code,name,shortName,level,path,parent[id],openingDate,closedDate,attributeValues[attribute[id],value]",
			of:     func(s *Snapshot) *[]OrgUnit { return &s.OrgUnits },
			id:     func(x *OrgUnit) string { return x.ID }, parse: parseOrgUnit, tidy: (*OrgUnit).tidy},
		set[OrgUnitGroup]{name: OrgUnitGroups, // read by readUnitGroups
			of: func(s *Snapshot) *[]OrgUnitGroup { return &s.OrgUnitGroups },
			id: func(x *OrgUnitGroup) string { return x.ID }, tidy: (*OrgUnitGroup).tidy},
		set[Account]{name: Users, // read by readUsers
			of: func(s *Snapshot) *[]Account { return &s.Users },
			id: func(x *Account) string { return x.ID }},
		set[FormerNames]{name: formerNames,
			of: func(s *Snapshot) *[]FormerNames { return &s.Former },
			id: func(x *FormerNames) string { return x.ID }},
	}
}

const programFields = translated + ",id,code,name,programType,trackedEntityType[id],onlyEnrollOnce,selectEnrollmentDatesInFuture," +
	"selectIncidentDatesInFuture,displayIncidentDate,expiryDays,expiryPeriodType,completeEventsExpiryDays,accessLevel," +
	"featureType," +
	"categoryCombo[id],enrollmentCategoryCombo[id],access[data]," + // servers pass over fields that they do not know
	"programTrackedEntityAttributes[sortOrder,mandatory,allowFutureDate,searchable,trackedEntityAttribute[id]]," +
	"programStages[" + translated + ",id,code,name,repeatable,validationStrategy,sortOrder,enableUserAssignment,featureType,access[data]," +
	"programStageDataElements[sortOrder,compulsory,allowFutureDate,dataElement[id]]]"

// The tidy methods give lists that DHIS2 answers in any order an order of their own, so that two
// syncs of the same metadata are equal.

func (p *Program) tidy() {
	slices.Sort(p.OrgUnits)
	slices.SortStableFunc(p.Stages, func(a, b ProgramStage) int {
		return cmp.Or(cmp.Compare(a.SortOrder, b.SortOrder), cmp.Compare(a.ID, b.ID))
	})
	// What shares a sort order comes in any order.
	slices.SortStableFunc(p.Attributes, func(a, b ProgramAttribute) int {
		return cmp.Or(cmp.Compare(a.SortOrder, b.SortOrder), byRef(a.Attribute, b.Attribute))
	})
	for _, st := range p.Stages {
		slices.SortStableFunc(st.DataElements, func(a, b StageElement) int {
			return cmp.Or(cmp.Compare(a.SortOrder, b.SortOrder), byRef(a.DataElement, b.DataElement))
		})
	}
}

func (g *OrgUnitGroup) tidy() { slices.SortFunc(g.OrgUnits, byRef) }

func (r *ProgramRule) tidy() {
	slices.SortFunc(r.Actions, func(a, b ProgramRuleAction) int { return cmp.Compare(a.ID, b.ID) })
}

func (d *DataSet) tidy() {
	slices.SortFunc(d.OrgUnits, byRef)
	slices.SortFunc(d.Elements, func(a, b DataSetElement) int { return byRef(a.DataElement, b.DataElement) })
	slices.SortFunc(d.Compulsory, func(a, b Operand) int {
		return cmp.Or(byRef(a.DataElement, b.DataElement),
			cmp.Compare(idOf(a.CategoryOptionCombo), idOf(b.CategoryOptionCombo)))
	})
}

func (o *OptionSet) tidy() {
	slices.SortStableFunc(o.Options, func(a, b Option) int {
		return cmp.Or(cmp.Compare(a.SortOrder, b.SortOrder), cmp.Compare(a.ID, b.ID))
	})
}

// parts: sets of coded diagnoses have tens of thousands of options.
func (o *OptionSet) parts() (*OptionSet, []any) {
	list := make([]any, len(o.Options))
	for i := range o.Options {
		list[i] = &o.Options[i]
	}
	whole := *o
	whole.Options = nil
	return &whole, list
}

func (c *CategoryOptionCombo) tidy() { slices.SortFunc(c.CategoryOptions, byRef) }

func (c *CategoryOption) tidy() {
	c.StartDate, c.EndDate = shortDate(c.StartDate), shortDate(c.EndDate)
}

func (o *OrgUnit) tidy() {
	o.OpeningDate, o.ClosedDate = shortDate(o.OpeningDate), shortDate(o.ClosedDate)
	slices.SortFunc(o.AttributeValues, func(a, b AttributeValue) int { return byRef(a.Attribute, b.Attribute) })
}

// shortDate leaves out a time of midnight: DHIS2 means a day by it.
func shortDate(s string) string {
	if day, midnight := strings.CutSuffix(s, "T00:00:00.000"); midnight {
		return day
	}
	return s
}

func byRef(a, b Ref) int { return cmp.Compare(a.ID, b.ID) }

// idOf is the uid that an optional reference holds, or nothing.
func idOf(r *Ref) string {
	if r == nil {
		return ""
	}
	return r.ID
}
