package convert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

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
