package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
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
func (c *metadataCall) writeCollection(kind string) {
	w := &metadataWrite{srv: c.srv, user: c.user, now: c.now().UTC(), coming: map[string]entry{}}
	var o object
	var p *problem
	switch {
	case c.r.Method == http.MethodPost && len(c.path) == 1:
		w.strategy = "CREATE"
		if o, p = c.objectBody(); p == nil && str(o, "id") == "" {
			o["id"] = newUID()
		}
	case c.r.Method == http.MethodPut && len(c.path) == 2:
		w.strategy = "UPDATE"
		if o, p = c.objectBody(); p == nil {
			o["id"] = c.at(1)
		}
	case c.r.Method == http.MethodPatch && len(c.path) == 2:
		w.strategy = "UPDATE"
		o, p = c.patched(kind)
	case c.r.Method == http.MethodDelete && len(c.path) == 2:
		w.strategy, o = "DELETE", object{"id": c.at(1)}
	case len(c.path) == 4 && (c.r.Method == http.MethodPost || c.r.Method == http.MethodDelete):
		w.strategy = "UPDATE"
		o, p = c.member(kind)
	default:
		c.methodNotAllowed(http.MethodGet)
		return
	}
	if e := c.catalog.byID[c.at(1)]; p == nil && len(c.path) > 1 && e.kind != kind {
		p = refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", singular(kind), c.at(1))
	}
	if p != nil {
		c.refused(p)
		return
	}
	c.answerObject(w, w.judge(kind, o))
}

func (c *metadataCall) objectBody() (object, *problem) {
	body, p := c.readBody()
	if p != nil {
		return nil, p
	}
	o, err := decodeObject(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
	}
	return o, nil
}

// answerObject keeps what is right, and says what became of one object.
func (c *metadataCall) answerObject(w *metadataWrite, v *verdict) {
	answer := object{"uid": v.uid, "klass": klass(v.kind), "errorReports": v.errors, "responseType": c.manners.reportType("ObjectReport")}
	if v.errors == nil {
		answer["errorReports"] = []any{}
	}
	for _, e := range v.errors {
		switch e.ErrorCode {
		case "E3000":
			c.w.Header().Set("Cache-Control", "no-cache, private")
			c.fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to create this object.")
			return
		case "E3001":
			c.fail(http.StatusForbidden, "E1006", "You don't have the proper permissions to update this object.")
			return
		}
	}
	if len(v.errors) > 0 {
		c.w.Header().Set("Cache-Control", "no-cache, private")
		c.say(http.StatusConflict, "ERROR", "One or more errors occurred, please see full details in import report.", answer)
		return
	}
	if err := c.srv.keepMetadata([]*metadataChange{v.change}); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	status := http.StatusOK
	if w.strategy == "CREATE" {
		status = http.StatusCreated
		c.w.Header().Set("Location", c.base()+"/api/"+v.kind+"/"+v.uid)
	}
	c.say(status, "OK", "", answer)
}

// patched applies a JSON patch (RFC 6902: add, replace, remove, and DHIS2's remove-by-id) to an object.
func (c *metadataCall) patched(kind string) (object, *problem) {
	e := c.catalog.byID[c.at(1)]
	if e.kind != kind {
		return nil, nil // the caller says so
	}
	body, p := c.readBody()
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
		return nil, refuse(http.StatusBadRequest, "", "JSON parse error: %s", err)
	}
	o := make(object, len(e.obj))
	for k, x := range e.obj {
		o[k] = x
	}
	for _, s := range steps {
		names := strings.Split(strings.TrimPrefix(s.Path, "/"), "/")
		name := names[0]
		items, isList := o[name].([]any)
		switch {
		case !strings.HasPrefix(s.Path, "/") || name == "" || len(names) > 2 || !knows(c.catalog, []string{name}):
			return nil, refuse(http.StatusBadRequest, "", "Invalid path %s", s.Path)
		case len(names) == 2 && names[1] == "-" && s.Op == "add":
			o[name] = append(append([]any{}, items...), s.Value)
		case s.Op == "remove-by-id" && isList:
			o[name] = without(items, s.ID)
		case len(names) == 2:
			return nil, refuse(http.StatusBadRequest, "", "Invalid path %s", s.Path)
		case s.Op == "add" || s.Op == "replace":
			o[name] = s.Value
		case s.Op == "remove":
			delete(o, name)
		default:
			return nil, refuse(http.StatusBadRequest, "", "Operation %s is not supported", s.Op)
		}
	}
	return o, nil
}

// without leaves an object out of a list of references.
func without(items []any, uid string) []any {
	out := []any{}
	for _, it := range items {
		if o, ok := it.(object); !ok || str(o, "id") != uid {
			out = append(out, it)
		}
	}
	return out
}

// member adds an object to a list of another or takes it out: /api/organisationUnitGroups/<uid>/organisationUnits/<uid>.
func (c *metadataCall) member(kind string) (object, *problem) {
	e := c.catalog.byID[c.at(1)]
	if e.kind != kind {
		return nil, nil // the caller says so
	}
	name, uid := c.at(2), c.at(3)
	if c.catalog.byID[uid].kind == "" {
		return nil, refuse(http.StatusNotFound, "E1005", "%s with id %s could not be found.", singular(name), uid)
	}
	o := make(object, len(e.obj))
	for k, x := range e.obj {
		o[k] = x
	}
	items, _ := o[name].([]any)
	items = without(items, uid)
	if c.r.Method == http.MethodPost {
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
func (c *metadataCall) importMetadata() {
	root, p := c.objectBody()
	if p != nil {
		c.refused(p)
		return
	}
	b, p := c.bind([]param{{name: "importStrategy", kind: anEnum, values: []string{"CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"}},
		{name: "importMode", kind: anEnum, values: []string{"COMMIT", "VALIDATE"}}, {name: "atomicMode", kind: anEnum, values: []string{"ALL", "NONE"}},
		{name: "importReportMode", kind: anEnum, values: []string{"FULL", "ERRORS", "ERRORS_NOT_OWNER", "DEBUG"}}})
	if p != nil {
		c.refused(p)
		return
	}
	w := &metadataWrite{srv: c.srv, user: c.user, strategy: b.text["importStrategy"], now: c.now().UTC(), coming: map[string]entry{}}
	if w.strategy == "" {
		w.strategy = "CREATE_AND_UPDATE"
	}
	var verdicts []*verdict
	kinds := c.comingKinds(root, w)
	for _, kind := range kinds {
		for _, o := range list(root, kind) {
			verdicts = append(verdicts, w.judge(kind, o))
		}
	}
	c.answerImport(w, b, verdicts)
}

// comingKinds lists the collections of a body that hold objects, and notes what comes.
func (c *metadataCall) comingKinds(root object, w *metadataWrite) []string {
	var kinds []string
	for _, kind := range keysInOrder(root) {
		if _, known := c.catalog.objects[kind]; !known && !otherCollections[kind] || len(list(root, kind)) == 0 {
			continue
		}
		kinds = append(kinds, kind)
		for _, o := range list(root, kind) {
			if str(o, "id") == "" {
				o["id"] = newUID()
			}
			w.coming[str(o, "id")] = entry{kind, o}
		}
	}
	return kinds
}

func (c *metadataCall) answerImport(w *metadataWrite, b *bound, verdicts []*verdict) {
	faulty := 0
	for _, v := range verdicts {
		if len(v.errors) > 0 {
			faulty++
		}
	}
	nothing := faulty > 0 && b.text["atomicMode"] != "NONE"
	full := b.text["importReportMode"] == "FULL" || b.text["importReportMode"] == "DEBUG"
	types, total := []*kindReport{}, metadataStats{}
	byKind := map[string]*kindReport{}
	var changes []*metadataChange
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
			changes = append(changes, v.change)
		}
	}
	answer := object{"responseType": c.manners.reportType("ImportReport"), "status": "OK", "typeReports": types, "stats": total}
	if faulty > 0 {
		answer["status"] = "WARNING"
		if nothing {
			answer["status"] = "ERROR"
		}
		if nothing {
			c.say(http.StatusConflict, "ERROR", "One or more errors occurred, please see full details in import report.", answer)
			return
		}
	}
	if b.text["importMode"] != "VALIDATE" {
		if err := c.srv.keepMetadata(changes); err != nil {
			c.fail(http.StatusInternalServerError, "", err.Error())
			return
		}
	}
	if faulty > 0 {
		c.say(http.StatusConflict, "WARNING", "One or more errors occurred, please see full details in import report.", answer)
		return
	}
	c.say(http.StatusOK, "OK", "", answer)
}

// klasses are the names of DHIS2's classes, by collection.
var klasses = map[string]string{kindOrgUnit: "organisationunit.OrganisationUnit", "organisationUnitGroups": "organisationunit.OrganisationUnitGroup",
	"organisationUnitGroupSets": "organisationunit.OrganisationUnitGroupSet", "organisationUnitLevels": "organisationunit.OrganisationUnitLevel",
	kindDataElement: "dataelement.DataElement", "dataElementGroups": "dataelement.DataElementGroup", kindDataSet: "dataset.DataSet", "sections": "dataset.Section",
	kindProgram: "program.Program", kindStage: "program.ProgramStage", "programIndicators": "program.ProgramIndicator", kindRule: "programrule.ProgramRule",
	kindRuleAction: "programrule.ProgramRuleAction", kindRuleVariable: "programrule.ProgramRuleVariable", kindTEType: "trackedentity.TrackedEntityType",
	kindAttribute: "trackedentity.TrackedEntityAttribute", kindOptionSet: "option.OptionSet", kindOption: "option.Option", "optionGroups": "option.OptionGroup",
	kindCategory: "category.Category", kindCombo: "category.CategoryCombo", kindCategoryOption: "category.CategoryOption",
	kindOptionCombo: "category.CategoryOptionCombo", kindRelType: "relationship.RelationshipType", kindUser: "user.User", kindRole: "user.UserRole",
	kindGroup: "user.UserGroup", kindMetaAttribute: "attribute.Attribute", kindConstant: "constant.Constant", "indicators": "indicator.Indicator",
	"indicatorTypes": "indicator.IndicatorType", "legendSets": "legend.LegendSet", "validationRules": "validation.ValidationRule"}

func klass(kind string) string {
	if k, ok := klasses[kind]; ok {
		return "org.hisp.dhis." + k
	}
	return "org.hisp.dhis." + strings.ToLower(singular(kind)) + "." + singular(kind)
}
