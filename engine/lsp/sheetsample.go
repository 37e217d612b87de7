package lsp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/rules"
)

// Branch is a field of a record, with those in it.
type Branch struct {
	Name     string
	Expr     string // that reads it
	Value    string // of a field that holds no others
	List     int    // items, of a list
	Used     bool   // the rule reads it, or one in it
	Branches []Branch
}

// Bounds of the fields that are shown of a record.
const (
	maxBranches = 3000
	maxDeep     = 24
)

// sample reads the record that is picked.
func (m *sheetMaker) sample(pick Pick) {
	s := &m.sheet.Sample
	s.Record = max(pick.Record, 0)
	if m.facts.rule == nil || m.facts.rule.Rule == nil {
		s.File, s.Problem = pick.Sample, "the rule cannot be read"
		return
	}
	t := &m.facts.rule.Trigger
	s.File = cmp.Or(pick.Sample, t.Sample)
	switch {
	case pick.Body != nil:
		m.sheet.Record, s.Records = pick.Body, 1
	case s.File == "":
		s.Problem = "the trigger names no sample"
		return
	default:
		text, err := m.space.session.Read(s.File)
		if err != nil {
			s.Problem = err.Error()
			return
		}
		bodies, err := m.server.loader.Decode(t, s.File, text)
		if err != nil {
			s.Problem = err.Error()
			return
		}
		if s.Records = len(bodies); s.Records == 0 {
			s.Problem = "the sample holds no record"
			return
		}
		s.Record = min(s.Record, s.Records-1)
		m.sheet.Record = bodies[s.Record]
	}
	b := brancher{text: m.doc.text}
	s.Fields = b.of("trigger", m.sheet.Record, 0)
}

// brancher lists the fields of a record.
type brancher struct {
	text  string // of the rule
	count int
}

func (b *brancher) of(base string, value any, deep int) []Branch {
	if list, ok := value.([]any); ok && len(list) > 0 {
		base, value = base+"[0]", list[0]
	}
	object, ok := value.(map[string]any)
	if !ok || deep > maxDeep {
		return nil
	}
	var out []Branch
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if b.count++; b.count > maxBranches {
			break
		}
		expr := base + "." + name
		if !isWord.MatchString(name) {
			expr = base + bracketed(name, 0)
		}
		x := Branch{Name: name, Expr: expr, Used: reads(b.text, expr)}
		if list, ok := object[name].([]any); ok {
			x.List = len(list)
		}
		x.Branches = b.of(expr, object[name], deep+1)
		if len(x.Branches) == 0 {
			x.Value = rehearsal.Show(object[name])
			if list, ok := object[name].([]any); ok && len(list) == 0 {
				x.Value = "(blank)"
			}
		}
		for _, inner := range x.Branches {
			x.Used = x.Used || inner.Used
		}
		out = append(out, x)
	}
	return out
}

// reads tells whether a rule's text holds an expression, or the same as of an item, and not only as the beginning of a
// longer name.
func reads(text, expr string) bool {
	ways := []string{expr}
	if at := strings.LastIndex(expr, "[0]"); at >= 0 {
		ways = append(ways, "item"+expr[at+len("[0]"):])
	}
	for _, way := range ways {
		if holds(text, way) || strings.Contains(way, `"`) && holds(text, strings.ReplaceAll(way, `"`, `'`)) {
			return true
		}
	}
	return false
}

func holds(text, expr string) bool {
	for {
		_, after, found := strings.Cut(text, expr)
		if !found {
			return false
		}
		if after == "" || !isWord.MatchString("a"+after[:1]) {
			return true
		}
		text = after
	}
}

// evaluate runs the rule on the record. Lines with mistakes are left out, so that the others have their values.
func (m *sheetMaker) evaluate(ctx context.Context) {
	m.steps, m.foreign = map[spot][]rules.Step{}, map[string]map[spot][]rules.Step{}
	r := m.sheet.Rule
	if r == nil || r.Rule == nil || m.sheet.Record == nil {
		return
	}
	if !r.Findings.HasErrors() {
		m.run(r)
		return
	}
	m.sheet.Partial = true
	reduced, ok := m.withoutMistakes(r)
	session := m.space.session
	defer func() {
		session.Hold(m.doc.name, []byte(m.doc.text))
		if _, held := m.local.held[m.doc.name]; !held {
			session.Release(m.doc.name)
		}
		// The text was read before: what is wrong with it has been told.
		_, _ = session.Change(ctx, m.doc.name)
	}()
	if ok {
		session.Hold(m.doc.name, []byte(reduced))
		if _, err := session.Change(ctx, m.doc.name); err != nil {
			return
		}
		for _, other := range session.Project().Rules {
			if other.Path == m.doc.name {
				r = other
			}
		}
	}
	m.run(r)
	m.sheet.Failure, m.sheet.Skipped = nil, false
}

// withoutMistakes gives the text with the fields of DHIS2 emptied out that have errors, line for line.
func (m *sheetMaker) withoutMistakes(r *project.Rule) (string, bool) {
	text := strings.Split(m.doc.text, "\n")
	some := false
	for _, d := range r.Findings {
		if d.Severity != 0 || d.Place.File != m.doc.name {
			continue
		}
		e := m.view.out.cursorAt(spotOf(d.Place.Range.Start)).entry
		for e != nil && e.parent != nil && !slices.Contains([]string{"attributes", "data_values", "values"}, e.parent.key) {
			e = e.parent
		}
		if e == nil || e.parent == nil || e.flow {
			continue
		}
		some = true
		for n := e.keyFrom.line; n < after(e).line && n < len(text); n++ {
			text[n] = ""
		}
	}
	return strings.Join(text, "\n"), some
}

// maxKept bounds the steps that are kept of one record.
const maxKept = 20_000

func (m *sheetMaker) run(r *project.Rule) {
	flow := &program.Flow{Rule: r.Rule, Server: r.Server}
	for _, a := range r.Actions {
		if a != nil {
			flow.Actions = append(flow.Actions, a)
		}
	}
	count := 0
	keep := func(s rules.Step) {
		if count++; count > maxKept {
			return
		}
		steps := m.steps
		if file := s.Place.File; file != m.doc.name {
			if m.foreign[file] == nil {
				m.foreign[file] = map[spot][]rules.Step{}
			}
			steps = m.foreign[file]
		}
		at := spotOf(s.Place.Range.Start)
		steps[at] = append(steps[at], s)
	}
	in := rules.Input{Body: m.sheet.Record,
		Source:  rehearsal.Source(m.sheet.Sample.File, m.sheet.Sample.Record, m.sheet.Sample.Records),
		Answers: r.SampleAnswers(nil)}
	e, err := program.EvaluateTraced(flow, in, keep)
	if err != nil {
		if !m.sheet.Partial {
			m.sheet.Sample.Problem = fmt.Sprint(err)
		}
		return
	}
	if e.Failure == nil {
		e.Failure = e.NoSample()
	}
	m.sheet.Skipped, m.sheet.Failure = e.Skipped, e.Failure
}
