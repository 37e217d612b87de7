package sandbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// object is one metadata object as the API shows it.
type object = map[string]any

// Collections that the sandbox itself works with; any other of the metadata is served as it is.
const (
	kindOrgUnit        = "organisationUnits"
	kindProgram        = "programs"
	kindStage          = "programStages"
	kindTEType         = "trackedEntityTypes"
	kindAttribute      = "trackedEntityAttributes"
	kindDataElement    = "dataElements"
	kindDataSet        = "dataSets"
	kindOptionSet      = "optionSets"
	kindOption         = "options"
	kindCombo          = "categoryCombos"
	kindOptionCombo    = "categoryOptionCombos"
	kindCategory       = "categories"
	kindCategoryOption = "categoryOptions"
	kindRelType        = "relationshipTypes"
	kindRule           = "programRules"
	kindRuleAction     = "programRuleActions"
	kindRuleVariable   = "programRuleVariables"
	kindConstant       = "constants"
	kindUnitGroup      = "organisationUnitGroups"
	kindUnitLevel      = "organisationUnitLevels"
	kindUser           = "users"
	kindRole           = "userRoles"
	kindGroup          = "userGroups"
	kindMetaAttribute  = "attributes"
)

// The objects that every DHIS2 has for data without a breakdown; their uids are the same everywhere (DHIS2 CategoryService).
const (
	defaultCombo          = "bjDvmb4bfuf"
	defaultOptionCombo    = "HllvX50cXC0"
	defaultCategory       = "GLevLNI9wkl"
	defaultCategoryOption = "xYerKDKCefk"
)

// catalog is the metadata: the objects as they are shown, and what validation needs of them in a form that is quick to ask.
// It does not change once it is made: a write of metadata makes another (with).
type catalog struct {
	kinds   []string            // in the order of the export
	objects map[string][]object // by collection
	byID    map[string]entry

	orgUnits      map[string]*orgUnit
	programs      map[string]*program
	stages        map[string]*stage
	types         map[string]*entityType
	attributes    map[string]*attribute
	dataElements  map[string]*dataElement
	dataSets      map[string]*dataSet
	optionSets    map[string]*optionSet
	optionCombos  map[string]*optionCombo
	catOptions    map[string]*categoryOption
	relTypes      map[string]*relationshipType
	users         map[string]*user // by username
	usersByID     map[string]*user
	combosOf      map[string][]*optionCombo // by category combo
	dataSetsOf    map[string][]*dataSet     // by data element
	roots         []*orgUnit
	identifierIDs map[string]map[string]string // kind + scheme -> identifier -> uid
	loaded        time.Time
}

type entry struct {
	kind string
	obj  object
}

// sharing is who may do what with an object and with its data (DHIS2 Sharing).
type sharing struct {
	public string
	users  map[string]string
	groups map[string]string
	owner  string
}

type orgUnit struct {
	uid, code, name, parent string
	path                    string // /root/.../own uid
	level                   int
	opening, closed         time.Time // zero: not given
	children                []*orgUnit
}

type program struct {
	uid, name         string
	registration      bool
	entityType        string
	onlyOnce          bool
	futureEnrollment  bool
	futureIncident    bool
	incidentDate      bool
	expiryDays        int
	completeExpiry    int
	expiryPeriodType  string
	accessLevel       string
	featureType       string
	combo             string
	attributes        []programAttribute
	attributeOf       map[string]programAttribute
	mandatory         []string
	stages            []string
	orgUnits          map[string]bool
	orgUnitList       []string
	sharing           sharing
	minSearch, maxHit int
}

type programAttribute struct {
	attribute             string
	mandatory, searchable bool
}

type stage struct {
	uid, name, program string
	repeatable         bool
	onUpdate           bool // checked on every write, not only on completion
	featureType        string
	userAssignment     bool
	blockEntry         bool
	elements           map[string]bool
	compulsory         []string
	sharing            sharing
	sortOrder          int
}

type entityType struct {
	uid, name   string
	attributes  []programAttribute
	mandatory   []string
	has         map[string]bool
	featureType string
	sharing     sharing
	minSearch   int
}

type attribute struct {
	uid, code, name, valueType string
	unique, orgUnitScope       bool
	generated, confidential    bool
	pattern, optionSet         string
}

type dataElement struct {
	uid, code, name, valueType   string
	combo, optionSet, commentSet string
	aggregation                  string
	zeroIsSignificant            bool
}

type dataSet struct {
	uid, name, periodType string
	combo                 string
	elements              map[string]string // data element -> category combo
	orgUnits              map[string]bool
	openFuture            int
	expiryDays            float64
	emptyWithComment      bool
	sharing               sharing
}

type optionSet struct {
	uid       string
	multi     bool
	codes     map[string]bool
	lowered   map[string]bool
	nameOf    map[string]string
	valueType string
}

type optionCombo struct {
	uid, code, name, combo string
	options                []string
}

type categoryOption struct {
	uid, code, name string
	start, end      time.Time
	orgUnits        []string
	sharing         sharing
}

type relationshipType struct {
	uid, name     string
	bidirectional bool
	from, to      constraint
	sharing       sharing
}

type constraint struct{ entity, entityType, program, stage string }

// str, boolean, number and the like read a property of an object, giving the zero value when it is absent or of another kind.
func str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

func boolean(o object, name string) bool {
	b, _ := o[name].(bool)
	return b
}

func ref(o object, name string) string {
	m, _ := o[name].(object)
	return str(m, "id")
}

func list(o object, name string) []object {
	items, _ := o[name].([]any)
	out := make([]object, 0, len(items))
	for _, it := range items {
		if m, ok := it.(object); ok {
			out = append(out, m)
		}
	}
	return out
}

func refs(o object, name string) []string {
	items, _ := o[name].([]any)
	out := make([]string, 0, len(items))
	for _, it := range items {
		switch v := it.(type) {
		case object:
			out = append(out, str(v, "id"))
		case string:
			out = append(out, v)
		}
	}
	return out
}

func setOf(items []string) map[string]bool {
	m := make(map[string]bool, len(items))
	for _, it := range items {
		m[it] = true
	}
	return m
}

// stageByDefault is the stage that an event of an event program belongs to when it names none.
func (p *program) stageByDefault() string {
	if len(p.stages) == 0 {
		return ""
	}
	return p.stages[0]
}

// descends tells whether an org unit is one of the roots or below one.
func (o *orgUnit) descends(roots []string) bool {
	for _, r := range roots {
		if strings.Contains(o.path+"/", "/"+r+"/") {
			return true
		}
	}
	return false
}

// comboOf gives the option combo of a category combo that has exactly these options.
func (c *catalog) comboOf(combo string, options []string) *optionCombo {
	want := setOf(options)
	for _, oc := range c.combosOf[combo] {
		if len(oc.options) != len(want) {
			continue
		}
		all := true
		for _, o := range oc.options {
			all = all && want[o]
		}
		if all {
			return oc
		}
	}
	return nil
}

// find gives the uid of an object by an identifier of some scheme: UID, CODE, NAME or ATTRIBUTE:uid. Empty when there is none.
func (c *catalog) find(kind, scheme, identifier string) string {
	if identifier == "" {
		return ""
	}
	if scheme == "" || scheme == "UID" {
		if e, ok := c.byID[identifier]; ok && e.kind == kind {
			return str(e.obj, "id") // not a copy of it for every object that names it
		}
		return ""
	}
	return c.identifierIDs[kind+" "+scheme][identifier]
}

// indexIdentifiers builds what find looks in.
func (c *catalog) indexIdentifiers() {
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
	for kind, objs := range c.objects {
		for _, o := range objs {
			uid := str(o, "id")
			put(kind+" CODE", str(o, "code"), uid)
			put(kind+" NAME", str(o, "name"), uid)
			for _, av := range list(o, "attributeValues") {
				put(kind+" ATTRIBUTE:"+ref(av, "attribute"), str(av, "value"), uid)
			}
		}
	}
}

// restricted: only who captures data where a person is at home sees it.
func (p *program) restricted() bool { return p.accessLevel == "PROTECTED" || p.accessLevel == "CLOSED" }

func textOf(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	case bool:
		return strconv.FormatBool(x)
	case object:
		return str(x, "id")
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}

// allows tells whether an option set allows a value, for a value type, as a version sees it.
func (s *optionSet) allows(m manners, value, valueType string) bool {
	if m.looseOptions() {
		return s.lowered[strings.ToLower(value)]
	}
	if valueType != "MULTI_TEXT" {
		return s.codes[value]
	}
	for _, v := range multi(value) {
		if !s.codes[v] {
			return false
		}
	}
	return true
}
