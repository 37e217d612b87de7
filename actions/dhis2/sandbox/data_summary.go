package sandbox

import (
	"net/http"
	"sort"
	"strings"
)

// summary is DHIS2's ImportSummary of data values and completions.
type summary struct {
	ResponseType string      `json:"responseType"`
	Status       string      `json:"status"`
	Options      object      `json:"importOptions,omitempty"`
	Description  string      `json:"description,omitempty"`
	Count        importCount `json:"importCount"`
	Conflicts    []*conflict `json:"conflicts"`
	Rejected     []int       `json:"rejectedIndexes"`
	Complete     string      `json:"dataSetComplete,omitempty"`
}

type importCount struct {
	Imported int `json:"imported"`
	Updated  int `json:"updated"`
	Ignored  int `json:"ignored"`
	Deleted  int `json:"deleted"`
}

// conflict is one reason why values were not taken, with the positions of all values that it concerns.
type conflict struct {
	Object   string            `json:"object,omitempty"`
	Objects  map[string]string `json:"objects,omitempty"`
	Value    string            `json:"value"`
	Code     string            `json:"errorCode,omitempty"`
	Property string            `json:"property,omitempty"`
	Indexes  []int             `json:"indexes,omitempty"`
}

func newSummary(options object) *summary {
	return &summary{ResponseType: "ImportSummary", Status: "SUCCESS", Options: options, Conflicts: []*conflict{}, Rejected: []int{}}
}

// add puts a conflict in, joining it with the same one about other values.
func (s *summary) add(c conflict) {
	for _, old := range s.Conflicts {
		if old.Code == c.Code && old.Property == c.Property && old.Object == c.Object && old.Value == c.Value {
			old.Indexes = append(old.Indexes, c.Indexes...)
			return
		}
	}
	s.Conflicts = append(s.Conflicts, &c)
}

func (s *summary) reject(indexes ...int) {
	for _, i := range indexes {
		at := sort.SearchInts(s.Rejected, i)
		if i < 0 || at < len(s.Rejected) && s.Rejected[at] == i {
			continue
		}
		s.Rejected = append(s.Rejected, 0)
		copy(s.Rejected[at+1:], s.Rejected[at:])
		s.Rejected[at] = i
	}
}

// summarised answers with a summary in its envelope: a warning is a conflict up to 2.42 and fine from 2.43 on.
func (c *valueCall) summarised(s *summary) {
	switch {
	case s.Status == "ERROR":
		c.say(http.StatusConflict, "ERROR", "An error occurred, please check import summary.", s)
	case s.Status == "WARNING" && !c.manners.dataEntry():
		c.say(http.StatusConflict, "WARNING", "One more conflicts encountered, please check import summary.", s)
	case s.Status == "WARNING":
		c.say(http.StatusOK, "WARNING", "One more conflicts encountered, please check import summary.", s)
	default:
		c.say(http.StatusOK, "OK", "Import was successful.", s)
	}
}

// dataOptions are the parameters of an import of data values.
type dataOptions struct {
	dryRun, async, force, atomic          bool
	strategy                              string
	schemes                               map[string]string // by collection; "" for all others
	strictPeriods, strictElements         bool
	strictCombos, strictAttributeCombos   bool
	strictUnits, needCombo, needAttribute bool
	skipExisting                          bool
	dataSet                               string
}

var dataSchemes = map[string]string{"idScheme": "", "dataElementIdScheme": kindDataElement, "orgUnitIdScheme": kindOrgUnit,
	"categoryOptionComboIdScheme": kindOptionCombo, "dataSetIdScheme": kindDataSet, "attributeOptionComboIdScheme": "attributeOptionCombos"}

func (c *valueCall) dataOptions() (*dataOptions, *problem) {
	o := &dataOptions{strategy: "CREATE_AND_UPDATE", schemes: map[string]string{}, dataSet: c.query.Get("dataSet")}
	for name, into := range map[string]*bool{"dryRun": &o.dryRun, "async": &o.async, "force": &o.force, "atomic": &o.atomic, "strictPeriods": &o.strictPeriods,
		"strictDataElements": &o.strictElements, "strictCategoryOptionCombos": &o.strictCombos, "strictAttributeOptionCombos": &o.strictAttributeCombos,
		"strictOrganisationUnits": &o.strictUnits, "requireCategoryOptionCombo": &o.needCombo, "requireAttributeOptionCombo": &o.needAttribute,
		"skipExistingCheck": &o.skipExisting} {
		if text := c.query.Get(name); text != "" {
			b, ok := springBool(text)
			if !ok {
				return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. It should be of type boolean", text, name)
			}
			*into = b
		}
	}
	if s := c.query.Get("importStrategy"); s != "" {
		known := map[string]string{"CREATE": "CREATE", "NEW": "CREATE", "UPDATE": "UPDATE", "UPDATES": "UPDATE", "CREATE_AND_UPDATE": "CREATE_AND_UPDATE",
			"NEW_AND_UPDATES": "CREATE_AND_UPDATE", "DELETE": "DELETE", "DELETES": "DELETE"}
		if o.strategy = known[s]; o.strategy == "" {
			return nil, refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter importStrategy. Valid values are: [CREATE, UPDATE, CREATE_AND_UPDATE, DELETE]", s)
		}
	}
	for name, kind := range dataSchemes {
		if s := c.query.Get(name); s != "" {
			o.schemes[kind] = foldScheme(s)
		}
	}
	return o, nil
}

// foldScheme: schemes of the aggregate side are not particular about case.
func foldScheme(s string) string {
	if head, id, ok := strings.Cut(s, ":"); ok {
		return strings.ToUpper(head) + ":" + id
	}
	return strings.ToUpper(s)
}

func (o *dataOptions) scheme(kind string) string {
	if s, ok := o.schemes[kind]; ok {
		return s
	}
	if kind == "attributeOptionCombos" {
		if s, ok := o.schemes[kindOptionCombo]; ok {
			return s
		}
	}
	return o.schemes[""]
}

// shown is what an answer tells of the options.
func (o *dataOptions) shown() object {
	return object{"idSchemes": object{}, "dryRun": o.dryRun, "async": o.async, "importStrategy": o.strategy, "force": o.force}
}

// valueSet is a body of data values.
type valueSet struct {
	dataSet, completeDate, period, orgUnit, combo string
	values                                        []datumIn
}

// datumIn is one data value as it was sent.
type datumIn struct {
	element, period, orgUnit, combo, attributeCombo string
	dataSet                                         string // of a single value
	value, comment                                  *string
	storedBy                                        string
	followUp                                        *bool // nil: nothing is said
	deleted                                         bool
	attributeProblem                                *problem // what was wrong with the options that were given instead of a combo
}

// readValueSet reads a body of data values; schemes and the dry run may be told inside it.
func (c *valueCall) readValueSet(body []byte, o *dataOptions) (*valueSet, error) {
	root, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	d := decoder{m: c.manners}
	if root == nil || root.kind != jsonObject {
		d.fail("the data value set is no JSON object")
		return nil, d.err
	}
	if c.manners.dataEntry() {
		r := entryReader{}
		s := r.set(root, o)
		if s.dataSet == "" {
			s.dataSet = o.dataSet
		}
		return s, r.err
	}
	s := &valueSet{dataSet: d.text(root, "dataSet"), completeDate: d.text(root, "completeDate"), period: d.text(root, "period"),
		orgUnit: d.text(root, "orgUnit"), combo: d.text(root, "attributeOptionCombo")}
	if s.dataSet == "" {
		s.dataSet = o.dataSet
	}
	if root.get("dryRun") != nil {
		o.dryRun = d.flag(root, "dryRun")
	}
	for name, kind := range dataSchemes {
		if x := d.text(root, name); x != "" {
			o.schemes[kind] = foldScheme(x)
		}
	}
	for _, v := range d.list(root, "dataValues") {
		in := datumIn{element: d.text(v, "dataElement"), period: d.text(v, "period"), orgUnit: d.text(v, "orgUnit"), combo: d.text(v, "categoryOptionCombo"),
			attributeCombo: d.text(v, "attributeOptionCombo"), value: emptyIsNil(d.optional(v, "value")), comment: emptyIsNil(d.optional(v, "comment")),
			followUp: d.maybe(v, "followup"), deleted: d.flag(v, "deleted"), storedBy: d.text(v, "storedBy")}
		s.values = append(s.values, in)
	}
	return s, d.err
}
