// Package sample makes a sample of a real record: what may tell whom it is about is replaced, and it is written so that
// the rule's trigger reads it as the record came.
package sample

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// literal matches the texts that expressions compare with.
var literal = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|'([^']*)'`)

// compared collects the texts that a rule's expressions compare with.
func compared(n *yamlnode.Node, known map[string]bool) {
	for _, p := range n.Pairs() {
		compared(p.Value, known)
	}
	for _, item := range n.Items() {
		compared(item, known)
	}
	if n != nil && n.Kind == yamlnode.Scalar {
		for _, m := range literal.FindAllStringSubmatch(n.Value, -1) {
			known[m[1]+m[2]] = true
		}
	}
}

// manyOptions is from how many options on a set may be a list of names, such as of villages or staff.
const manyOptions = 60

// Keeps tells which values are no person's: what the rule itself names, options, and codes of org units; of records that
// are read from a server of DHIS2 also the names of its metadata. rule is nil where none is written yet; server is the
// one that is written to.
func Keeps(p *project.Project, t *rules.Trigger, rule *project.Rule, server string) func(string) bool {
	known := map[string]bool{}
	k, fromServer := sources.Named(p.Sources, t.Kind).(sources.Catalogued)
	if fromServer {
		named(p, k.ServerOf(t, server), known)
	}
	if rule != nil {
		var none diag.List
		if doc := yamlnode.Parse(rule.Path, p.Texts[rule.Path], &none); doc != nil {
			compared(doc.Root.Only(func(key string) bool {
				return key != "tests" && key != "description" // those name people, if invented ones
			}), known)
		}
		for _, m := range rule.Maps {
			for _, o := range m.Outputs() {
				known[o.In] = true
			}
		}
	}
	s := p.Config.ServerNamed(server)
	if s == nil || p.Indexes[s.Name] == nil {
		return func(v string) bool { return known[v] || fromServer && period.MatchString(v) }
	}
	x := p.Indexes[s.Name]
	choices := map[string]bool{}
	for _, set := range x.Snapshot.OptionSets {
		if len(set.Options) > manyOptions {
			continue
		}
		for _, o := range set.Options {
			choices[strings.ToLower(o.Code)], choices[strings.ToLower(o.Name)] = true, true
		}
	}
	for i := range x.Snapshot.OrgUnits {
		o := &x.Snapshot.OrgUnits[i]
		known[o.ID] = true
		if o.Code != "" {
			known[o.Code] = true
		}
	}
	return func(v string) bool {
		return known[v] || choices[strings.ToLower(v)] || fromServer && period.MatchString(v)
	}
}

// period matches the periods of DHIS2 that are no day.
var period = regexp.MustCompile(
	`^\d{4}((0[1-9]|1[0-2])B?|(Sun|Sat|Thu|Wed|Bi)?W\d{1,2}|Q[1-4]|S[12]|Nov|Oct|July|April)?$`,
)

// statuses are those of enrollments and events in DHIS2.
var statuses = []string{"ACTIVE", "COMPLETED", "CANCELLED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"}

// named collects what the metadata of a server is called, by which its records name it.
func named(p *project.Project, server string, known map[string]bool) {
	s := p.Config.ServerNamed(server)
	if s == nil || p.Indexes[s.Name] == nil {
		return
	}
	known[s.Name] = true
	for _, word := range statuses {
		known[word] = true
	}
	x := p.Indexes[s.Name].Snapshot
	for _, program := range x.Programs {
		known[program.ID] = true
		for _, stage := range program.Stages {
			known[stage.ID], known[stage.Name] = true, true
		}
	}
	for i := range x.OrgUnits {
		o := &x.OrgUnits[i]
		known[o.ID], known[o.Name], known[o.Code] = true, true, true
	}
	for _, c := range x.CategoryOptionCombos {
		known[c.ID], known[c.Name], known[c.Code] = true, true, true
	}
	for _, d := range x.DataSets {
		known[d.ID] = true
	}
	for _, d := range x.DataElements {
		known[d.ID], known[d.Name], known[d.Code] = true, true, true
	}
}

// Decode decodes the text of a sample as a trigger would.
type Decode func(t *rules.Trigger, file string, text []byte) ([]any, error)

// Write writes records as their trigger reads samples: the name of a file below samples/ that is not there yet, as
// taken tells, and its text.
func Write(decode Decode, t *rules.Trigger, name string, bodies []any, taken func(file string) bool) (file, text string,
	err error) {
	list, err := json.MarshalIndent(bodies, "", "  ")
	if err != nil {
		return "", "", fmt.Errorf("write the sample: %w", err)
	}
	ways := []struct{ ext, text string }{{".json", string(list) + "\n"}, {".csv", table(bodies)}}
	if len(bodies) == 1 {
		one, err := json.MarshalIndent(bodies[0], "", "  ")
		if err != nil {
			return "", "", fmt.Errorf("write the sample: %w", err)
		}
		ways = slices.Insert(ways, 0, struct{ ext, text string }{".json", string(one) + "\n"})
	}
	for _, way := range ways {
		if way.text == "" {
			continue
		}
		file := "samples/" + name + way.ext
		got, err := decode(t, file, []byte(way.text))
		if err != nil || len(got) != len(bodies) || !alike(got, bodies) {
			continue
		}
		for n := 2; taken(file); n++ { // a file that is there is somebody's work
			file = fmt.Sprintf("samples/%s-%d%s", name, n, path.Ext(file))
		}
		return file, way.text, nil
	}
	return "", "", fmt.Errorf("a record of the trigger %s cannot be written as a sample here", t.Kind)
}

// alike tells whether two lists of records say the same, numbers read in any way.
func alike(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && (bytes.Equal(x, y) || reflect.DeepEqual(a, b))
}

// table writes records of plain fields as CSV; "" when they have others.
func table(bodies []any) string {
	var rows [][]string
	for _, body := range bodies {
		fields, ok := body.(map[string]any)
		if !ok {
			return ""
		}
		if names := slices.Sorted(maps.Keys(fields)); rows == nil {
			rows = append(rows, names)
		} else if !slices.Equal(rows[0], names) {
			return ""
		}
		var row []string
		for _, name := range rows[0] {
			text, ok := fields[name].(string)
			if !ok {
				return ""
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return ""
	}
	return b.String()
}
