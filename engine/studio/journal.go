package studio

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/lsp"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/pseudonym"
	"github.com/culvert/culvert/rules/yamlnode"
)

// maxListed bounds how many records of the journal may be chosen from.
const maxListed = 30

// receivedData are the records that may be taken.
type receivedData struct {
	Records []received
	Problem string
}

// received is a record of the journal, without anything that it says.
type received struct {
	Seq   int64
	At    time.Time
	State string
	Cause string
}

var errNoJournal = errors.New("this project has no journal that the studio could read")

// received lists the records of a rule that were received last and are still kept.
func (s *Studio) received(r *http.Request, q *question) (any, error) {
	var d receivedData
	err := s.fromJournal(r, q, journal.Filter{Limit: maxListed, NewestOne: true, WithBody: true},
		func(list []*journal.Record, _ *project.Rule) error {
			for _, rec := range list {
				if len(rec.Body) == 0 {
					continue
				}
				one := received{Seq: rec.Seq, At: rec.Received, State: string(rec.State)}
				if rec.Problem != nil {
					one.Cause = rec.Problem.Message
				}
				d.Records = append(d.Records, one)
			}
			return nil
		})
	if err != nil {
		d.Problem = err.Error()
	}
	return s.part(r, "received", d, checked{})
}

// fromJournal reads records of the rule.
func (s *Studio) fromJournal(r *http.Request, q *question, f journal.Filter,
	do func([]*journal.Record, *project.Rule) error) error {
	if s.c.Journal == nil {
		return errNoJournal
	}
	sheet, err := s.local.Sheet(r.Context(), q.Drafts, q.File, lsp.Pick{})
	if err != nil {
		return err
	}
	if sheet.Rule == nil || sheet.Rule.Rule == nil {
		return errors.New("the rule cannot be read")
	}
	f.Rule = sheet.Rule.Name
	return s.c.Journal(r.Context(), func(j journal.Journal) error {
		list, err := j.Select(r.Context(), f)
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if f.Seq != 0 && len(list) == 1 {
			entry := journal.AuditEntry{At: s.c.Now(), Who: s.c.Who, Did: "sample", Count: 1,
				Subject: fmt.Sprintf("record %d of %s", f.Seq, f.Rule)}
			if err := j.Note(r.Context(), entry); err != nil {
				return fmt.Errorf("note in the audit trail: %w", err)
			}
		}
		return do(list, sheet.Rule)
	})
}

// taken is a sample that was made of a record.
type taken struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// take makes a sample of a record, in which everything is replaced that may tell whom it is about.
// It is not saved: whoever takes it reads it first.
func (s *Studio) take(r *http.Request, q *question) (any, error) {
	var out taken
	err := s.fromJournal(r, q, journal.Filter{Seq: q.Seq, Limit: 1, WithBody: true}, func(list []*journal.Record,
		rule *project.Rule) error {
		if q.Seq == 0 || len(list) != 1 || len(list[0].Body) == 0 {
			return errors.New("the record is not kept any more")
		}
		var body any
		err := json.Unmarshal(list[0].Body, &body)
		if err != nil {
			return fmt.Errorf("read the record: %w", err)
		}
		var keep func(string) bool
		if err := s.local.Project(r.Context(), q.Drafts, func(p *project.Project) error {
			keep = s.kept(p, rule)
			return nil
		}); err != nil {
			return err
		}
		out, err = s.asSample(rule, pseudonym.New(keep).Record(body))
		return err
	})
	return out, err
}

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

// kept tells which values are no person's: what the rule itself names, options, and codes of org units.
func (s *Studio) kept(p *project.Project, rule *project.Rule) func(string) bool {
	known := map[string]bool{}
	root := nodeAt(rule.Path, p.Texts[rule.Path], nil).Only(func(key string) bool {
		return key != "tests" && key != "description" // those name people, if invented ones
	})
	compared(root, known)
	for _, m := range rule.Maps {
		for _, o := range m.Outputs() {
			known[o.In] = true
		}
	}
	x := p.Indexes[rule.Server]
	if x == nil {
		return func(v string) bool { return known[v] }
	}
	for _, set := range x.Snapshot.OptionSets {
		for _, o := range set.Options {
			if o.Code != "" && len(set.Options) <= manyOptions {
				known[o.Code] = true
			}
		}
	}
	for i := range x.Snapshot.OrgUnits {
		o := &x.Snapshot.OrgUnits[i]
		known[o.ID] = true
		if o.Code != "" {
			known[o.Code] = true
		}
	}
	return func(v string) bool { return known[v] }
}

// manyOptions is from how many options on a set may be a list of names, such as of villages or staff.
const manyOptions = 60

// asSample writes a record as its trigger reads samples.
func (s *Studio) asSample(rule *project.Rule, body any) (taken, error) {
	name := path.Base(strings.TrimSuffix(rule.Path, path.Ext(rule.Path)))
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return taken{}, fmt.Errorf("write the sample: %w", err)
	}
	list, err := json.MarshalIndent([]any{body}, "", "  ")
	if err != nil {
		return taken{}, fmt.Errorf("write the sample: %w", err)
	}
	ways := []taken{{"samples/" + name + ".json", string(text) + "\n"}, {"samples/" + name + ".json", string(list) + "\n"},
		{"samples/" + name + ".csv", table(body)}}
	for _, way := range ways {
		if way.Text == "" {
			continue
		}
		bodies, err := s.c.Loader.Decode(&rule.Trigger, way.File, []byte(way.Text))
		if err != nil || len(bodies) != 1 || !alike(bodies[0], body) {
			continue
		}
		for n := 2; ; n++ { // a file that is there is somebody's work
			if _, err := s.root.Stat(way.File); err != nil {
				return way, nil
			}
			way.File = fmt.Sprintf("samples/%s-%d%s", name, n, path.Ext(way.File))
		}
	}
	return taken{}, fmt.Errorf("a record of the trigger %s cannot be written as a sample here", rule.Trigger.Kind)
}

// alike tells whether two records say the same, numbers read in any way.
func alike(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && (bytes.Equal(x, y) || reflect.DeepEqual(a, b))
}

// table writes a record of plain fields as CSV with one row; "" when it has others.
func table(body any) string {
	fields, ok := body.(map[string]any)
	if !ok {
		return ""
	}
	var head, row []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, ok := fields[name].(string)
		if !ok {
			return ""
		}
		head, row = append(head, name), append(row, text)
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll([][]string{head, row}); err != nil {
		return ""
	}
	return b.String()
}
