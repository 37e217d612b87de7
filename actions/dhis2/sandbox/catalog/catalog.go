package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/valuetype"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// object is one metadata object as the API shows it.
type object = map[string]any

// Collections that the sandbox itself works with; any other of the metadata is served as it is.
const (
	KindOrgUnit        = "organisationUnits"
	KindProgram        = "programs"
	KindStage          = "programStages"
	KindTEType         = "trackedEntityTypes"
	KindAttribute      = "trackedEntityAttributes"
	KindDataElement    = "dataElements"
	KindDataSet        = "dataSets"
	KindOptionSet      = "optionSets"
	KindOption         = "options"
	KindCombo          = "categoryCombos"
	KindOptionCombo    = "categoryOptionCombos"
	KindCategory       = "categories"
	KindCategoryOption = "categoryOptions"
	KindRelType        = "relationshipTypes"
	KindRule           = "programRules"
	KindRuleAction     = "programRuleActions"
	KindRuleVariable   = "programRuleVariables"
	KindConstant       = "constants"
	KindUnitGroup      = "organisationUnitGroups"
	kindUnitLevel      = "organisationUnitLevels"
	KindUser           = "users"
	KindRole           = "userRoles"
	KindGroup          = "userGroups"
	KindMetaAttribute  = "attributes"
)

// The objects that every DHIS2 has for data without a breakdown; their uids are the same everywhere
// (DHIS2 CategoryService).
const (
	DefaultCombo          = "bjDvmb4bfuf"
	DefaultOptionCombo    = "HllvX50cXC0"
	DefaultCategory       = "GLevLNI9wkl"
	DefaultCategoryOption = "xYerKDKCefk"
)

// Catalog is the metadata: the objects as they are shown, and what validation needs of them in a
// form that is quick to ask. It does not change once it is made: a write of metadata makes another
// (with).
type Catalog struct {
	Kinds   []string            // in the order of the export
	Objects map[string][]object // by collection
	ByID    map[string]Entry

	OrgUnits      map[string]*OrgUnit
	Programs      map[string]*Program
	Stages        map[string]*Stage
	Types         map[string]*EntityType
	Attributes    map[string]*Attribute
	DataElements  map[string]*DataElement
	DataSets      map[string]*DataSet
	OptionSets    map[string]*OptionSet
	OptionCombos  map[string]*OptionCombo
	CatOptions    map[string]*CategoryOption
	RelTypes      map[string]*RelationshipType
	Users         map[string]*User // by username
	UsersByID     map[string]*User
	CombosOf      map[string][]*OptionCombo // by category combo
	DataSetsOf    map[string][]*DataSet     // by data element
	roots         []*OrgUnit
	identifierIDs map[string]map[string]string // kind + scheme -> identifier -> uid
	Loaded        time.Time
}

type Entry struct {
	Kind string
	Obj  object
}

// Sharing is who may do what with an object and with its data (DHIS2 Sharing).
type Sharing struct {
	Public string
	Users  map[string]string
	Groups map[string]string
	Owner  string
}

type OrgUnit struct {
	UID, Code, Name, Parent string
	Path                    string // /root/.../own uid
	Level                   int
	Opening, Closed         time.Time // zero: not given
	Children                []*OrgUnit
}

type Program struct {
	UID, Name         string
	Registration      bool
	EntityType        string
	OnlyOnce          bool
	FutureEnrollment  bool
	FutureIncident    bool
	IncidentDate      bool
	ExpiryDays        int
	CompleteExpiry    int
	ExpiryPeriodType  string
	AccessLevel       string
	FeatureType       string
	Combo             string
	Attributes        []ProgramAttribute
	AttributeOf       map[string]ProgramAttribute
	Mandatory         []string
	Stages            []string
	OrgUnits          map[string]bool
	OrgUnitList       []string
	Sharing           Sharing
	MinSearch, MaxHit int
}

type ProgramAttribute struct {
	Attribute             string
	Mandatory, Searchable bool
}

type Stage struct {
	UID, Name, Program string
	Repeatable         bool
	OnUpdate           bool // checked on every write, not only on completion
	FeatureType        string
	UserAssignment     bool
	BlockEntry         bool
	Elements           map[string]bool
	Compulsory         []string
	Sharing            Sharing
	SortOrder          int
}

type EntityType struct {
	UID, Name   string
	Attributes  []ProgramAttribute
	Mandatory   []string
	Has         map[string]bool
	FeatureType string
	Sharing     Sharing
	MinSearch   int
}

type Attribute struct {
	UID, Code, Name, ValueType string
	Unique, OrgUnitScope       bool
	Generated, Confidential    bool
	Pattern, OptionSet         string
}

type DataElement struct {
	UID, Code, Name, ValueType   string
	Combo, OptionSet, CommentSet string
	Aggregation                  string
	ZeroIsSignificant            bool
}

type DataSet struct {
	UID, Name, PeriodType string
	Combo                 string
	Elements              map[string]string // data element -> category combo
	OrgUnits              map[string]bool
	OpenFuture            int
	ExpiryDays            float64
	EmptyWithComment      bool
	Sharing               Sharing
}

type OptionSet struct {
	UID       string
	Multi     bool
	Codes     map[string]bool
	Lowered   map[string]bool
	NameOf    map[string]string
	ValueType string
}

type OptionCombo struct {
	UID, Code, Name, Combo string
	Options                []string
}

type CategoryOption struct {
	UID, Code, Name string
	Start, End      time.Time
	OrgUnits        []string
	Sharing         Sharing
}

type RelationshipType struct {
	UID, Name     string
	Bidirectional bool
	From, To      Constraint
	Sharing       Sharing
}

type Constraint struct{ Entity, EntityType, Program, Stage string }

// str, boolean, number and the like read a property of an object, giving the zero value when it is
// absent or of another kind.
func Str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

func Boolean(o object, name string) bool {
	b, _ := o[name].(bool)
	return b
}

func Ref(o object, name string) string {
	m, _ := o[name].(object)
	return Str(m, "id")
}

func List(o object, name string) []map[string]any {
	items, _ := o[name].([]any)
	out := make([]object, 0, len(items))
	for _, it := range items {
		if m, ok := it.(object); ok {
			out = append(out, m)
		}
	}
	return out
}

func Refs(o object, name string) []string {
	items, _ := o[name].([]any)
	out := make([]string, 0, len(items))
	for _, it := range items {
		switch v := it.(type) {
		case object:
			out = append(out, Str(v, "id"))
		case string:
			out = append(out, v)
		}
	}
	return out
}

func SetOf(items []string) map[string]bool {
	m := make(map[string]bool, len(items))
	for _, it := range items {
		m[it] = true
	}
	return m
}

// StageByDefault is the stage that an event of an event program belongs to when it names none.
func (p *Program) StageByDefault() string {
	if len(p.Stages) == 0 {
		return ""
	}
	return p.Stages[0]
}

// Descends tells whether an org unit is one of the roots or below one.
func (o *OrgUnit) Descends(roots []string) bool {
	for _, r := range roots {
		if strings.Contains(o.Path+"/", "/"+r+"/") {
			return true
		}
	}
	return false
}

// ComboOf gives the option combo of a category combo that has exactly these options.
func (c *Catalog) ComboOf(combo string, options []string) *OptionCombo {
	want := SetOf(options)
	for _, oc := range c.CombosOf[combo] {
		if len(oc.Options) != len(want) {
			continue
		}
		all := true
		for _, o := range oc.Options {
			all = all && want[o]
		}
		if all {
			return oc
		}
	}
	return nil
}

// Find gives the uid of an object by an identifier of some scheme: UID, CODE, NAME or
// ATTRIBUTE:uid. Empty when there is none.
func (c *Catalog) Find(kind, scheme, identifier string) string {
	if identifier == "" {
		return ""
	}
	if scheme == "" || scheme == "UID" {
		if e, ok := c.ByID[identifier]; ok && e.Kind == kind {
			return Str(e.Obj, "id") // not a copy of it for every object that names it
		}
		return ""
	}
	return c.identifierIDs[kind+" "+scheme][identifier]
}

// indexIdentifiers builds what find looks in.
func (c *Catalog) indexIdentifiers() {
	c.identifierIDs = map[string]map[string]string{}
	put := func(key, identifier, uid string) {
		if identifier == "" {
			return
		}
		m := c.identifierIDs[key]
		if m == nil {
			m = map[string]string{}
			c.identifierIDs[key] = m
		}
		if _, taken := m[identifier]; !taken {
			m[identifier] = uid
		}
	}
	for kind, objs := range c.Objects {
		for _, o := range objs {
			uid := Str(o, "id")
			put(kind+" CODE", Str(o, "code"), uid)
			put(kind+" NAME", Str(o, "name"), uid)
			for _, av := range List(o, "attributeValues") {
				put(kind+" ATTRIBUTE:"+Ref(av, "attribute"), Str(av, "value"), uid)
			}
		}
	}
}

// Restricted: only who captures data where a person is at home sees it.
func (p *Program) Restricted() bool { return p.AccessLevel == "PROTECTED" || p.AccessLevel == "CLOSED" }

func TextOf(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	case object:
		return Str(x, "id")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// Allows tells whether an option set allows a value, for a value type, as a version sees it.
func (s *OptionSet) Allows(m version.Profile, value, valueType string) bool {
	if m.LooseOptions() {
		return s.Lowered[strings.ToLower(value)]
	}
	if valueType != "MULTI_TEXT" {
		return s.Codes[value]
	}
	for _, v := range valuetype.SplitMulti(value) {
		if !s.Codes[v] {
			return false
		}
	}
	return true
}

// Identifier gives how an object is called in a scheme: UID, CODE, NAME or ATTRIBUTE:uid.
func (c *Catalog) Identifier(uid, scheme string) string {
	o := c.ByID[uid].Obj
	switch {
	case scheme == "" || scheme == "UID":
		return uid
	case scheme == "CODE":
		return Str(o, "code")
	case scheme == "NAME":
		return Str(o, "name")
	}
	for _, av := range List(o, "attributeValues") {
		if "ATTRIBUTE:"+Ref(av, "attribute") == scheme {
			return Str(av, "value")
		}
	}
	return ""
}
