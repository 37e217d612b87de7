package dhis2

import (
	"fmt"
	"regexp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// kinds of objects that a trigger names, as findings call them.
var kinds = map[string]string{sources.Programs: "program", sources.Stages: "program stage", sources.DataSets: "data set",
	sources.OrgUnits: "org unit", sources.DataElements: "data element"}

// CheckNames reports names that the server has not.
func (Kind) CheckNames(t *rules.Trigger, c sources.Catalog, report func(diag.Diagnostic)) {
	find := func(collection string, n *yamlnode.Node, program string) *sources.Thing {
		if n == nil || n.Kind != yamlnode.Scalar || n.Value == "" {
			return nil
		}
		found, near := c.Find(collection, n.Value, program)
		if found == nil {
			report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-name", Place: n.Place(),
				Message: fmt.Sprintf("there is no %s %q on the server that is read", kinds[collection], n.Value),
				Hint:    diag.Suggest(n.Value, near, "names")}})
		}
		return found
	}
	if program := find(sources.Programs, t.Config.Get("program"), ""); program != nil {
		find(sources.Stages, t.Config.Get("stage"), program.ID)
	}
	find(sources.DataSets, t.Config.Get("data_set"), "")
	find(sources.OrgUnits, t.Config.Get("org_unit"), "")
	for _, n := range t.Config.Get("data").Items() {
		if p := dataProblem(n.Value, c); p != nil {
			p.Place = n.Place()
			report(diag.Diagnostic{Problem: *p})
		} else if !uid.MatchString(n.Value) && !itemForm.MatchString(n.Value) {
			find(sources.DataElements, n, "")
		}
	}
}

// itemForm is something that analytics know by several uids: a data element with its option combos, one of a program,
// the reports of a data set.
var itemForm = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]{10})\.([A-Za-z0-9_]+|\*)(\.([A-Za-z0-9]+|\*))?$`)

// dataProblem looks at the parts of an item of several uids: DHIS2 passes over what it does not know as if there were
// no data.
func dataProblem(text string, c sources.Catalog) *diag.Problem {
	m := itemForm.FindStringSubmatch(text)
	if m == nil || c.ByID(sources.DataElements, m[1]) == nil {
		return nil
	}
	if m[2] == "*" || m[4] == "*" {
		return &diag.Problem{Code: "unknown-name", Message: fmt.Sprintf("%q asks for totals without saying of what, which "+
			"DHIS2 answers with values of no data element", text),
			Hint: "name the data element alone, with category_option_combos: true for a value each"}
	}
	for _, combo := range []string{m[2], m[4]} {
		if combo != "" && c.ByID(sources.OptionCombos, combo) == nil {
			return &diag.Problem{Code: "unknown-name", Message: fmt.Sprintf("there is no category option combo %q on the "+
				"server that is read", combo),
				Hint: "write element.combo with the uids of both"}
		}
	}
	return nil
}

var uid = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{10}$`)

// Shape is what is known of a record by the metadata of the server that it is read from.
func (Kind) Shape(t *rules.Trigger, c sources.Catalog) *expression.Shape {
	r := read(t, func(diag.Diagnostic) {})
	switch r.Read {
	case readEvents:
		return eventShape(&r, c, true)
	case readPeople:
		return peopleShape(&r, c)
	case readValues, readAnalytics:
		fields := texts("dhis2", "id", "data_element", "data_element_id", "data_element_code", "period", "org_unit",
			"org_unit_name", "org_unit_code", "category_option_combo", "category_option_combo_name",
			"category_option_combo_code", "attribute_option_combo", "attribute_option_combo_name",
			"attribute_option_combo_code", "value")
		if r.Read == readValues {
			add(fields, texts("comment", "created_at", "updated_at", "stored_by"))
			fields["follow_up"] = expression.BooleanShape()
		}
		return expression.Object(fields)
	}
	return nil
}

func texts(names ...string) map[string]*expression.Shape {
	fields := map[string]*expression.Shape{}
	for _, name := range names {
		fields[name] = expression.TextShape()
	}
	return fields
}

func add(to, more map[string]*expression.Shape) {
	for name, s := range more {
		to[name] = s
	}
}

func eventShape(r *Rule, c sources.Catalog, alone bool) *expression.Shape {
	fields := texts("id", "program", "stage", "stage_name", "enrollment", "tracked_entity", "org_unit", "org_unit_name",
		"org_unit_code", "status", "occurred_at", "scheduled_at", "completed_at", "created_at", "updated_at", "created_by", "updated_by",
		"attribute_option_combo", "attribute_option_combo_name", "attribute_option_combo_code", "assigned_user")
	if alone {
		add(fields, texts("dhis2"))
	}
	fields["follow_up"], fields["geometry"] = expression.BooleanShape(), expression.Dynamic()
	values := map[string]*expression.Shape{}
	if p, _ := c.Find(sources.Programs, r.Program, ""); p != nil {
		only, _ := c.Find(sources.Stages, r.Stage, p.ID)
		for _, id := range p.Parts {
			if only != nil && id != only.ID {
				continue
			}
			if s := c.ByID(sources.Stages, id); s != nil {
				add(values, valueShapes(c, sources.DataElements, s.Parts))
			}
		}
	}
	fields["values"] = expression.Object(values)
	return expression.Object(fields)
}

func peopleShape(r *Rule, c sources.Catalog) *expression.Shape {
	fields := texts("dhis2", "id", "type", "org_unit", "org_unit_name", "org_unit_code", "created_at", "updated_at",
		"created_by", "updated_by")
	fields["inactive"], fields["geometry"] = expression.BooleanShape(), expression.Dynamic()
	attributes := map[string]*expression.Shape{}
	if p, _ := c.Find(sources.Programs, r.Program, ""); p != nil {
		attributes = valueShapes(c, sources.Attributes, p.Attributes)
	}
	fields["attributes"] = expression.Object(attributes)
	enrollment := texts("id", "program", "org_unit", "org_unit_name", "org_unit_code", "status", "enrolled_at",
		"occurred_at", "completed_at")
	enrollment["follow_up"] = expression.BooleanShape()
	enrollment["events"] = expression.ListOf(eventShape(r, c, false))
	fields["enrollments"] = expression.ListOf(expression.Object(enrollment))
	return expression.Object(fields)
}

func valueShapes(c sources.Catalog, collection string, ids []string) map[string]*expression.Shape {
	fields := map[string]*expression.Shape{}
	for _, id := range ids {
		t := c.ByID(collection, id)
		if t == nil {
			continue
		}
		switch {
		case isNumber(t.ValueType):
			fields[t.Name] = expression.NumberShape()
		case isTruth(t.ValueType):
			fields[t.Name] = expression.BooleanShape()
		default:
			fields[t.Name] = expression.TextShape()
		}
	}
	return fields
}
