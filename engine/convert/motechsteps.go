package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// metadataTypes are the DHIS2 objects that MOTECH kept, as what Culvert searches in the synced metadata.
var metadataTypes = map[string]string{
	"OrgUnit": "organisationUnits", "DataElement": "dataElements", "Program": "programs", "DataSet": "dataSets",
	"TrackedEntity": "trackedEntityTypes", "TrackedEntityAttribute": "trackedEntityAttributes",
}

// dataSources makes lookups of the task's data sources.
func (c *taskConverter) dataSources() {
	for i := range c.task.Config.Steps {
		step := &c.task.Config.Steps[i]
		if step.Type != "DataSource" {
			continue
		}
		s := &taskSource{step: step}
		c.lookups = append(c.lookups, s)
		object := step.Object[strings.LastIndexByte(step.Object, '.')+1:]
		part := fmt.Sprintf("data source %s#%d", object, step.ObjectID)
		was := step.Provider + " " + step.Object
		if strings.EqualFold(step.Provider, "MOTECH-Commons") {
			c.commons(s, part, was)
			continue
		}
		s.name = c.lookupName(step, object)
		s.unit = metadataTypes[object]
		if s.unit != "" {
			s.fields = map[string]string{"uuid": "id", "id": "id", "name": "name", "code": "code"}
		} else {
			s.table = "tables/" + slug(object) + ".csv"
		}
		if !c.criteria(s, part, was) {
			continue
		}
		switch {
		case s.unit != "":
			c.add(part, Translated, was, "lookups: "+s.name+" in "+s.unit, "")
		default:
			c.add(part, LeftOut, was, "lookups: "+s.name+" in "+s.table,
				"export this entity from MOTECH's data browser as CSV into the table, with the columns that its first line names")
		}
	}
}

func (c *taskConverter) commons(s *taskSource, part, was string) {
	switch field := strings.ToLower(s.step.Object); {
	case strings.Contains(field, "today"):
		s.fixed = "today()"
	case strings.Contains(field, "now"):
		s.fixed = "now()"
	default:
		c.add(part, LeftOut, was, "", "Culvert knows now() and today()")
		return
	}
	c.add(part, Translated, was, s.fixed, "")
}

func (c *taskConverter) lookupName(step *taskStep, object string) string {
	name := identifier(object)
	if step.Specified != "" {
		name = identifier(step.Specified)
	}
	for _, other := range c.lookups {
		if other.name == name {
			return fmt.Sprintf("%s_%d", name, step.ObjectID)
		}
	}
	if name == "item" || name == "index" || name == "trigger" || name == "source" || name == "date" || name == "text" ||
		name == "number" {
		return "the_" + name
	}
	return name
}

// criteria translates what a data source is searched by.
func (c *taskConverter) criteria(s *taskSource, part, was string) bool {
	for _, f := range s.step.Fields {
		field := f.Field[strings.LastIndexByte(f.Field, '.')+1:]
		r := c.reader()
		template := f.Value
		if !strings.Contains(template, "{{") && (strings.HasPrefix(template, "trigger.") || strings.HasPrefix(template,
			"ad.")) {
			template = "{{" + template + "}}" // as older exports have it
		}
		v, err := r.template(template)
		if err != nil || v.blank {
			why := "the lookup field " + f.Field + " has no value"
			if err != nil {
				why = err.Error()
			}
			c.add(part, LeftOut, was+" by "+f.Field+" = "+f.Value, "", why)
			return false
		}
		expr := v.expr
		if expr == "" {
			expr = text(v.fixed)
		}
		if s.unit != "" {
			known, ok := s.fields[strings.ToLower(field)]
			if !ok {
				c.add(part, LeftOut, was+" by "+f.Field, "", "the metadata is searched by id, code or name")
				return false
			}
			field = known
		} else {
			s.column = append(s.column, field)
		}
		s.by = append(s.by, yamlnode.Text(field)+": "+yamlnode.Text(expr))
	}
	if len(s.by) == 0 {
		c.add(part, LeftOut, was+" "+s.step.Lookup, "",
			"the data source has no lookup fields: nothing says which object is meant")
		return false
	}
	return true
}

// writeLookups writes the lookups that something reads, and their tables.
func (c *taskConverter) writeLookups(w *writer) {
	first := true
	for _, s := range c.lookups {
		if !s.used || len(s.by) == 0 {
			continue
		}
		if first {
			w.line(0, "lookups:")
			first = false
		}
		w.line(1, "%s:", s.name)
		if s.unit != "" {
			w.line(2, "in: %s", s.unit)
		} else {
			w.pair(2, "table", s.table)
			c.writeTable(s)
		}
		w.line(2, "where:")
		for _, by := range s.by {
			w.line(3, "%s", by)
		}
		if s.step.Fail {
			w.line(2, "on_missing: fail")
		} else {
			w.line(2, "on_missing: blank")
		}
	}
}

// writeTable makes a table with nothing but its columns, or adds those that another task needs too.
func (c *taskConverter) writeTable(s *taskSource) {
	for i := range c.files {
		if c.files[i].Path == s.table {
			have := strings.Split(strings.TrimSpace(string(c.files[i].Text)), ",")
			c.files[i].Text = []byte(header(append(have, s.column...)))
			return
		}
	}
	if c.options.Taken == nil || !c.options.Taken(s.table) {
		c.files = append(c.files, File{Path: s.table, Text: []byte(header(s.column))})
	}
}

func header(columns []string) string {
	seen := map[string]bool{}
	var out []string
	for _, column := range columns {
		if !seen[column] {
			seen[column] = true
			out = append(out, column)
		}
	}
	return strings.Join(out, ",") + "\n"
}

// when joins the filters of the whole task, or of one action, with what tells the trigger's records.
func (c *taskConverter) when(action *int) string {
	var sets []string
	if action == nil && c.source.when != "" {
		sets = append(sets, c.source.when)
	}
	for i := range c.task.Config.Steps {
		step := &c.task.Config.Steps[i]
		if step.Type != "FilterSet" || (step.ForAction == nil) != (action == nil) || action != nil &&
			*step.ForAction != *action {
			continue
		}
		joiner := " and "
		if strings.EqualFold(step.Operator, "OR") {
			joiner = " or "
		}
		var parts []string
		for j := range step.Filters {
			f := &step.Filters[j]
			part := "filter " + f.Key
			if action != nil {
				part = fmt.Sprintf("action %d, filter %s", *action+1, f.Key)
			}
			if expr, ok := c.filter(part, f); ok {
				parts = append(parts, expr)
			}
		}
		switch {
		case len(parts) == 0:
		case len(parts) == 1:
			sets = append(sets, parts[0])
		case joiner == " or ":
			sets = append(sets, "("+strings.Join(parts, joiner)+")")
		default:
			sets = append(sets, strings.Join(parts, joiner))
		}
	}
	return strings.Join(sets, " and ")
}

// filter translates one filter. A value that is missing makes it false before "is not" is applied,
// as comparisons with a blank do in Culvert.
func (c *taskConverter) filter(part string, f *taskFilter) (string, bool) {
	r := c.reader()
	is := f.Is == nil || *f.Is
	was := f.Key + " " + map[bool]string{true: "is", false: "is not"}[is] + " " + f.Operator + " " + f.Expression
	left := func(err error) (string, bool) {
		c.add(part, LeftOut, was, "", err.Error()+": without the filter the rule takes more records than the task did")
		return "", false
	}
	if f.Key == "trigger.configName" {
		c.add(part, Changed, was, "",
			"configName is MOTECH's own name of the connection: give each connection an address of its own")
		return "", false
	}
	key := f.Key
	for _, m := range f.Manipulations {
		key += "?" + m
	}
	expr, err := r.keyed(key)
	if err != nil {
		return left(err)
	}
	out, err := compare(expr, f.Operator, f.Expression)
	if err != nil {
		return left(err)
	}
	if !is {
		out = "not (" + out + ")"
	}
	c.add(part, Translated, was, out, "")
	return out, true
}

// compare translates an operator of filters, by its name in the code (equals) or in the export (task.equals).
func compare(expr, operator, want string) (string, error) {
	num := func() (string, error) {
		n, err := strconv.ParseFloat(strings.TrimSpace(want), 64)
		if err != nil {
			return "", fmt.Errorf("%q is not a number", want)
		}
		return strconv.FormatFloat(n, 'f', -1, 64), nil
	}
	by := func(form string) (string, error) {
		n, err := num()
		return fmt.Sprintf(form, expr, n), err
	}
	switch strings.TrimPrefix(operator, "task.") {
	case "exist":
		return "not_blank(" + expr + ")", nil
	case "equals":
		return "text(" + expr + ") == " + text(want), nil
	case "contains":
		return expr + " contains " + text(want), nil
	case "startsWith":
		return expr + " startsWith " + text(want), nil
	case "endsWith":
		return expr + " endsWith " + text(want), nil
	case "equalsIgnoreCase":
		return "equals_ignore_case(" + expr + ", " + text(want) + ")", nil
	case "number.equals":
		return by("number(%s) == %s")
	case "gt":
		return by("number(%s) > %s")
	case "lt":
		return by("number(%s) < %s")
	case "isTrue":
		return "lower(text(" + expr + `)) == "true"`, nil
	case "and", "or":
		return boolean(expr, operator, want), nil
	case "after":
		return "date(" + expr + ") > date(" + text(want) + ")", nil
	case "before":
		return "date(" + expr + ") < date(" + text(want) + ")", nil
	case "afterNow":
		return "date(" + expr + ") > now()", nil
	case "beforeNow":
		return "date(" + expr + ") < now()", nil
	case "lessDaysFromNow":
		return by("abs(days_between(date(%s), now())) < %s")
	case "moreDaysFromNow":
		return by("abs(days_between(date(%s), now())) > %s")
	case "lessMonthsFromNow":
		return by(`abs(diff(date(%s), now(), "months")) < %s`)
	case "moreMonthsFromNow":
		return by(`abs(diff(date(%s), now(), "months")) > %s`)
	}
	return "", fmt.Errorf("the operator %q is not one of MOTECH's", operator)
}

// boolean translates and and or, which join a yes or no with a fixed one.
func boolean(expr, operator, want string) string {
	isTrue := "lower(text(" + expr + `)) == "true"`
	fixed := strings.EqualFold(strings.TrimSpace(want), "true")
	switch and := strings.HasSuffix(operator, "and"); {
	case and && !fixed:
		return "false"
	case !and && fixed:
		return "not_blank(" + expr + ")"
	}
	return isTrue
}
