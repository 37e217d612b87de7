package convert

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// action converts one action; false when nothing of it is left.
func (c *taskConverter) action(w *writer, number int, a *taskAction) bool {
	kind := a.kind()
	part := fmt.Sprintf("action %d", number+1)
	name := a.DisplayName
	if name == "" {
		name = strings.TrimSpace(a.Name + " " + a.Subject)
	}
	if a.SpecifiedName != "" {
		name = a.SpecifiedName + ": " + name
	}
	write := map[string]func(*actionWriter){
		"create_entity": (*actionWriter).entity, "enroll_in_program": (*actionWriter).enroll,
		"create_and_enroll":    (*actionWriter).enroll,
		"update_program_stage": (*actionWriter).event, "send_data_value": (*actionWriter).dataValue,
		"send_data_value_set": (*actionWriter).dataValueSet,
	}[kind]
	if write == nil {
		c.add(part, LeftOut, name, "", "the action is of the module "+cmp.Or(a.ModuleName, a.ChannelName)+", not of DHIS2")
		return false
	}
	b := &actionWriter{taskConverter: c, values: a.Values, part: part, kind: kind, done: map[string]bool{}}
	write(b)
	c.add(part, Translated, name, b.name, "")
	w.line(1, "- %s:", b.name)
	if when := c.when(&number); when != "" {
		w.pair(3, "when", when)
	}
	w.b.WriteString(b.b.String())
	return true
}

// kind is the subject of an action of the DHIS2 module, also where only the method of its service is named.
func (a *taskAction) kind() string {
	if a.ServiceMethod != "" && (a.Subject == "" ||
		strings.Contains(strings.ToLower(a.ModuleName+a.ChannelName), "dhis2")) {
		if s, ok := map[string]string{
			"createEntity": "create_entity", "enrollInProgram": "enroll_in_program", "createAndEnroll": "create_and_enroll",
			"updateProgramStage": "update_program_stage",
			"sendDataValue":      "send_data_value", "sendDataValueSet": "send_data_value_set",
		}[a.ServiceMethod]; ok {
			return s
		}
	}
	return a.Subject
}

// actionWriter writes one action of a rule.
type actionWriter struct {
	*taskConverter
	writer
	name   string
	kind   string
	part   string
	values map[string]string
	done   map[string]bool // keys of values that were seen to
}

// take gives the template of a key.
func (b *actionWriter) take(key string) string {
	b.done[key] = true
	return strings.TrimSpace(b.values[key])
}

// value writes the value of a key of the task under a key of the rule; false when there is none.
func (b *actionWriter) value(key, as string) bool {
	template := b.take(key)
	if template == "" {
		return false
	}
	v, ok := b.read(b.part+": "+as, template)
	if !ok {
		if !v.blank {
			b.todo(3, as+": was "+template)
		}
		return false
	}
	b.field(3, as, v)
	return true
}

// expression writes a value that must be an expression, such as external_id.
func (b *actionWriter) expression(key, as string) {
	template := b.take(key)
	v, ok := b.read(b.part+": "+as, template)
	switch {
	case !ok:
		b.todo(3, as+": the id of the person or case in the source; was "+template)
	case v.expr == "":
		b.pair(3, as, text(v.fixed))
	default:
		b.pair(3, as, v.expr)
	}
}

// unit writes the org unit: a lookup of org units as it is, anything else as the uid or code that it is.
func (b *actionWriter) unit() {
	template := b.take("location")
	if template == "" {
		return
	}
	if m := regexp.MustCompile(`^\{\{ad\.[^#]+#(\d+)\.(?i:uuid|id)\}\}$`).FindStringSubmatch(template); m != nil {
		for _, s := range b.lookups {
			if fmt.Sprint(s.step.ObjectID) == m[1] && s.unit == "organisationUnits" {
				s.used = true
				b.pair(3, "org_unit", s.name)
				b.add(b.part+": org_unit", Translated, template, s.name, "")
				return
			}
		}
	}
	b.values["location"] = template
	b.value("location", "org_unit")
}

// day writes a date. What is blank became the moment of sending in MOTECH, silently.
func (b *actionWriter) day(key, as string) {
	if b.values[key] != "" {
		if b.value(key, as) {
			b.add(b.part+": "+as, Changed, "", "",
				"a record whose date is blank fails; MOTECH sent the moment of sending in its place")
		}
		return
	}
	b.pair(3, as, "today()")
	b.add(b.part+": "+as, Changed, "nothing", "today()", "MOTECH sent the moment of sending")
}

// rest writes the fields whose keys are uids, under attributes, data_values or values.
func (b *actionWriter) rest(under string, name func(uid string) string) {
	var keys []string
	for key, template := range b.values {
		if !b.done[key] && strings.TrimSpace(template) != "" {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(x, y string) int { return strings.Compare(name(x), name(y)) })
	lines, todos := writer{}, writer{}
	for _, key := range keys {
		as := name(key)
		v, ok := b.read(b.part+": "+as, b.values[key])
		switch {
		case ok:
			lines.field(4, as, v)
		case !v.blank:
			todos.todo(4, as+": was "+b.values[key])
		}
	}
	if lines.b.Len() > 0 {
		b.line(3, "%s:", under)
		b.b.WriteString(lines.b.String())
	}
	b.b.WriteString(todos.b.String())
}

func (b *actionWriter) entity() {
	b.name = "dhis2.tracked_entity"
	b.line(3, "when_absent: create")
	b.pair(3, "tracked_entity_type", b.entityType(b.take("entity_type")))
	b.expression("external_id", "external_id")
	b.unit()
	b.rest("attributes", b.attribute)
}

func (b *actionWriter) enroll() {
	b.name = "dhis2.enroll"
	if b.kind == "create_and_enroll" {
		b.name = "dhis2.create_and_enroll"
	}
	b.take("entity_type")
	b.pair(3, "program", b.program(b.take("program")))
	b.expression("external_id", "external_id")
	b.unit()
	b.day("date", "enrolled_at")
	b.rest("attributes", b.attribute)
}

func (b *actionWriter) event() {
	b.name = "dhis2.event"
	b.pair(3, "program", b.program(b.take("program")))
	b.pair(3, "stage", b.stage(b.take("stage")))
	if registered := b.take("registration"); registered != "false" {
		b.expression("external_id", "external_id")
	} else {
		b.take("external_id")
	}
	b.unit()
	b.day("date", "occurred_at")
	b.value("status", "status")
	b.rest("data_values", b.element)
}

var duration = regexp.MustCompile(`^P\d+[DWMY]$`)

// period writes the period; the durations that later versions of MOTECH took say nothing of when.
func (b *actionWriter) period() {
	template := b.take("period")
	if duration.MatchString(template) {
		b.todo(3, "period: the date or period of the record; MOTECH had the duration "+template)
		b.add(b.part+": period", LeftOut, template, "",
			"a duration says nothing of when: name the field with the date, and the data set says which period that is")
		return
	}
	b.value("period", "period")
}

func (b *actionWriter) dataValue() {
	b.name = "dhis2.data_value"
	template := b.take("data_element")
	v, ok := b.read(b.part+": data_element", template)
	switch {
	case !ok:
		b.todo(3, "data_element: was "+template)
	case v.expr == "":
		b.pair(3, "data_element", v.fixed)
		b.dataSetOf(v.fixed)
	default:
		b.field(3, "data_element", v, "blank: fail")
		b.todo(3, "data_set: the data set that the data elements are of")
		b.add(b.part+": data_set", LeftOut, "", "", "name the data set: it gives the form of the period and what may be sent")
	}
	b.period()
	b.unit()
	b.value("value", "value")
	b.value("category_option_combo", "category_option_combo")
	b.value("comment", "comment")
}

// dataSetOf names the data set that a data element is in, where it is the only one.
func (b *actionWriter) dataSetOf(name string) {
	x := b.options.Index
	if x == nil {
		b.todo(3, "data_set: the data set that the data element is of")
		b.add(b.part+": data_set", LeftOut, "", "",
			"name the data set: it gives the form of the period (after `culvert sync` convert finds it by itself)")
		return
	}
	e, _, _ := x.DataElement(name, nil)
	var found []string
	for i := range x.Snapshot.DataSets {
		d := &x.Snapshot.DataSets[i]
		for _, use := range d.Elements {
			if e != nil && use.DataElement.ID == e.ID {
				found = append(found, d.ID)
			}
		}
	}
	if len(found) == 1 {
		b.pair(3, "data_set", b.dataSet(found[0]))
		return
	}
	b.todo(3, "data_set: the data set that the data element is of")
	b.add(b.part+": data_set", LeftOut, "", "",
		fmt.Sprintf("the data element is in %d data sets: name the one that is meant", len(found)))
}

func (b *actionWriter) dataValueSet() {
	b.name = "dhis2.data_value_set"
	b.pair(3, "data_set", b.dataSet(b.take("data_set")))
	b.period()
	b.unit()
	b.day("complete_date", "complete_date")
	b.value("attribute_option_combo", "attribute_option_combo")
	b.value("comment", "comment")
	combo := b.take("category_option_combo")
	if combo == "" {
		b.rest("values", b.element)
		return
	}
	b.combined(combo)
}

// combined writes values that all go to one category option combo.
func (b *actionWriter) combined(combo string) {
	v, ok := b.read(b.part+": category_option_combo", combo)
	if !ok || v.expr != "" {
		b.todo(3, "values: all went to the category option combo "+combo)
		b.add(b.part+": values", LeftOut, combo, "",
			"a category option combo that differs from record to record needs one dhis2.data_value for each data element")
		for key := range b.values {
			b.done[key] = true
		}
		return
	}
	b.line(3, "values:")
	for _, key := range sortedKeys(b.values) {
		if b.done[key] || strings.TrimSpace(b.values[key]) == "" {
			continue
		}
		as := b.element(key)
		if v2, ok := b.read(b.part+": "+as, b.values[key]); ok {
			b.line(4, "%s:", yamlnode.Text(as))
			b.field(5, v.fixed, v2)
		}
	}
}
