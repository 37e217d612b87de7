package metadata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// decodeObject reads a JSON object as metadata is kept.
func decodeObject(body []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, fmt.Errorf("no object")
	}
	return o, nil
}

// writeCollection answers POST, PUT, PATCH and DELETE below /api/<collection>.
func (c *call) writeCollection(kind string) {
	w := &metadataWrite{srv: c.srv, user: c.User, now: c.Now().UTC(), coming: map[string]catalog.Entry{}}
	var o object
	var p *rest.Problem
	switch {
	case c.R.Method == http.MethodPost && len(c.Path) == 1:
		w.strategy = "CREATE"
		if o, p = c.objectBody(); p == nil && catalog.Str(o, "id") == "" {
			o["id"] = ids.New()
		}
	case c.R.Method == http.MethodPut && len(c.Path) == 2:
		w.strategy = "UPDATE"
		if o, p = c.objectBody(); p == nil {
			o["id"] = c.At(1)
		}
	case c.R.Method == http.MethodPatch && len(c.Path) == 2:
		w.strategy = "UPDATE"
		o, p = c.patched(kind)
	case c.R.Method == http.MethodDelete && len(c.Path) == 2:
		w.strategy, o = "DELETE", object{"id": c.At(1)}
	case len(c.Path) == 4 && (c.R.Method == http.MethodPost || c.R.Method == http.MethodDelete):
		w.strategy = "UPDATE"
		o, p = c.member(kind)
	default:
		c.MethodNotAllowed(http.MethodGet)
		return
	}
	if e := c.Catalog.ByID[c.At(1)]; p == nil && len(c.Path) > 1 && e.Kind != kind {
		p = rest.Refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", singular(kind), c.At(1))
	}
	if p != nil {
		c.Refused(p)
		return
	}
	c.answerObject(w, w.judge(kind, o))
}

func (c *call) objectBody() (object, *rest.Problem) {
	body, p := c.ReadBody()
	if p != nil {
		return nil, p
	}
	o, err := decodeObject(body)
	if err != nil {
		return nil, rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
	}
	return o, nil
}

// answerObject keeps what is right, and says what became of one object.
func (c *call) answerObject(w *metadataWrite, v *verdict) {
	answer := object{"uid": v.uid, "klass": klass(v.kind), "errorReports": v.errors,
		"responseType": c.Version.ReportType("ObjectReport")}
	if v.errors == nil {
		answer["errorReports"] = []any{}
	}
	for _, e := range v.errors {
		switch e.ErrorCode {
		case "E3000":
			c.W.Header().Set("Cache-Control", "no-cache, private")
			c.Fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to create this object.")
			return
		case "E3001":
			c.Fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to update this object.")
			return
		}
	}
	if len(v.errors) > 0 {
		c.W.Header().Set("Cache-Control", "no-cache, private")
		c.Say(http.StatusConflict, "ERROR", "One or more errors occurred, please see full details in import report.", answer)
		return
	}
	if err := c.srv.keepMetadata(w.changesOf(v)); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	status := http.StatusOK
	if w.strategy == "CREATE" {
		status = http.StatusCreated
		c.W.Header().Set("Location", c.Base()+"/api/"+v.kind+"/"+v.uid)
	}
	c.Say(status, "OK", "", answer)
}

// patched applies a JSON patch (RFC 6902: add, replace, remove, and DHIS2's remove-by-id) to an object.
func (c *call) patched(kind string) (object, *rest.Problem) {
	e := c.Catalog.ByID[c.At(1)]
	if e.Kind != kind {
		return nil, nil // the caller says so
	}
	body, p := c.ReadBody()
	if p != nil {
		return nil, p
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var steps []struct {
		Op, Path, ID string
		Value        any
	}
	if err := d.Decode(&steps); err != nil {
		return nil, rest.Refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
	}
	o := make(object, len(e.Obj))
	for k, x := range e.Obj {
		o[k] = x
	}
	for _, s := range steps {
		names := strings.Split(strings.TrimPrefix(s.Path, "/"), "/")
		name := names[0]
		items, isList := o[name].([]any)
		switch {
		case !strings.HasPrefix(s.Path, "/") || name == "" || len(names) > 2 || !knows(c.Catalog, []string{name}):
			return nil, rest.Refuse(http.StatusBadRequest, "", "Invalid path %s", s.Path)
		case len(names) == 2 && names[1] == "-" && s.Op == "add":
			o[name] = append(append([]any{}, items...), s.Value)
		case s.Op == "remove-by-id" && isList:
			o[name] = without(items, s.ID)
		case len(names) == 2:
			return nil, rest.Refuse(http.StatusBadRequest, "", "Invalid path %s", s.Path)
		case s.Op == "add" || s.Op == "replace":
			o[name] = s.Value
		case s.Op == "remove":
			delete(o, name)
		default:
			return nil, rest.Refuse(http.StatusBadRequest, "", "Operation %s is not supported", s.Op)
		}
	}
	return o, nil
}

// without leaves an object out of a list of references.
func without(items []any, uid string) []any {
	out := []any{}
	for _, it := range items {
		if o, ok := it.(object); !ok || catalog.Str(o, "id") != uid {
			out = append(out, it)
		}
	}
	return out
}

// member adds an object to a list of another or takes it out:
// /api/organisationUnitGroups/<uid>/organisationUnits/<uid>.
func (c *call) member(kind string) (object, *rest.Problem) {
	e := c.Catalog.ByID[c.At(1)]
	if e.Kind != kind {
		return nil, nil // the caller says so
	}
	name, uid := c.At(2), c.At(3)
	if c.Catalog.ByID[uid].Kind == "" {
		return nil, rest.Refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", singular(name), uid)
	}
	o := make(object, len(e.Obj))
	for k, x := range e.Obj {
		o[k] = x
	}
	items, _ := o[name].([]any)
	items = without(items, uid)
	if c.R.Method == http.MethodPost {
		items = append(items, object{"id": uid})
	}
	o[name] = items
	return o, nil
}

type metadataStats struct {
	Created int `json:"created"`
	Updated int `json:"updated"`
	Deleted int `json:"deleted"`
	Ignored int `json:"ignored"`
	Total   int `json:"total"`
}

type kindReport struct {
	Klass   string        `json:"klass"`
	Stats   metadataStats `json:"stats"`
	Objects []object      `json:"objectReports"`
}

// importMetadata answers POST /api/metadata.
func (c *call) importMetadata() {
	root, p := c.objectBody()
	if p != nil {
		c.Refused(p)
		return
	}
	b, p := c.Bind([]rest.Param{{Name: "importStrategy", Kind: rest.Enum,
		Values: []string{"CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"}},
		{Name: "importMode", Kind: rest.Enum, Values: []string{"COMMIT", "VALIDATE"}},
		{Name: "atomicMode", Kind: rest.Enum, Values: []string{"ALL", "NONE"}},
		{Name: "importReportMode", Kind: rest.Enum, Values: []string{"FULL", "ERRORS", "ERRORS_NOT_OWNER", "DEBUG"}}})
	if p != nil {
		c.Refused(p)
		return
	}
	w := &metadataWrite{srv: c.srv, user: c.User, strategy: b.Text["importStrategy"], now: c.Now().UTC(),
		coming: map[string]catalog.Entry{}}
	if w.strategy == "" {
		w.strategy = "CREATE_AND_UPDATE"
	}
	var verdicts []*verdict
	kinds := c.comingKinds(root, w)
	for _, kind := range kinds {
		for _, o := range catalog.List(root, kind) {
			verdicts = append(verdicts, w.judge(kind, o))
		}
	}
	c.answerImport(w, b, verdicts)
}

// comingKinds lists the collections of a body that hold objects, and notes what comes.
func (c *call) comingKinds(root object, w *metadataWrite) []string {
	var kinds []string
	for _, kind := range keysInOrder(root) {
		if _, known := c.Catalog.Objects[kind]; !known && !otherCollections[kind] || len(catalog.List(root, kind)) == 0 {
			continue
		}
		kinds = append(kinds, kind)
		for _, o := range catalog.List(root, kind) {
			if catalog.Str(o, "id") == "" {
				o["id"] = ids.New()
			}
			w.coming[catalog.Str(o, "id")] = catalog.Entry{Kind: kind, Obj: o}
		}
	}
	return kinds
}

func (c *call) answerImport(w *metadataWrite, b *rest.Bound, verdicts []*verdict) {
	faulty := 0
	for _, v := range verdicts {
		if len(v.errors) > 0 {
			faulty++
		}
	}
	nothing := faulty > 0 && b.Text["atomicMode"] != "NONE"
	full := b.Text["importReportMode"] == "FULL" || b.Text["importReportMode"] == "DEBUG"
	types, total := []*kindReport{}, metadataStats{}
	byKind := map[string]*kindReport{}
	var changes []*catalog.Change
	for i, v := range verdicts {
		r := byKind[v.kind]
		if r == nil {
			r = &kindReport{Klass: klass(v.kind), Objects: []object{}}
			byKind[v.kind] = r
			types = append(types, r)
		}
		if len(v.errors) > 0 || full {
			r.Objects = append(r.Objects, object{"klass": klass(v.kind), "index": i, "uid": v.uid, "errorReports": v.errors})
		}
		for _, s := range []*metadataStats{&r.Stats, &total} {
			s.Total++
			switch {
			case nothing || len(v.errors) > 0:
				s.Ignored++
			case w.strategy == "DELETE":
				s.Deleted++
			case v.exists:
				s.Updated++
			default:
				s.Created++
			}
		}
		if v.change != nil {
			changes = append(changes, w.changesOf(v)...)
		}
	}
	answer := object{"responseType": c.Version.ReportType("ImportReport"), "status": "OK", "typeReports": types,
		"stats": total}
	if faulty > 0 {
		answer["status"] = "WARNING"
		if nothing {
			answer["status"] = "ERROR"
		}
		if nothing {
			c.Say(http.StatusConflict, "ERROR", "One or more errors occurred, please see full details in import report.", answer)
			return
		}
	}
	if b.Text["importMode"] != "VALIDATE" {
		if err := c.srv.keepMetadata(changes); err != nil {
			c.Fail(http.StatusInternalServerError, "", err.Error())
			return
		}
	}
	if faulty > 0 {
		c.Say(http.StatusConflict, "WARNING", "One or more errors occurred, please see full details in import report.",
			answer)
		return
	}
	c.Say(http.StatusOK, "OK", "", answer)
}

// klasses are the names of DHIS2's classes, by collection.
var klasses = map[string]string{catalog.KindOrgUnit: "organisationunit.OrganisationUnit",
	"organisationUnitGroups":    "organisationunit.OrganisationUnitGroup",
	"organisationUnitGroupSets": "organisationunit.OrganisationUnitGroupSet",
	"organisationUnitLevels":    "organisationunit.OrganisationUnitLevel",
	catalog.KindDataElement:     "dataelement.DataElement", "dataElementGroups": "dataelement.DataElementGroup",
	catalog.KindDataSet: "dataset.DataSet", "sections": "dataset.Section",
	catalog.KindProgram: "program.Program", catalog.KindStage: "program.ProgramStage",
	"programIndicators": "program.ProgramIndicator", catalog.KindRule: "programrule.ProgramRule",
	catalog.KindRuleAction: "programrule.ProgramRuleAction", catalog.KindRuleVariable: "programrule.ProgramRuleVariable",
	catalog.KindTEType:    "trackedentity.TrackedEntityType",
	catalog.KindAttribute: "trackedentity.TrackedEntityAttribute", catalog.KindOptionSet: "option.OptionSet",
	catalog.KindOption: "option.Option", "optionGroups": "option.OptionGroup",
	catalog.KindCategory: "category.Category", catalog.KindCombo: "category.CategoryCombo",
	catalog.KindCategoryOption: "category.CategoryOption",
	catalog.KindOptionCombo:    "category.CategoryOptionCombo", catalog.KindRelType: "relationship.RelationshipType",
	catalog.KindUser: "user.User", catalog.KindRole: "user.UserRole",
	catalog.KindGroup: "user.UserGroup", catalog.KindMetaAttribute: "attribute.Attribute",
	catalog.KindConstant: "constant.Constant", "indicators": "indicator.Indicator",
	"indicatorTypes": "indicator.IndicatorType", "legendSets": "legend.LegendSet",
	"validationRules": "validation.ValidationRule"}

func klass(kind string) string {
	if k, ok := klasses[kind]; ok {
		return "org.hisp.dhis." + k
	}
	return "org.hisp.dhis." + strings.ToLower(singular(kind)) + "." + singular(kind)
}
