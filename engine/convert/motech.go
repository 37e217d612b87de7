package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Motech converts the tasks of exports, by file name: one task, a list of them, or a list under "tasks".
func Motech(exports map[string][]byte, o Options) (Result, error) {
	p := &project{options: o}
	var out Result
	for _, file := range sortedKeys(exports) {
		tasks, err := readTasks(exports[file])
		if err != nil {
			return Result{}, fmt.Errorf("%s is not a MOTECH task export: %w", file, err)
		}
		for i := range tasks {
			c := taskConverter{project: p, task: &tasks[i], report: report{from: tasks[i].Name}}
			if c.from == "" {
				c.from = fmt.Sprintf("%s, task %d", file, i+1)
			}
			c.convert()
			out.Lines = append(out.Lines, c.lines...)
		}
	}
	out.Files = p.files
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// taskConverter converts one task.
type taskConverter struct {
	*project
	report
	task    *task
	source  triggerSource
	lookups []*taskSource
}

// triggerSource says how the fields of a trigger are read in Culvert.
type triggerSource struct {
	yaml  string // of the trigger
	when  string // that tells its records from others of the same address
	id    string
	field func(key string) string
}

// taskSource is a data source of a task as a lookup.
type taskSource struct {
	step   *taskStep
	name   string
	unit   string // the collection of the metadata, empty for a table
	fixed  string // an expression that stands for it, such as now()
	fields map[string]string
	used   bool
	table  string
	column []string
	by     []string // criteria as YAML
}

func (c *taskConverter) convert() {
	t := c.task
	c.trigger()
	c.dataSources()
	var body writer
	done := 0
	for i := range t.Actions {
		if c.action(&body, i, &t.Actions[i]) {
			done++
		}
	}
	var w writer
	name := slug(t.Name)
	path := c.free("rules", name, ".yaml")
	w.line(0, "# yaml-language-server: $schema=../schemas/rule.schema.json")
	w.line(0, "# Converted from the MOTECH task %q.", t.Name)
	w.pair(0, "rule", strings.TrimSuffix(strings.TrimPrefix(path, "rules/"), ".yaml"))
	if t.Description != "" {
		w.pair(0, "description", strings.Join(strings.Fields(t.Description), " "))
	}
	w.line(0, "trigger:")
	w.line(1, "%s", c.source.yaml)
	w.todo(1, "save a real record as samples/"+name+".json, without anybody's data, and name it here with sample:")
	if when := c.when(nil); when != "" {
		w.pair(0, "when", when)
	}
	if c.source.id != "" {
		w.pair(0, "id", c.source.id)
	} else {
		w.todo(0, "id: with what identifies a record in the source")
	}
	c.writeLookups(&w)
	if done == 0 {
		w.todo(0, "none of the task's actions writes to DHIS2")
		w.line(0, "actions: []")
	} else {
		w.line(0, "actions:")
		w.b.WriteString(body.b.String())
	}
	c.files = append(c.files, File{Path: path, Text: []byte(w.b.String())})
	c.settings(path)
}

var (
	formSubject = regexp.MustCompile(`commcare\.api\.forms\.`)
	caseSubject = regexp.MustCompile(`commcare\.api\.case`)
	xmlns       = regexp.MustCompile(`https?://[^\s+]+`)
	caseType    = regexp.MustCompile(`Received Case: (.+?)(?: \[.*\])?$`)
	caseEnd     = regexp.MustCompile(`commcare\.api\.case\.(?:[^.]+\.)?([^.]+)$`)
)

// metaFields are the fields of a form's meta block, by MOTECH's names.
var metaFields = []string{"instanceID", "userID", "deviceID", "username", "timeStart", "timeEnd"}

// trigger finds out what sends the task's records, and how their fields are called.
func (c *taskConverter) trigger() {
	c.source = triggerSource{yaml: "webhook: {path: /motech/" + slug(c.task.Name) + "}",
		field: func(key string) string { return member("trigger", key) }}
	e := c.task.Trigger
	if e == nil {
		c.add("trigger", LeftOut, "", c.source.yaml, "the task has no trigger: say where records come from")
		return
	}
	was := e.DisplayName
	if was == "" {
		was = e.Subject
	}
	switch {
	case formSubject.MatchString(e.Subject):
		c.source = triggerSource{yaml: "webhook: {path: /commcare/forms}", id: "trigger.form.meta.instanceID",
			field: formField}
		ns := xmlns.FindString(e.Subject)
		if ns != "" {
			c.source.when = `trigger.form["@xmlns"] == ` + text(ns)
			c.add("trigger", Translated, was, c.source.yaml+", when "+c.source.when,
				"in CommCare HQ, forward forms as JSON to this address")
		} else {
			c.add("trigger", Changed, was, c.source.yaml,
				"the subject does not name the form's xmlns: add when: so that only this form is taken")
		}
	case caseSubject.MatchString(e.Subject):
		c.source = triggerSource{yaml: "webhook: {path: /commcare/cases}", id: "trigger.case_id", field: caseField}
		of := ""
		if m := caseType.FindStringSubmatch(e.DisplayName); m != nil {
			of = m[1]
		} else if m := caseEnd.FindStringSubmatch(e.Subject); m != nil {
			of = m[1]
		}
		if of != "" {
			c.source.when = "trigger.properties.case_type == " + text(of)
		}
		c.add("trigger", Translated, was, c.source.yaml, "in CommCare HQ, forward cases as JSON to this address")
	default:
		c.add("trigger", LeftOut, was, c.source.yaml,
			"Culvert has no such trigger: a webhook that takes the same fields as JSON stands in its place; a database, "+
				"files or a schedule may fit better (docs/triggers.md)")
	}
}

// formField gives where a field of MOTECH's form event stands in a form that CommCare forwards as JSON.
func formField(key string) string {
	switch {
	case key == "caseId":
		return `trigger.form.case["@case_id"]`
	case key == "caseName" || key == "case_name":
		return "trigger.form.case.create.case_name"
	case key == "caseType" || key == "case_type":
		return "trigger.form.case.create.case_type"
	case key == "appVersion":
		return `trigger.form.meta.appVersion["#text"]`
	case slices.Contains(metaFields, key):
		return "trigger.form.meta." + key
	case strings.HasPrefix(key, "/data/") || strings.HasPrefix(key, "/"):
		expr := "trigger.form"
		for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(key, "/data"), "/"), "/") {
			expr = member(expr, part)
		}
		return expr
	}
	return member("trigger.form", key)
}

// caseField gives where a field of MOTECH's case event stands in a case that CommCare forwards as JSON.
func caseField(key string) string {
	switch key {
	case "caseId":
		return "trigger.case_id"
	case "caseType":
		return "trigger.properties.case_type"
	case "caseName":
		return "trigger.properties.case_name"
	case "ownerId":
		return "trigger.properties.owner_id"
	case "userId":
		return "trigger.user_id"
	case "dateModified":
		return "trigger.date_modified"
	}
	return member("trigger.properties", key)
}

// key translates a key as templates and filters have them.
func (c *taskConverter) key(path string) (string, error) {
	switch {
	case strings.HasPrefix(path, "trigger."):
		name := strings.TrimPrefix(path, "trigger.")
		if name == "configName" {
			return "", fmt.Errorf("configName is MOTECH's own name of the connection: records of each connection come to an " +
				"address of their own")
		}
		return c.source.field(name), nil
	case strings.HasPrefix(path, "ad."):
		return c.dataKey(strings.TrimPrefix(path, "ad."))
	case strings.HasPrefix(path, "pa."):
		return "", fmt.Errorf("the result of an earlier action (%s) that Culvert does not carry out", path)
	}
	return "", fmt.Errorf("the key %q is of no kind that MOTECH has", clip(path))
}

var dataKeys = regexp.MustCompile(`^(.+?)\.([^#]+)#(\d+)\.(.+)$`)

func (c *taskConverter) dataKey(path string) (string, error) {
	m := dataKeys.FindStringSubmatch(path)
	if m == nil {
		return "", fmt.Errorf("the key ad.%s does not say which data source is meant", clip(path))
	}
	for _, s := range c.lookups {
		if fmt.Sprint(s.step.ObjectID) != m[3] {
			continue
		}
		if s.fixed != "" {
			return s.fixed, nil
		}
		s.used = true
		if s.unit != "" {
			if f, ok := s.fields[strings.ToLower(m[4])]; ok {
				return s.name + "." + f, nil
			}
			return "", fmt.Errorf("the field %s of %s, of which Culvert knows id, code and name", m[4], m[2])
		}
		if !slices.Contains(s.column, m[4]) {
			s.column = append(s.column, m[4])
		}
		return member(s.name, m[4]), nil
	}
	return "", fmt.Errorf("the data source %s#%s is not among the task's steps", m[2], m[3])
}

// reader gives a reader of templates.
func (c *taskConverter) reader() *reader { return &reader{key: c.key} }

// read translates a template and reports what becomes of it.
func (c *taskConverter) read(part, template string) (value, bool) {
	r := c.reader()
	v, err := r.template(template)
	if err != nil {
		c.add(part, LeftOut, template, "", err.Error())
		return value{}, false
	}
	if v.blank {
		return v, false
	}
	now := v.expr
	if now == "" {
		now = v.fixed
	}
	status, why := Translated, ""
	for _, n := range r.notes {
		status, why = n.status, strings.TrimPrefix(why+"; "+n.why, "; ")
	}
	c.add(part, status, template, now, why)
	return v, true
}

// settings reports what a task has beside trigger, steps and actions.
func (c *taskConverter) settings(path string) {
	t := c.task
	rule := strings.TrimSuffix(strings.TrimPrefix(path, "rules/"), ".yaml")
	if t.Retry || t.Retries > 0 {
		c.add("retries", Changed, fmt.Sprintf("%d retries, %d ms apart", t.Retries, t.Interval), "",
			"what can heal is tried again by itself, later and later, until it is delivered; what cannot waits for a person "+
				"(culvert failures, culvert replay); nothing is sent twice")
	}
	if t.UseWindow {
		now := fmt.Sprintf("limits: {window: %q}", clock(t.Start)+"-"+clock(t.End))
		why := "put this under the server in culvert.yaml, in its time zone; MOTECH's times are UTC. Records that come " +
			"outside of it wait, where MOTECH dropped them"
		if len(t.Days) > 0 && len(t.Days) < 7 {
			c.add("days", LeftOut, strings.Join(t.Days, ", "), "",
				"Culvert has no weekdays: pause and resume the rule from a schedule of the machine where that is needed")
		}
		c.add("time window", Changed, clock(t.Start)+" to "+clock(t.End), now, why)
	}
	if !t.Enabled {
		c.add("enabled", Changed, "false", "",
			"the task was off: run `culvert pause --rule "+rule+"` before anything is sent, or leave the file out")
	}
	if len(t.Validation) > 0 {
		c.add("validation errors", Changed, fmt.Sprintf("%d", len(t.Validation)), "",
			"MOTECH had refused the task: see what `culvert validate` says of the rule")
	}
}

// clock writes a time of day as MOTECH exports it: "18:00", or {hour, minute}.
func clock(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case map[string]any:
		return fmt.Sprintf("%02.0f:%02.0f", number(x["hour"]), number(x["minute"]))
	}
	return "00:00"
}

func number(v any) float64 {
	n, _ := v.(float64)
	return n
}
