// Package metadata is what Culvert knows of one DHIS2 server: the sync that reads it, the snapshot
// on disk, the index that rules are checked against, the differences between two snapshots, and the
// nearest names.
package metadata

import (
	"time"

	"github.com/culvert/culvert/rules/geo"
)

// Snapshot is the metadata of one server as of the last sync. It is read-only once built; NewIndex makes it searchable.
type Snapshot struct {
	Server                  ServerInfo
	User                    User
	OrgUnits                []OrgUnit
	OrgUnitLevels           []OrgUnitLevel
	Attributes              []Attribute
	TrackedEntityTypes      []TrackedEntityType
	TrackedEntityAttributes []TrackedEntityAttribute
	Programs                []Program
	DataElements            []DataElement
	DataSets                []DataSet
	OptionSets              []OptionSet
	CategoryCombos          []CategoryCombo
	CategoryOptionCombos    []CategoryOptionCombo
	Categories              []Category
	CategoryOptions         []CategoryOption
	RelationshipTypes       []RelationshipType
	ProgramRules            []ProgramRule
	ProgramRuleVariables    []ProgramRuleVariable
	Constants               []Constant
	// OrgUnitGroups come without their members, which may be as many as a country's org units, but for those that
	// program rules ask about and where rules ask for groups; see Holds.
	OrgUnitGroups []OrgUnitGroup
	// Users are read where rules ask for users alone.
	Users []Account
	// Former holds the names and codes that objects had at earlier syncs, by which rules may still call them.
	Former []FormerNames
}

// FormerNames is what one object was called before, latest first.
type FormerNames struct {
	ID         string   `json:"id"`
	Collection string   `json:"collection"` // DHIS2's plural name: dataElements
	Names      []string `json:"names,omitempty"`
	Codes      []string `json:"codes,omitempty"`
}

// ServerInfo says which server a snapshot is of, and when it was read.
type ServerInfo struct {
	URL      string    `json:"url"`
	Version  string    `json:"version"` // as the server says it: 2.42.4.1
	SystemID string    `json:"systemId,omitempty"`
	Name     string    `json:"systemName,omitempty"`
	Calendar string    `json:"calendar"`
	Zone     string    `json:"serverTimeZoneId"`
	Synced   time.Time `json:"synced"`          // ours
	AsOf     string    `json:"asOf"`            // the server's own clock, where the next incremental sync starts
	Format   int       `json:"format"`          // of the snapshot on disk
	Hash     string    `json:"hash,omitempty"`  // of its content
	Full     time.Time `json:"full,omitzero"`   // when every object was last read, not only changed ones
	Reads    int       `json:"reads,omitempty"` // what a sync reads: see reads
	Area     *geo.Area `json:"area,omitempty"`  // where the country lies; nil when the org units do not tell
	Holds    []string  `json:"holds,omitempty"` // what not every snapshot has: HoldsGroups and so on
}

// User is the account that syncs and delivers, with what it may do.
type User struct {
	ID           string   `json:"id"`
	Username     string   `json:"username"`
	Authorities  []string `json:"authorities"`
	CaptureUnits []Ref    `json:"organisationUnits"`
	SearchUnits  []Ref    `json:"teiSearchOrganisationUnits"`
	Programs     []string `json:"programs"`
	DataSets     []string `json:"dataSets"`
}

// Ref points to another object by its uid.
type Ref struct {
	ID string `json:"id"`
}

// Named is what every metadata object has.
type Named struct {
	ID   string `json:"id"`
	Code string `json:"code,omitempty"`
	Name string `json:"name"`
	// Translations are read of programs, stages, data sets, data elements and attributes.
	Translations Translations `json:"translations,omitempty"`
}

// AttributeValue is the value of a metadata attribute on an object.
type AttributeValue struct {
	Attribute Ref    `json:"attribute"`
	Value     string `json:"value"`
}

// DataAccess tells what the syncing user may do with data of an object.
type DataAccess struct {
	Data struct {
		Read  bool `json:"read"`
		Write bool `json:"write"`
	} `json:"data"`
}

// OrgUnit is an organisation unit. Path is /top/.../own uid.
type OrgUnit struct {
	Named
	ShortName       string           `json:"shortName,omitempty"`
	Level           int              `json:"level"`
	Path            string           `json:"path"`
	Parent          *Ref             `json:"parent,omitempty"`
	OpeningDate     string           `json:"openingDate,omitempty"` // yyyy-mm-dd...
	ClosedDate      string           `json:"closedDate,omitempty"`
	AttributeValues []AttributeValue `json:"attributeValues,omitempty"`
}

// OrgUnitLevel names a level of the hierarchy.
type OrgUnitLevel struct {
	Named
	Level int `json:"level"`
}

// Attribute is a metadata attribute, such as a facility registry's number on org units.
type Attribute struct {
	Named
	ValueType string `json:"valueType"`
	Unique    bool   `json:"unique"`
	OrgUnit   bool   `json:"organisationUnitAttribute"`
}

// TrackedEntityType is what kind of thing is tracked: a person, a sample.
type TrackedEntityType struct {
	Named
	Attributes  []TypeAttribute `json:"trackedEntityTypeAttributes"`
	Access      DataAccess      `json:"access"`
	FeatureType string          `json:"featureType,omitempty"`
}

// TypeAttribute is the use of an attribute by a tracked entity type.
type TypeAttribute struct {
	Mandatory  bool `json:"mandatory"`
	Searchable bool `json:"searchable"`
	Attribute  Ref  `json:"trackedEntityAttribute"`
}

// TrackedEntityAttribute is an attribute of tracked entities.
type TrackedEntityAttribute struct {
	Named
	ValueType    string `json:"valueType"`
	Unique       bool   `json:"unique"`
	OrgUnitScope bool   `json:"orgunitScope"`
	Generated    bool   `json:"generated"`
	Pattern      string `json:"pattern,omitempty"`
	OptionSet    *Ref   `json:"optionSet,omitempty"`
	Confidential bool   `json:"confidential,omitempty"`
}

// Program types.
const (
	WithRegistration    = "WITH_REGISTRATION"
	WithoutRegistration = "WITHOUT_REGISTRATION"
)

// Program is a tracker or an event program.
type Program struct {
	Named
	Type                          string             `json:"programType"`
	TrackedEntityType             *Ref               `json:"trackedEntityType,omitempty"`
	OnlyEnrollOnce                bool               `json:"onlyEnrollOnce"`
	SelectEnrollmentDatesInFuture bool               `json:"selectEnrollmentDatesInFuture"`
	SelectIncidentDatesInFuture   bool               `json:"selectIncidentDatesInFuture"`
	DisplayIncidentDate           bool               `json:"displayIncidentDate"`
	ExpiryDays                    int                `json:"expiryDays"`
	ExpiryPeriodType              string             `json:"expiryPeriodType,omitempty"`
	CompleteEventsExpiryDays      int                `json:"completeEventsExpiryDays"`
	AccessLevel                   string             `json:"accessLevel,omitempty"`
	FeatureType                   string             `json:"featureType,omitempty"`
	CategoryCombo                 *Ref               `json:"categoryCombo,omitempty"`
	EnrollmentCategoryCombo       *Ref               `json:"enrollmentCategoryCombo,omitempty"` // of enrollments, from 2.43 on
	Access                        DataAccess         `json:"access"`
	Attributes                    []ProgramAttribute `json:"programTrackedEntityAttributes"`
	Stages                        []ProgramStage     `json:"programStages"`
	OrgUnits                      []string           `json:"organisationUnits,omitempty"` // uids, sorted
}

// ProgramAttribute is the use of an attribute by a program.
type ProgramAttribute struct {
	SortOrder       int  `json:"sortOrder"`
	Mandatory       bool `json:"mandatory"`
	AllowFutureDate bool `json:"allowFutureDate"`
	Searchable      bool `json:"searchable"`
	Attribute       Ref  `json:"trackedEntityAttribute"`
}

// ProgramStage is one stage of a program.
type ProgramStage struct {
	Named
	Repeatable           bool           `json:"repeatable"`
	ValidationStrategy   string         `json:"validationStrategy"` // ON_COMPLETE, ON_UPDATE_AND_INSERT
	SortOrder            int            `json:"sortOrder"`
	EnableUserAssignment bool           `json:"enableUserAssignment"`
	FeatureType          string         `json:"featureType,omitempty"`
	Access               DataAccess     `json:"access"`
	DataElements         []StageElement `json:"programStageDataElements"`
}

// StageElement is the use of a data element by a stage.
type StageElement struct {
	SortOrder       int  `json:"sortOrder"`
	Compulsory      bool `json:"compulsory"`
	AllowFutureDate bool `json:"allowFutureDate"`
	DataElement     Ref  `json:"dataElement"`
}

// DataElement is a data element of events (TRACKER) or of data sets (AGGREGATE).
type DataElement struct {
	Named
	ValueType         string `json:"valueType"`
	DomainType        string `json:"domainType"`
	ZeroIsSignificant bool   `json:"zeroIsSignificant"`
	AggregationType   string `json:"aggregationType,omitempty"`
	OptionSet         *Ref   `json:"optionSet,omitempty"`
	CategoryCombo     *Ref   `json:"categoryCombo,omitempty"`
}

// DataSet is a form of aggregate data.
type DataSet struct {
	Named
	PeriodType        string           `json:"periodType"`
	OpenFuturePeriods int              `json:"openFuturePeriods"`
	ExpiryDays        float64          `json:"expiryDays"`
	CategoryCombo     *Ref             `json:"categoryCombo,omitempty"`
	Access            DataAccess       `json:"access"`
	Elements          []DataSetElement `json:"dataSetElements"`
	OrgUnits          []Ref            `json:"organisationUnits"`
	Compulsory        []Operand        `json:"compulsoryDataElementOperands,omitempty"`
}

// DataSetElement is the use of a data element by a data set; CategoryCombo overrides the element's own.
type DataSetElement struct {
	DataElement   Ref  `json:"dataElement"`
	CategoryCombo *Ref `json:"categoryCombo,omitempty"`
}

// Operand is one cell of a data set.
type Operand struct {
	DataElement         Ref  `json:"dataElement"`
	CategoryOptionCombo *Ref `json:"categoryOptionCombo,omitempty"`
}

// OptionSet is a closed list of values.
type OptionSet struct {
	Named
	ValueType string   `json:"valueType"`
	Options   []Option `json:"options"`
}

// Option is one entry of an option set; data holds its code.
type Option struct {
	Named
	SortOrder int `json:"sortOrder"`
}

// CategoryCombo splits data values by categories.
type CategoryCombo struct {
	Named
	DataDimensionType string `json:"dataDimensionType"`
	Default           bool   `json:"isDefault"`
	Categories        []Ref  `json:"categories"`
}

// CategoryOptionCombo is one cell of a category combo.
type CategoryOptionCombo struct {
	Named
	CategoryCombo   Ref   `json:"categoryCombo"`
	CategoryOptions []Ref `json:"categoryOptions"`
}

// Category is one dimension of a category combo.
type Category struct {
	Named
	Options []Ref `json:"categoryOptions"`
}

// CategoryOption is one value of a category.
type CategoryOption struct {
	Named
	StartDate string     `json:"startDate,omitempty"`
	EndDate   string     `json:"endDate,omitempty"`
	Access    DataAccess `json:"access"`
}

// RelationshipType is a kind of link between two tracked entities, enrollments or events.
type RelationshipType struct {
	Named
	Bidirectional bool       `json:"bidirectional"`
	From          Constraint `json:"fromConstraint"`
	To            Constraint `json:"toConstraint"`
}

// Constraint says what may stand on one side of a relationship.
type Constraint struct {
	Entity            string `json:"relationshipEntity"`
	TrackedEntityType *Ref   `json:"trackedEntityType,omitempty"`
	Program           *Ref   `json:"program,omitempty"`
	ProgramStage      *Ref   `json:"programStage,omitempty"`
}

// ProgramRule is a check or effect that the server runs on data entry. Of those without a stage the
// condition holds for every event and for enrollments; the lowest priority comes first, none last.
type ProgramRule struct {
	ID        string              `json:"id"`
	Name      string              `json:"name"`
	Program   Ref                 `json:"program"`
	Stage     *Ref                `json:"programStage,omitempty"`
	Priority  *int                `json:"priority,omitempty"`
	Condition string              `json:"condition"`
	Actions   []ProgramRuleAction `json:"programRuleActions"`
}

// ProgramRuleAction is what a program rule does.
type ProgramRuleAction struct {
	ID          string `json:"id"`
	Type        string `json:"programRuleActionType"`
	Content     string `json:"content,omitempty"`
	Data        string `json:"data,omitempty"`
	DataElement *Ref   `json:"dataElement,omitempty"`
	Attribute   *Ref   `json:"trackedEntityAttribute,omitempty"`
	Stage       *Ref   `json:"programStage,omitempty"`
	Priority    *int   `json:"priority,omitempty"`
}

// ProgramRuleVariable is a value that program rules know by a name.
type ProgramRuleVariable struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Program     Ref    `json:"program"`
	Source      string `json:"programRuleVariableSourceType"`
	DataElement *Ref   `json:"dataElement,omitempty"`
	Attribute   *Ref   `json:"trackedEntityAttribute,omitempty"`
	Stage       *Ref   `json:"programStage,omitempty"`
	ValueType   string `json:"valueType,omitempty"` // of a calculated value
	UseCode     bool   `json:"useCodeForOptionSet"`
}

// Constant is a number with a name, for expressions.
type Constant struct {
	Named
	Value float64 `json:"value"`
}

// OrgUnitGroup is a set of org units.
type OrgUnitGroup struct {
	Named
	OrgUnits []Ref `json:"organisationUnits,omitempty"`
}

// Account is a user whom events may be assigned to. Nothing else is kept of anybody.
type Account struct {
	Named
	Username string `json:"username"`
}

// What ServerInfo.Holds names.
const (
	HoldsGroups  = "organisationUnitGroups"         // all org unit groups
	HoldsMembers = "organisationUnitGroups.members" // and the org units in all of them
	HoldsUsers   = "users"
)
