package aggregate

import (
	"net/http"
	"sort"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
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
	return &summary{ResponseType: "ImportSummary", Status: "SUCCESS", Options: options, Conflicts: []*conflict{},
		Rejected: []int{}}
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
func (c *call) summarised(s *summary) {
	switch {
	case s.Status == "ERROR":
		c.Say(http.StatusConflict, "ERROR", "An error occurred, please check import summary.", s)
	case s.Status == "WARNING" && !c.Version.DataEntry():
		c.Say(http.StatusConflict, "WARNING", "One more conflicts encountered, please check import summary.", s)
	case s.Status == "WARNING":
		c.Say(http.StatusOK, "WARNING", "One more conflicts encountered, please check import summary.", s)
	default:
		c.Say(http.StatusOK, "OK", "Import was successful.", s)
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

var dataSchemes = map[string]string{"idScheme": "", "dataElementIdScheme": catalog.KindDataElement,
	"orgUnitIdScheme":             catalog.KindOrgUnit,
	"categoryOptionComboIdScheme": catalog.KindOptionCombo, "dataSetIdScheme": catalog.KindDataSet,
	"attributeOptionComboIdScheme": "attributeOptionCombos",
	"categoryIdScheme":             catalog.KindCategory, "categoryOptionIdScheme": catalog.KindCategoryOption}

func (c *call) dataOptions() (*dataOptions, *rest.Problem) {
	o := &dataOptions{strategy: "CREATE_AND_UPDATE", schemes: map[string]string{}, dataSet: c.Query.Get("dataSet")}
	for name, into := range map[string]*bool{"dryRun": &o.dryRun, "async": &o.async, "force": &o.force,
		"atomic": &o.atomic, "strictPeriods": &o.strictPeriods,
		"strictDataElements": &o.strictElements, "strictCategoryOptionCombos": &o.strictCombos,
		"strictAttributeOptionCombos": &o.strictAttributeCombos,
		"strictOrganisationUnits":     &o.strictUnits, "requireCategoryOptionCombo": &o.needCombo,
		"requireAttributeOptionCombo": &o.needAttribute,
		"skipExistingCheck":           &o.skipExisting} {
		if text := c.Query.Get(name); text != "" {
			b, ok := rest.ParseFlag(text)
			if !ok {
				return nil, rest.Refuse(http.StatusBadRequest, "",
					"Value '%s' is not valid for parameter %s. It should be of type boolean", text, name)
			}
			*into = b
		}
	}
	if s := c.Query.Get("importStrategy"); s != "" {
		known := map[string]string{"CREATE": "CREATE", "NEW": "CREATE", "UPDATE": "UPDATE", "UPDATES": "UPDATE",
			"CREATE_AND_UPDATE": "CREATE_AND_UPDATE",
			"NEW_AND_UPDATES":   "CREATE_AND_UPDATE", "DELETE": "DELETE", "DELETES": "DELETE"}
		if o.strategy = known[s]; o.strategy == "" {
			return nil, rest.Refuse(http.StatusBadRequest, "",
				"Value '%s' is not valid for parameter importStrategy. Valid values are: [CREATE, UPDATE, CREATE_AND_UPDATE, "+
					"DELETE]", s)
		}
	}
	for name, kind := range dataSchemes {
		if s := c.Query.Get(name); s != "" {
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
		if s, ok := o.schemes[catalog.KindOptionCombo]; ok {
			return s
		}
	}
	return o.schemes[""]
}

// shown is what an answer tells of the options.
func (o *dataOptions) shown() object {
	return object{"idSchemes": object{}, "dryRun": o.dryRun, "async": o.async, "importStrategy": o.strategy,
		"force": o.force}
}

// valueSet is a body of data values.
type valueSet struct {
	dataSet, completeDate, period, orgUnit, combo string
	attributeOptions                              map[string]string // by category, where no combo is named
	values                                        []datumIn
}

// datumIn is one data value as it was sent.
type datumIn struct {
	element, period, orgUnit, combo, attributeCombo string
	options                                         map[string]string // by category, where no combo is named
	dataSet                                         string            // of a single value
	value, comment                                  *string
	storedBy                                        string
	followUp                                        *bool // nil: nothing is said
	deleted                                         bool
	// what was wrong with the options that were given instead of a combo
	attributeProblem *rest.Problem
}

// readValueSet reads a body of data values; schemes and the dry run may be told inside it.
func (c *call) readValueSet(body []byte, o *dataOptions) (*valueSet, error) {
	root, err := jsontree.Parse(body)
	if err != nil {
		return nil, err
	}
	d := rest.Decoder{Version: c.Version}
	if root == nil || root.Kind != jsontree.Object {
		d.Fail("the data value set is no JSON object")
		return nil, d.Err
	}
	if c.Version.DataEntry() {
		r := entryReader{}
		s := r.set(root, o)
		if s.dataSet == "" {
			s.dataSet = o.dataSet
		}
		return s, r.err
	}
	s := &valueSet{dataSet: d.Text(root, "dataSet"), completeDate: d.Text(root, "completeDate"),
		period:  d.Text(root, "period"),
		orgUnit: d.Text(root, "orgUnit"), combo: d.Text(root, "attributeOptionCombo")}
	if s.dataSet == "" {
		s.dataSet = o.dataSet
	}
	if root.Get("dryRun") != nil {
		o.dryRun = d.Flag(root, "dryRun")
	}
	for name, kind := range dataSchemes {
		if x := d.Text(root, name); x != "" {
			o.schemes[kind] = foldScheme(x)
		}
	}
	for _, v := range d.List(root, "dataValues") {
		in := datumIn{element: d.Text(v, "dataElement"), period: d.Text(v, "period"), orgUnit: d.Text(v, "orgUnit"),
			combo:          d.Text(v, "categoryOptionCombo"),
			attributeCombo: d.Text(v, "attributeOptionCombo"), value: rest.EmptyIsNil(d.Optional(v, "value")),
			comment:  rest.EmptyIsNil(d.Optional(v, "comment")),
			followUp: d.Maybe(v, "followup"), deleted: d.Flag(v, "deleted"), storedBy: d.Text(v, "storedBy")}
		s.values = append(s.values, in)
	}
	return s, d.Err
}
