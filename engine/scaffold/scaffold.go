// Package scaffold begins a rule file from what is known: a program or data set of the synced metadata, and a sample of what comes in. Fields whose
// names are alike are joined; the rest is left for a person, as comments with the names that are missing.
package scaffold

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Request says what the rule is to do.
type Request struct {
	Name    string
	Trigger string // webhook or files
	Address string // path of the webhook, folder of the files
	Sample  string // path of the sample, as the rule is to name it
	Body    any    // one record of the sample, or nil
	Program *metadata.Program
	Stage   *metadata.ProgramStage // nil: the program's first
	DataSet *metadata.DataSet      // instead of a program
	Index   *metadata.Index
}

// Rule writes the text of a rule file.
func Rule(r Request) string {
	w := &writer{Request: r, fields: fieldsOf(r.Body)}
	w.line("# yaml-language-server: $schema=../schemas/rule.schema.json")
	w.line("rule: %s", r.Name)
	w.line("trigger:")
	if r.Trigger == "files" {
		w.line("  files: {folder: %s}", quote(r.Address))
	} else {
		w.line("  webhook: {path: %s}", quote(r.Address))
	}
	if r.Sample != "" {
		w.line("  sample: %s", quote(r.Sample))
	}
	if id := w.recordID(); id != "" {
		w.line("id: %s", id)
	} else {
		w.line("# id: trigger.…                # what tells one record from another; without it the content does")
	}
	w.lookup()
	w.line("actions:")
	switch {
	case r.DataSet != nil:
		w.dataSet()
	case r.Program.Type == metadata.WithoutRegistration:
		w.event(false)
	default:
		w.enroll()
		w.event(true)
	}
	return w.text.String()
}

type writer struct {
	Request
	fields map[string]string // normalised name -> expression
	text   strings.Builder
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// recordID finds what tells one record from another and stays when the record is edited: KoboToolbox and Ona give an edited submission a new _uuid and
// instanceID, ODK a new instanceID.
func (w *writer) recordID() string {
	if body, ok := w.Body.(map[string]any); ok {
		for _, key := range []string{"__id", "_submission__id", "_id", "meta/rootUuid"} {
			if v, there := body[key]; there && v != nil && v != "" {
				return "trigger" + member(key)
			}
		}
	}
	return w.find("rootUuid", "instanceID", "formid", "id", "uuid")
}

// find gives the expression of the first sample field that is called like one of the names, "" when there is none.
func (w *writer) find(names ...string) string {
	for _, name := range names {
		if e, ok := w.fields[normal(name)]; ok {
			return e
		}
	}
	return ""
}

// shortest is how long a field's name must be to be taken for the end of a longer one.
const shortest = 4

// ending gives the expression of the sample field whose name is the longest end of a name: deaths for Malaria deaths. "" when there is none.
func (w *writer) ending(name string) string {
	best := ""
	for field := range w.fields {
		if len(field) >= shortest && len(field) > len(best) && strings.HasSuffix(normal(name), field) {
			best = field
		}
	}
	return w.fields[best]
}

// or gives an expression, or a placeholder that validate points to.
func or(expression, placeholder string) string {
	if expression != "" {
		return expression
	}
	return "trigger." + placeholder
}

func (w *writer) lookup() {
	code := w.find("facility_code", "org_unit_code", "orgunit_code", "clinic_code", "site_code", "facility", "org_unit", "orgunit", "clinic", "location")
	w.line("lookups:")
	w.line("  place: {in: organisationUnits, code: %s}      # by id, code, name, or attribute: {NAME: ...}", or(code, "facility_code"))
}

func (w *writer) externalID() string {
	return or(w.find("@case_id", "case_id", "caseid", "patient_id", "external_id", "person_id"), "case_id")
}

func (w *writer) date() string {
	return or(w.find("visit_date", "event_date", "date", "enrollment_date", "registration_date", "completed_time", "received_on"), "visit_date")
}

func (w *writer) enroll() {
	w.line("  - dhis2.create_and_enroll:")
	w.line("      program: %s", quote(w.Program.Name))
	w.line("      external_id: %s", w.externalID())
	for _, a := range w.Program.Attributes {
		if x := w.Index.AttributeByID(a.Attribute.ID); x != nil && x.Unique && !x.Generated {
			w.line("      match_by: %s", quote(x.Name))
			break
		}
	}
	w.line("      org_unit: place")
	w.line("      enrolled_at: %s", w.date())
	w.line("      attributes:")
	for _, a := range w.Program.Attributes {
		if x := w.Index.AttributeByID(a.Attribute.ID); x != nil {
			w.field("        ", x.Named, x.ValueType, x.OptionSet, a.Mandatory)
		}
	}
}

func (w *writer) event(registered bool) {
	stage := w.Stage
	if stage == nil && len(w.Program.Stages) > 0 {
		stage = &w.Program.Stages[0]
	}
	if stage == nil {
		return
	}
	w.line("  - dhis2.event:")
	w.line("      program: %s", quote(w.Program.Name))
	w.line("      stage: %s", quote(stage.Name))
	if registered {
		w.line("      external_id: %s", w.externalID())
	}
	w.line("      org_unit: place")
	w.line("      occurred_at: %s", w.date())
	w.line("      data_values:")
	for _, e := range stage.DataElements {
		if x := w.Index.DataElementByID(e.DataElement.ID); x != nil {
			w.field("        ", x.Named, x.ValueType, x.OptionSet, e.Compulsory)
		}
	}
}

func (w *writer) dataSet() {
	w.line("  - dhis2.data_value_set:")
	w.line("      data_set: %s", quote(w.DataSet.Name))
	w.line("      org_unit: place")
	w.line("      period: %s", or(w.find("period", "month", "week", "quarter", "year", "date", "report_date"), "period"))
	w.line("      values:")
	for _, e := range w.DataSet.Elements {
		x := w.Index.DataElementByID(e.DataElement.ID)
		if x == nil {
			continue
		}
		combo := e.CategoryCombo
		if combo == nil {
			combo = x.CategoryCombo
		}
		if combo == nil || combo.ID == w.Index.DefaultCombo() {
			w.field("        ", x.Named, x.ValueType, x.OptionSet, false)
			continue
		}
		w.line("        # %s:   # %s", quote(x.Name), x.ValueType)
		for _, c := range w.Index.CombosOf(combo.ID) {
			w.line("        #   %s: trigger.…", quote(c.Name))
		}
	}
}

// field writes one entry: joined with the sample's field of a like name, or as a comment to be filled in.
func (w *writer) field(indent string, n metadata.Named, valueType string, options *metadata.Ref, mandatory bool) {
	note := "# " + valueType
	if options != nil {
		if set := w.Index.OptionSetByID(options.ID); set != nil {
			note += ": " + optionNames(set)
		}
	}
	if mandatory {
		note += ", mandatory"
	}
	e := w.find(n.Name, n.Code)
	if e == "" {
		e = w.ending(n.Name)
	}
	if e != "" {
		w.line("%s%s: %s   %s", indent, quote(n.Name), e, note)
		return
	}
	w.line("%s# %s: trigger.…   %s", indent, quote(n.Name), note)
}

func optionNames(set *metadata.OptionSet) string {
	names := make([]string, 0, 5)
	for _, o := range set.Options {
		if len(names) == 4 {
			names = append(names, "…")
			break
		}
		names = append(names, o.Name)
	}
	return strings.Join(names, ", ")
}

// fieldsOf walks a record and gives each leaf's expression by its normalised last name; the shallower field wins where two are called alike.
func fieldsOf(body any) map[string]string {
	out, depth := map[string]string{}, map[string]int{}
	var walk func(v any, expression string, level int)
	walk = func(v any, expression string, level int) {
		m, ok := v.(map[string]any)
		if !ok || level > 8 {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			e := expression + member(key)
			if _, deeper := m[key].(map[string]any); deeper {
				walk(m[key], e, level+1)
				continue
			}
			name := normal(key)
			if d, taken := depth[name]; !taken || level < d {
				out[name], depth[name] = e, level
			}
		}
	}
	walk(body, "trigger", 0)
	return out
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func member(key string) string {
	if plain.MatchString(key) {
		return "." + key
	}
	return "[" + fmt.Sprintf("%q", key) + "]"
}

// normal keeps letters and digits only, in lower case, so that "Date of birth" and date_of_birth are alike; what stands in parentheses goes.
func normal(s string) string {
	if i := strings.IndexByte(s, '('); i > 0 {
		s = s[:i]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

var needsQuotes = regexp.MustCompile(`^[\s\-?:,\[\]{}#&*!|>'"%@` + "`" + `]|: | #|:$|\s$|^(true|false|null|yes|no|on|off|~)$|^[0-9.+-]`)

// quote writes a name so that YAML reads it back as the same text.
func quote(s string) string {
	if s == "" || needsQuotes.MatchString(s) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}
