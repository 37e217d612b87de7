package scaffold

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/yamlnode"
)

// write puts the rule together. What cannot be defended stands there as a comment, and what the
// rule cannot do without comes first.
func (w *writer) write() {
	w.line("# yaml-language-server: $schema=../schemas/rule.schema.json")
	w.line("rule: %s", yamlnode.Text(w.Name))
	if w.Server != "" {
		w.line("server: %s", yamlnode.Text(w.Server))
	}
	w.trigger()
	if w.id.expr != "" {
		w.line("id: %s # %s", yamlnode.Text(w.id.expr), w.id.reason)
	} else {
		w.line("# id: %s", comment(w.id.ask))
	}
	if w.place.expr != "" {
		w.line("lookups:")
		w.line("  place: # %s", w.place.reason)
		w.line("    in: organisationUnits")
		w.line("    %s: %s", w.place.key, yamlnode.Text(w.place.expr))
	} else {
		w.line("# lookups:   the place that a record is of is mandatory: %s", comment(w.place.ask))
		w.line("#   place: {in: organisationUnits, code: …} # by id, code, name, or attribute: {NAME: …}")
		w.missing("the place (lookups and org_unit)")
	}
	w.valueMaps()
	w.unused()
	w.line("actions:")
	switch {
	case w.DataSet != nil:
		w.dataSet()
	case !w.registered():
		w.event(false)
	default:
		w.enroll()
		w.event(true)
	}
	w.itemActions()
}

func (w *writer) missing(what string) { w.draft.Missing = append(w.draft.Missing, what) }

func (w *writer) trigger() {
	w.line("trigger:")
	switch {
	case w.Config != "":
		for line := range strings.Lines(w.Config) {
			w.line("  %s", strings.TrimRight(line, "\r\n"))
		}
	case w.Way.example != "":
		w.fromExample()
	case w.ofFiles():
		w.line("  %s:", w.Trigger)
		w.line("    folder: %s", yamlnode.Text(w.Address))
	case w.Forms != "":
		w.line("  webhook:")
		w.line("    path: %s # phones are given the address without /submission", yamlnode.Text(w.Address))
		w.line("    forms: %s", yamlnode.Text(w.Forms))
	default:
		w.line("  webhook: {path: %s}", yamlnode.FlowText(w.Address))
	}
	if w.ofFiles() && w.Config == "" {
		if w.Header > 1 {
			w.line("    header: %d # the names of the columns stand below a title", w.Header)
		}
		if columns := w.columns(); len(columns) > 0 {
			w.line("    columns: # a file without these is refused as a whole")
			for _, c := range columns {
				w.line("      - %s", yamlnode.Text(c))
			}
		}
	}
	if w.Sample != "" {
		w.line("  sample: %s", yamlnode.Text(w.Sample))
	}
}

// ofFiles tells whether the records are rows of files.
func (w *writer) ofFiles() bool { return w.Trigger == "files" || w.Way.Rows || w.Rows }

// read are the fields that the rule reads, by their expressions.
func (w *writer) read() map[string]bool {
	read := map[string]bool{w.place.expr: true, w.date.expr: true, w.period.expr: true, w.external.expr: true,
		w.id.expr: true}
	for _, t := range append(slices.Clone(w.attributes), w.elements...) {
		if t.field != nil {
			read[t.field.expr] = true
		}
	}
	return read
}

// unused says above the actions what of the sample they make nothing of.
func (w *writer) unused() {
	const atOnce = 4
	for i, list := 0, w.draft.Unused; i < min(len(list), maxUnused); i += atOnce {
		if i == 0 {
			w.line("# not used of the sample:")
		}
		w.line("#   %s", comment(strings.Join(list[i:min(i+atOnce, len(list), maxUnused)], ", ")))
	}
	if more := len(w.draft.Unused) - maxUnused; more > 0 {
		w.line("#   and %d more", more)
	}
}

// maxUnused bounds how many fields are named that nothing is made of.
const maxUnused = 60

// columns are those of the sample that the rule reads.
func (w *writer) columns() []string {
	read := w.read()
	var list []string
	for _, f := range w.fields {
		if read[f.expr] {
			list = append(list, strings.Join(f.path, "."))
		}
	}
	return list
}

func (w *writer) valueMaps() {
	if len(w.maps) == 0 {
		return
	}
	w.line("maps:")
	for _, m := range w.maps {
		w.line("  %s:", m.name)
		for _, c := range slices.Sorted(maps.Keys(m.t.choice.options)) {
			w.line("    %s: %s", yamlnode.Text(c), yamlnode.Text(m.t.choice.options[c]))
		}
		if len(m.t.choice.unused) > 0 {
			w.line("    # a choice that is not here fails; no choice of the sample stands for %s",
				comment(some(m.t.choice.unused)))
		}
	}
}

func some(list []string) string {
	if len(list) > 8 {
		return strings.Join(list[:8], ", ") + fmt.Sprintf(" and %d more", len(list)-8)
	}
	return strings.Join(list, ", ")
}

// key writes a line of an action: joined, or as a comment that says what is asked.
func (w *writer) key(indent, key string, g guess, what string) {
	if g.expr == "" {
		w.line("%s# %s: …   # mandatory: %s", indent, key, comment(g.ask))
		w.missing(what)
		return
	}
	w.line("%s%s: %s # %s", indent, key, g.value(), comment(g.reason))
}

// value is the right side of a key.
func (g guess) value() string {
	if g.format != "" {
		return "{from: " + yamlnode.FlowText(g.expr) + ", format: " + yamlnode.FlowText(g.format) + "}"
	}
	return yamlnode.Text(g.expr)
}

func (w *writer) orgUnit() {
	if w.place.expr == "" {
		w.line("      # org_unit: place   # mandatory")
		return
	}
	w.line("      org_unit: place")
}

func (w *writer) enroll() {
	w.line("  - dhis2.create_and_enroll:")
	w.line("      program: %s", yamlnode.Text(w.programName()))
	w.key("      ", "external_id", w.external, "external_id")
	if w.match != nil {
		w.line("      match_by: %s # unique in DHIS2: who is registered already is found", yamlnode.Text(w.match.name))
	}
	w.orgUnit()
	w.key("      ", "enrolled_at", w.date, "the date (enrolled_at, occurred_at)")
	w.targets("attributes", w.attributes)
}

func (w *writer) programName() string {
	one, _, _ := w.Index.Program(w.Program.Name)
	return unambiguous(w.Program.Named, one != nil && one.ID == w.Program.ID)
}

func (w *writer) event(registered bool) {
	if w.Stage == nil {
		return
	}
	if registered && !joinedAny(w.elements) {
		w.line("  # nothing of the sample is surely of the stage %s; for an event add:", comment(w.Stage.Name))
		w.asComments(func() { w.eventBody(registered) })
		return
	}
	w.eventBody(registered)
}

// asComments writes what body writes as comments. What it misses is not missing: it need not be there.
func (w *writer) asComments(body func()) {
	before, missing := w.text.String(), w.draft.Missing
	w.text.Reset()
	body()
	after := w.text.String()
	w.text.Reset()
	w.text.WriteString(before)
	w.draft.Missing = missing
	for text := range strings.Lines(after) {
		text = strings.TrimPrefix(text, "  ")
		w.text.WriteString("  # " + strings.Replace(text, "# ", "", 1))
	}
}

func (w *writer) eventBody(registered bool) {
	w.line("  - dhis2.event:")
	if w.each != nil {
		w.line("      for_each: %s # %s", yamlnode.Text(w.each.expr), w.each.reason)
	}
	w.line("      program: %s", yamlnode.Text(w.programName()))
	w.line("      stage: %s", yamlnode.Text(w.stageName()))
	if registered {
		if w.external.expr != "" {
			w.line("      external_id: %s", yamlnode.Text(w.external.expr))
		} else {
			w.line("      # external_id: …   # mandatory: as above")
		}
	}
	w.orgUnit()
	if registered && w.date.expr != "" {
		w.line("      occurred_at: %s", w.date.value())
	} else {
		w.key("      ", "occurred_at", w.date, "the date (occurred_at)")
	}
	w.targets("data_values", w.elements)
}

func (w *writer) stageName() string {
	one, _, _ := w.Index.Stage(w.Program, w.Stage.Name)
	return unambiguous(w.Stage.Named, one != nil && one.ID == w.Stage.ID)
}

func (w *writer) dataSet() {
	one, _, _ := w.Index.DataSet(w.DataSet.Name)
	w.line("  - dhis2.data_value_set:")
	w.line("      data_set: %s", yamlnode.Text(unambiguous(w.DataSet.Named, one != nil && one.ID == w.DataSet.ID)))
	w.orgUnit()
	w.key("      ", "period", w.period, "the period")
	if c := w.DataSet.CategoryCombo; c != nil && c.ID != w.Index.DefaultCombo() {
		var names []string
		for _, o := range w.Index.CombosOf(c.ID) {
			names = append(names, o.Name)
		}
		w.line("      # attribute_option_combo: …   # mandatory: one of %s", comment(some(names)))
		w.missing("the attribute option combination")
	}
	if len(w.elements) > wideCells {
		w.elements = w.wide(w.elements)
		if len(w.elements) == 0 {
			return
		}
	}
	w.targets("values", w.elements)
}

// wideCells is from how many cells on a data set is written as a CSV file of columns instead of a line for each.
const wideCells = 30

// wide writes the cells that are just columns, and those that nothing is known of, into the file of
// columns: to join one more is to fill in its column. It gives those that need more: a map, a
// format, or an answer to a question.
func (w *writer) wide(list []*target) (rest []*target) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	// A buffer takes all that is written.
	_ = out.Write([]string{"column", "data_element", "category_option_combo"})
	joined := 0
	for _, t := range list {
		column := ""
		switch {
		case t.field != nil && len(t.field.path) == 1 && w.value(t) == yamlnode.Text(t.field.expr):
			column = t.field.path[0]
			joined++
		case t.field != nil || t.ask != "":
			rest = append(rest, t)
			continue
		}
		_ = out.Write([]string{column, t.name, t.combo})
	}
	out.Flush()
	w.draft.Columns = b.Bytes()
	w.line("      # %d of %d cells are joined there; a line without a column sends nothing", joined, len(list)-len(rest))
	w.line("      columns: {file: %s}", ColumnsFile(w.Name))
	return rest
}

// targets writes the fields that are not joined, the mandatory ones first, and below them those
// that are: comments behind a nested value would move.
func (w *writer) targets(key string, list []*target) {
	const indent = "        "
	var joined, open []*target
	for _, t := range list {
		if t.field != nil {
			joined = append(joined, t)
		} else {
			open = append(open, t)
		}
	}
	if len(joined) > 0 {
		w.line("      %s:", key)
	} else {
		w.line("      # %s:", key)
	}
	slices.SortStableFunc(open, func(a, b *target) int { return rank(a) - rank(b) })
	for _, t := range open {
		name := t.name
		if t.combo != "" {
			name += ", " + t.combo
		}
		expr, why := "…", ""
		switch {
		case t.ask != "":
			why = "; " + t.ask
		case t.near != nil:
			why = "; perhaps " + t.near.expr
		}
		w.line("%s# %s: %s   # %s", indent, comment(name), expr, comment(w.note(t)+why))
		if t.mandatory {
			w.missing(fmt.Sprintf("%q, which is mandatory", t.title))
		}
	}
	for i, t := range joined {
		if t.combo == "" {
			w.line("%s%s: %s # %s", indent, yamlnode.Text(t.name), w.value(t), comment(w.note(t)+"; "+t.reason))
			continue
		}
		if i == 0 || joined[i-1].combo == "" || joined[i-1].name != t.name {
			w.line("%s%s:", indent, yamlnode.Text(t.name))
		}
		w.line("%s  %s: %s # %s", indent, yamlnode.Text(t.combo), w.value(t), comment(w.note(t)+"; "+t.reason))
	}
}

func rank(t *target) int {
	switch {
	case t.mandatory:
		return 0
	case t.ask != "" || t.near != nil:
		return 1
	}
	return 2
}

// value is the right side of a joined field.
func (w *writer) value(t *target) string {
	for _, m := range w.maps {
		if m.t == t {
			return "{from: " + yamlnode.FlowText(t.field.expr) + ", map: " + m.name + "}"
		}
	}
	if t.format != "" {
		return "{from: " + yamlnode.FlowText(t.field.expr) + ", format: " + yamlnode.FlowText(t.format) + "}"
	}
	return yamlnode.Text(t.field.expr)
}

// note says what DHIS2 wants in a field.
func (w *writer) note(t *target) string {
	note := t.kind.Type
	if t.set != nil {
		note += ": " + optionNames(t.set)
	}
	if t.mandatory {
		note += ", mandatory"
	}
	return note
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

// comment keeps a text on the line of its comment.
func comment(s string) string { return strings.Join(strings.Fields(s), " ") }

// Test is the beginning of a rule's tests: one of the sample's first record, which expects nothing yet.
func Test(sample string) string {
	return "tests:\n  - name: does what it should with the first record of the sample\n    given: " +
		yamlnode.Text(sample) + "\n    row: 1\n"
}
