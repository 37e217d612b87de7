package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// source is where CommCare HQ takes a value from; which it is shows in the keys that are there.
type source struct {
	FormQuestion string            `json:"form_question"`
	CaseProperty string            `json:"case_property"`
	Value        json.RawMessage   `json:"value"`
	OwnerField   string            `json:"case_owner_ancestor_location_field"`
	UserField    string            `json:"form_user_ancestor_location_field"`
	JSONPath     string            `json:"jsonpath"`
	Map          map[string]string `json:"value_map"`
	Direction    string            `json:"direction"`
}

// UnmarshalJSON takes a source, or a fixed text in its place.
func (s *source) UnmarshalJSON(raw []byte) error {
	var fixed string
	if json.Unmarshal(raw, &fixed) == nil {
		s.Value = raw
		return nil
	}
	type plain source
	return json.Unmarshal(raw, (*plain)(s))
}

type formConfig struct {
	XMLNS        string      `json:"xmlns"`
	Program      string      `json:"program_id"`
	Stage        *source     `json:"program_stage_id"`
	Enrolled     *source     `json:"enrollment_date"`
	Incident     *source     `json:"incident_date"`
	ProgramState *source     `json:"program_status"`
	OrgUnit      *source     `json:"org_unit_id"`
	Date         *source     `json:"event_date"`
	Status       *source     `json:"event_status"`
	Completed    *source     `json:"completed_date"`
	Location     *source     `json:"event_location"`
	Values       []dataValue `json:"datavalue_maps"`
}

type dataValue struct {
	Element string  `json:"data_element_id"`
	Value   *source `json:"value"`
	Column  string  `json:"column"`
	Combo   string  `json:"category_option_combo_id"`
	Comment string  `json:"comment"`
}

type caseConfig struct {
	CaseType      string            `json:"case_type"`
	EntityType    string            `json:"te_type_id"`
	EntityID      *source           `json:"tei_id"`
	OrgUnit       *source           `json:"org_unit_id"`
	Attributes    map[string]source `json:"attributes"`
	Forms         []formConfig      `json:"form_configs"`
	Relationships []json.RawMessage `json:"relationships_to_export"`
	Finder        *struct {
		Weights []struct {
			Property string  `json:"case_property"`
			Weight   float64 `json:"weight"`
		} `json:"property_weights"`
	} `json:"finder_config"`
}

type dataSetMap struct {
	Report      string      `json:"ucr_id"`
	Description string      `json:"description"`
	DataSet     string      `json:"data_set_id"`
	OrgUnit     string      `json:"org_unit_id"`
	UnitColumn  string      `json:"org_unit_column"`
	Period      string      `json:"period"`
	PeriodCol   string      `json:"period_column"`
	Frequency   string      `json:"frequency"`
	Day         int         `json:"day_to_send"`
	AttributeOC string      `json:"attribute_option_combo_id"`
	Complete    string      `json:"complete_date"`
	Values      []dataValue `json:"datavalue_maps"`
}

// CommCare converts the configurations of CommCare HQ's DHIS2 repeaters and data sets, by file name.
func CommCare(files map[string][]byte, o Options) (Result, error) {
	c := commcareConverter{project: &project{options: o}}
	for _, file := range sortedKeys(files) {
		c.from = file
		if err := c.read(bytes.TrimPrefix(files[file], []byte("\ufeff"))); err != nil {
			return Result{}, fmt.Errorf("%s is not a DHIS2 configuration of CommCare HQ: %w", file, err)
		}
	}
	return Result{Files: c.files, Lines: c.lines}, nil
}

type commcareConverter struct {
	*project
	report
}

func (c *commcareConverter) read(raw []byte) error {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && list != nil {
		for _, one := range list {
			if err := c.read(one); err != nil {
				return err
			}
		}
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err
	}
	var forms []formConfig
	var cases []caseConfig
	var sets []dataSetMap
	var err error
	switch {
	case keys["case_type"] != nil:
		err = one(raw, &cases)
	case keys["data_set_id"] != nil:
		err = one(raw, &sets)
	case keys["xmlns"] != nil:
		err = one(raw, &forms)
	default:
		for _, key := range []string{"dhis2_config", "dhis2_entity_config"} {
			if of := keys[key]; of != nil {
				return c.read(of)
			}
		}
		err = errors.Join(many(keys["form_configs"], &forms), many(keys["case_configs"], &cases),
			many(keys["dataset_maps"], &sets))
	}
	if err != nil {
		return err
	}
	if len(forms)+len(cases)+len(sets) == 0 {
		return fmt.Errorf("it has neither form_configs, case_configs, nor a data set")
	}
	for i := range forms {
		c.anonymous(&forms[i])
	}
	for i := range cases {
		c.tracked(&cases[i])
	}
	for i := range sets {
		c.dataSetMap(&sets[i])
	}
	return nil
}

// one reads a configuration that stands alone, many a list of them.
func one[T any](raw json.RawMessage, into *[]T) error {
	*into = make([]T, 1)
	return json.Unmarshal(raw, &(*into)[0])
}

func many[T any](raw json.RawMessage, into *[]T) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// expression gives where a value stands in a form or case that is forwarded as JSON.
func (c *commcareConverter) expression(part string, s *source, ofCase bool) (value, []string, bool) {
	var more []string
	if len(s.Map) > 0 {
		pairs := make([]string, 0, len(s.Map))
		for _, from := range sortedKeys(s.Map) {
			pairs = append(pairs, yamlnode.FlowText(from)+": "+yamlnode.FlowText(s.Map[from]))
		}
		more = append(more, "map: {"+strings.Join(pairs, ", ")+"}")
		c.add(part, Changed, "", strings.Join(more, ""),
			"a value that is not in the map fails the record; CommCare sent nothing in its place")
	}
	if s.Direction == "in" {
		c.add(part, LeftOut, "direction: in", "", "Culvert writes to DHIS2 and takes nothing back to CommCare")
		return value{}, nil, false
	}
	switch {
	case s.FormQuestion == "/metadata/received_on":
		return value{expr: "trigger.received_on"}, more, true
	case strings.HasPrefix(s.FormQuestion, "/metadata/"):
		return value{expr: "trigger.form.meta" + pathOf(strings.TrimPrefix(s.FormQuestion, "/metadata"))}, more, true
	case s.FormQuestion != "":
		return value{expr: formField(s.FormQuestion)}, more, true
	case s.CaseProperty != "" && ofCase:
		return value{expr: caseField(s.CaseProperty)}, more, true
	case s.CaseProperty != "":
		c.add(part, Changed, s.CaseProperty, member("trigger.form.case.update", s.CaseProperty),
			"a form knows only what it changes of its case: where it does not change this property, take it from the "+
				"question that asks for it")
		return value{expr: member("trigger.form.case.update", s.CaseProperty)}, more, true
	case s.OwnerField != "" || s.UserField != "":
		c.add(part, LeftOut, s.OwnerField+s.UserField, "",
			"the org unit is that of the first location above, which has the field: sync the locations of the project "+
				"(connections: ... locations:) and look the unit up in that table")
		return value{}, nil, false
	case len(s.Value) > 0 && string(s.Value) != "null":
		var fixed any
		if err := json.Unmarshal(s.Value, &fixed); err != nil {
			return value{}, nil, false
		}
		return value{fixed: fmt.Sprint(fixed)}, more, true
	}
	c.add(part, LeftOut, s.JSONPath, "", "the source of the value is of no kind that is written to DHIS2")
	return value{}, nil, false
}

func pathOf(path string) string {
	out := ""
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		out = member(out, part)
	}
	return out
}

// put writes a value under a key, or a comment that a person has to see to.
func (c *commcareConverter) put(w *writer, depth int, part, key string, s *source, ofCase bool) bool {
	if s == nil {
		return false
	}
	v, more, ok := c.expression(part+": "+key, s, ofCase)
	if !ok {
		w.todo(depth, key)
		return false
	}
	w.field(depth, key, v, more...)
	c.add(part+": "+key, Translated, s.was(), v.expr+v.fixed, "")
	return true
}

func (s *source) was() string {
	return s.FormQuestion + s.CaseProperty + string(s.Value)
}

// begin writes what every rule about forms has, and gives the path that the rule gets.
func (c *commcareConverter) begin(name, of string) (*writer, string) {
	path := c.free("rules", slug(name), ".yaml")
	w := &writer{}
	w.line(0, "# yaml-language-server: $schema=../schemas/rule.schema.json")
	w.line(0, "# Converted from CommCare HQ's DHIS2 configuration: %s.", of)
	w.pair(0, "rule", strings.TrimSuffix(strings.TrimPrefix(path, "rules/"), ".yaml"))
	return w, path
}

func (c *commcareConverter) end(w *writer, path string) {
	c.files = append(c.files, File{Path: path, Text: []byte(w.b.String())})
}

func (c *commcareConverter) formTrigger(w *writer, f *formConfig) {
	w.line(0, "trigger:")
	w.line(1, "webhook: {path: /commcare/forms}")
	w.todo(1, "save a real form as a sample, without anybody's data, and name it here with sample:")
	w.pair(0, "when", `trigger.form["@xmlns"] == `+text(f.XMLNS))
	w.pair(0, "id", "trigger.form.meta.instanceID")
	w.line(0, "actions:")
}

// last is the end of an xmlns, which tells forms apart for people.
func last(xmlns string) string {
	xmlns = strings.TrimRight(xmlns, "/")
	return xmlns[strings.LastIndexByte(xmlns, '/')+1:]
}

// anonymous converts a form that becomes an event without a person.
func (c *commcareConverter) anonymous(f *formConfig) {
	name := "event-" + c.program(f.Program) + "-" + last(f.XMLNS)
	w, path := c.begin(name, "anonymous events of the form "+f.XMLNS)
	c.formTrigger(w, f)
	c.event(w, path, f, false)
	c.end(w, path)
}

func (c *commcareConverter) event(w *writer, part string, f *formConfig, tracked bool) {
	w.line(1, "- dhis2.event:")
	w.pair(3, "program", c.program(f.Program))
	if f.Stage != nil {
		var uid string
		if err := json.Unmarshal(f.Stage.Value, &uid); err == nil {
			w.pair(3, "stage", c.stage(uid))
		} else {
			w.todo(3, "stage: "+f.Stage.was())
			c.add(part+": stage", LeftOut, f.Stage.was(), "",
				"a stage that differs from form to form: write an action for each, with when:")
		}
	}
	if tracked {
		w.pair(3, "external_id", `trigger.form.case["@case_id"]`)
	}
	if !c.put(w, 3, part, "org_unit", f.OrgUnit, false) {
		if f.OrgUnit == nil {
			w.todo(3, "org_unit: of the location of the user who sent the form")
			c.add(part+": org_unit", LeftOut, "the user's location", "",
				"name the field that holds the facility, or look it up in the locations of the project")
		}
	}
	date := f.Date
	if date == nil {
		date = &source{FormQuestion: "/metadata/received_on"}
	}
	c.put(w, 3, part, "occurred_at", date, false)
	status := f.Status
	if status == nil {
		status = &source{Value: json.RawMessage(`"COMPLETED"`)}
	}
	c.put(w, 3, part, "status", status, false)
	c.put(w, 3, part, "completed_at", f.Completed, false)
	if f.Location != nil {
		if v, _, ok := c.expression(part+": geometry", f.Location, false); ok && v.expr != "" {
			w.pair(3, "geometry", v.expr)
		}
	}
	if len(f.Values) > 0 {
		w.line(3, "data_values:")
	}
	for _, d := range f.Values {
		c.put(w, 4, part, c.element(d.Element), d.Value, false)
	}
}

// tracked converts a case that becomes a tracked entity, and its forms, which become enrollments and events.
func (c *commcareConverter) tracked(t *caseConfig) {
	w, path := c.begin("case-"+t.CaseType, "tracked entities of the case type "+t.CaseType)
	w.line(0, "trigger:")
	w.line(1, "webhook: {path: /commcare/cases}")
	w.todo(1, "save a real case as a sample, without anybody's data, and name it here with sample:")
	w.pair(0, "when", "trigger.properties.case_type == "+text(t.CaseType))
	w.pair(0, "id", "trigger.case_id")
	w.line(0, "actions:")
	w.line(1, "- dhis2.tracked_entity:")
	w.line(3, "when_absent: create")
	w.pair(3, "tracked_entity_type", c.entityType(t.EntityType))
	w.pair(3, "external_id", "trigger.case_id")
	if t.OrgUnit == nil {
		t.OrgUnit = &source{OwnerField: "dhis_id"}
	}
	c.put(w, 3, path, "org_unit", t.OrgUnit, true)
	if len(t.Attributes) > 0 {
		w.line(3, "attributes:")
	}
	for _, uid := range sortedKeys(t.Attributes) {
		s := t.Attributes[uid]
		c.put(w, 4, path, c.attribute(uid), &s, true)
	}
	if t.EntityID != nil {
		c.add(path+": tei_id", Changed, t.EntityID.was(), "",
			"Culvert keeps which case is which person itself. For people that CommCare has registered, export case ids and "+
				"UIDs and run `culvert ids --import`")
	}
	if t.Finder != nil {
		var by []string
		for _, p := range t.Finder.Weights {
			by = append(by, fmt.Sprintf("%s (%g)", p.Property, p.Weight))
		}
		c.add(path+": finder_config", LeftOut, strings.Join(by, ", "), "",
			"add match_by: with the attributes by which people who are in DHIS2 already are found (docs/actions.md)")
	}
	for range t.Relationships {
		c.add(path+": relationships", LeftOut, "", "",
			"add a dhis2.relationship from the case to its parent case (docs/actions.md)")
	}
	c.end(w, path)
	for i := range t.Forms {
		c.enrolling(t, &t.Forms[i])
	}
}

func (c *commcareConverter) enrolling(t *caseConfig, f *formConfig) {
	w, path := c.begin("form-"+t.CaseType+"-"+last(f.XMLNS), "the form "+f.XMLNS+" of the case type "+t.CaseType)
	c.formTrigger(w, f)
	w.line(1, "- dhis2.enroll:")
	w.pair(3, "program", c.program(f.Program))
	w.pair(3, "external_id", `trigger.form.case["@case_id"]`)
	unit := f.OrgUnit
	if unit == nil {
		unit = &source{UserField: "dhis_id"}
	}
	c.put(w, 3, path, "org_unit", unit, false)
	enrolled := f.Enrolled
	if enrolled == nil {
		enrolled = &source{FormQuestion: "/metadata/received_on"}
		c.add(path+": enrolled_at", Changed, "", "trigger.received_on", "the form named no date of enrollment")
	}
	c.put(w, 3, path, "enrolled_at", enrolled, false)
	c.put(w, 3, path, "incident_at", f.Incident, false)
	c.put(w, 3, path, "status", f.ProgramState, false)
	if f.Stage != nil {
		c.event(w, path, f, true)
	}
	c.end(w, path)
}

// dataSetMap converts a report whose rows become data values.
func (c *commcareConverter) dataSetMap(d *dataSetMap) {
	name := c.dataSet(d.DataSet)
	w, path := c.begin("data-set-"+name, "the data set "+name+", from the report "+d.Report)
	w.line(0, "trigger:")
	w.line(1, "files: {folder: drop, glob: %s}", yamlnode.FlowText(slug(name)+"*.csv"))
	w.todo(1, "save an export of the report as a sample and name it here with sample:")
	c.add(path+": report "+d.Report, Changed, d.Frequency, "files",
		"export the report as CSV into drop/: every row with a new value is sent, at any time and as often as wanted")
	unit, period := value{fixed: d.OrgUnit}, value{fixed: d.Period}
	var id []string
	if d.UnitColumn != "" {
		unit = value{expr: member("trigger", d.UnitColumn)}
		id = append(id, unit.expr)
	}
	if d.PeriodCol != "" {
		period = value{expr: member("trigger", d.PeriodCol)}
		id = append(id, period.expr)
	}
	switch len(id) {
	case 0:
		w.todo(0, "id: with what identifies a row")
	case 1:
		w.pair(0, "id", id[0])
	default:
		w.pair(0, "id", `format("{} {}", `+strings.Join(id, ", ")+")")
	}
	w.line(0, "actions:")
	w.line(1, "- dhis2.data_value_set:")
	w.pair(3, "data_set", name)
	w.field(3, "org_unit", unit)
	if period.expr == "" && period.fixed == "" {
		w.todo(3, "period: the period of the report, from a column or as {value: ...}")
		c.add(path+": period", LeftOut, d.Frequency, "",
			"CommCare took the last whole period before the day of sending: add a column with the date or the period to the "+
				"report")
	} else {
		w.field(3, "period", period)
	}
	if d.AttributeOC != "" {
		w.field(3, "attribute_option_combo", value{fixed: d.AttributeOC})
	}
	if d.Complete != "" {
		w.field(3, "complete_date", value{fixed: d.Complete})
	}
	c.cells(w, path, d.Values)
	c.end(w, path)
}

// cells writes the values of a data set, by data element and category option combo.
func (c *commcareConverter) cells(w *writer, path string, values []dataValue) {
	w.line(3, "values:")
	byElement := map[string][]dataValue{}
	for _, v := range values {
		byElement[v.Element] = append(byElement[v.Element], v)
	}
	for _, uid := range sortedKeys(byElement) {
		name, list := c.element(uid), byElement[uid]
		if len(list) == 1 && list[0].Combo == "" {
			w.field(4, name, value{expr: member("trigger", list[0].Column)})
			c.add(path+": "+name, Translated, list[0].Column, member("trigger", list[0].Column), "")
			continue
		}
		w.line(4, "%s:", yamlnode.Text(name))
		for _, v := range list {
			w.field(5, v.Combo, value{expr: member("trigger", v.Column)})
			c.add(path+": "+name+" "+v.Combo, Translated, v.Column, member("trigger", v.Column), "")
		}
	}
}
