package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

func TestMain(m *testing.M) {
	if crashChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// visitRule carries visits: `n` counts the visits of a person, so that a target sees whether they come in order.
const visitRule = `rule: %s
trigger:
  webhook: {path: /visits}
  fields: {id: text, person: text, n: text, keep: text}
when: trigger.keep != "no"
id: trigger.id
actions:
  - dhis2.event:
      id: visit
      program: Antenatal care
      stage: First visit
      external_id: trigger.person
      org_unit: {value: Ngelehun CHC}
      occurred_at: {value: 2026-01-01}
      data_values:
        Number: int(trigger.n)
`

// visitKind stands for DHIS2's events: its writes are of one object with the number of the visit.
type visitKind struct{}

func (visitKind) Name() string { return "dhis2.event" }

func (visitKind) Settings() settings.Spec { return settings.Spec{} }

func (visitKind) Compile(spec *rules.ActionSpec) actions.Action {
	spec.DeclareResult("event")
	a := &visitAction{spec: spec}
	a.person = spec.Expression(spec.Body.Get("external_id"), expression.Text)
	a.number = spec.Field("Number", spec.Body.Get("data_values").Get("Number"))
	return a
}

type visitAction struct {
	spec   *rules.ActionSpec
	person *rules.Expr
	number *rules.Field
}

func (a *visitAction) Key() *rules.Expr { return a.person }

func (a *visitAction) Plan(s *rules.Scope) ([]actions.Write, error) {
	person, err := a.person.EvalText(s)
	if err != nil {
		return nil, err
	}
	number, err := a.number.Eval(s)
	if err != nil {
		return nil, err
	}
	return []actions.Write{{Place: a.spec.Place, Object: visit{ID: s.RecordID(), Person: person,
		N: fmt.Sprint(number.Value)}}}, nil
}

type visit struct{ ID, Person, N string }

func (v visit) Label() string            { return "event First visit of Antenatal care" }
func (v visit) Describe() map[string]any { return map[string]any{"person": v.Person, "n": v.N} }

// testFlow compiles a rule file with the visit action.
func testFlow(t testing.TB, text string) *program.Flow {
	t.Helper()
	rule, findings := rules.Load("rules/visits.yaml", []byte(text), rules.Environment{
		Now: time.Now, Zone: time.UTC, Kinds: []settings.Spec{{Name: "dhis2.event"}},
		TriggerKinds: []rules.TriggerKind{{Name: "webhook", Submissions: true}, {Name: "files", Tables: true}},
	})
	if rule == nil || findings.List.HasErrors() {
		t.Fatalf("the rule has findings: %v", findings.List)
		return nil
	}
	action := visitKind{}.Compile(rule.Actions[0])
	rule.Key = action.Key()
	rule.Finish()
	if findings.List.HasErrors() {
		t.Fatalf("the rule has findings: %v", findings.List)
	}
	return &program.Flow{Rule: rule, Actions: []actions.Action{action}, Server: "national"}
}

func testProgram(t testing.TB, names ...string) *program.Program {
	p := &program.Program{Rules: map[string]*program.Flow{}}
	for _, name := range names {
		p.Rules[name] = testFlow(t, fmt.Sprintf(visitRule, name))
	}
	return p
}

// target takes visits and checks what no target may ever see: two batches with one key at once, or
// a key twice in a batch.
type target struct {
	t testing.TB
	// answer says what becomes of a write; nil or a zero Outcome: it is delivered.
	answer func(actions.Plan, visit) actions.Outcome
	probe  func() error

	mu      sync.Mutex
	under   map[string]bool
	changed await.Signal        // of what was sent, and of the journal
	sent    map[string][]string // deliveries by person: the numbers, repeated ones too
	objects map[string]string   // by record id
	batches int
}

func newTarget(t testing.TB) *target {
	return &target{
		t:       t,
		changed: await.NewSignal(),
		under:   map[string]bool{},
		sent:    map[string][]string{},
		objects: map[string]string{},
	}
}

func (g *target) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	g.mu.Lock()
	g.batches++
	for _, p := range plans {
		if g.under[p.Record.Key] {
			g.t.Errorf("key %s is on its way already", p.Record.Key)
		}
		g.under[p.Record.Key] = true
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, p := range plans {
			delete(g.under, p.Record.Key)
		}
		g.changed.Notify()
	}()
	results := make([]actions.Result, len(plans))
	for i, p := range plans {
		for _, w := range p.Writes {
			results[i].Outcomes = append(results[i].Outcomes, g.write(p, w.Object.(visit)))
		}
	}
	return results
}

func (g *target) write(p actions.Plan, v visit) actions.Outcome {
	var o actions.Outcome
	if g.answer != nil {
		o = g.answer(p, v)
	}
	if o.Status != actions.Delivered {
		return o
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.objects[v.ID] == v.N {
		return actions.Outcome{Status: actions.Unchanged, ObjectID: v.ID}
	}
	g.objects[v.ID] = v.N
	g.sent[v.Person] = append(g.sent[v.Person], v.N)
	return actions.Outcome{ObjectID: v.ID}
}

func (g *target) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return g.Deliver(ctx, plans)
}

func (g *target) Probe(ctx context.Context) error {
	if g.probe != nil {
		return g.probe()
	}
	return nil
}

// delivered gives what arrived for a person, in order.
func (g *target) delivered(person string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.sent[person]...)
}

func (g *target) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.objects)
}

// quick are limits that make tests wait for nothing.
func quick() Limits {
	fast := await.Backoff{Base: time.Millisecond, Cap: 20 * time.Millisecond}
	return Limits{Retry: fast, Parent: fast, Away: fast, Refusal: fast, Poll: 10 * time.Millisecond,
		FileCommit: time.Millisecond, Drain: 10 * time.Second}
}

// toldJournal signals what the engine writes.
type toldJournal struct {
	journal.Journal
	changed await.Signal
}

func (j *toldJournal) Append(ctx context.Context, records []*journal.Record, c *sources.Cursor) ([]bool, error) {
	defer j.changed.Notify()
	return j.Journal.Append(ctx, records, c)
}

func (j *toldJournal) Commit(ctx context.Context, b *journal.Batch) error {
	defer j.changed.Notify()
	return j.Journal.Commit(ctx, b)
}

func (j *toldJournal) AddFile(ctx context.Context, f *journal.File) (bool, error) {
	defer j.changed.Notify()
	return j.Journal.AddFile(ctx, f)
}

// world is a runner with its journal and target.
type world struct {
	t       testing.TB
	dir     string
	journal journal.Journal
	target  *target
	config  Config
	runner  *Runner
	stop    func()
}

func newWorld(t testing.TB, p *program.Program) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), target: newTarget(t)}
	w.open()
	w.config = Config{
		Journal: w.journal, Program: p, Limits: quick(), Log: slog.New(slog.DiscardHandler), Owner: "test",
		Servers: map[string]dispatch.Server{"national": {Target: w.target}},
		Files: func(_ *program.Flow, f sources.File) (fileimport.Plan, error) {
			return fileimport.Plan{Format: tabular.Format{}, Done: filepath.Join(f.Folder, "done"),
				Failed: filepath.Join(f.Folder, "failed")}, nil
		},
	}
	return w
}

func (w *world) open() {
	w.t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(w.dir, "culvert.db"), journal.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = &toldJournal{store, w.target.changed}
	w.config.Journal = w.journal
	w.t.Cleanup(func() { _ = store.Close() })
}

// reopen closes the journal and opens it again, as a new process does.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.journal.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// run starts the runner; the test ends it.
func (w *world) run() {
	w.t.Helper()
	w.make()
	w.start()
}

// start runs the runner that was made.
func (w *world) start() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	runner := w.runner
	go func() { done <- runner.Run(ctx) }()
	var once sync.Once
	w.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Errorf("run: %v", err)
			}
		})
	}
	w.t.Cleanup(w.stop)
}

// make makes the runner without running it.
func (w *world) make() {
	w.t.Helper()
	var err error
	if w.runner, err = New(w.config); err != nil {
		w.t.Fatal(err)
	}
}

func item(rule, id, person string, n int) sources.Record {
	return sources.Record{Rule: rule, Origin: sources.Origin{Trigger: "webhook"},
		Body: map[string]any{"id": id, "person": person, "n": fmt.Sprint(n), "keep": "yes"}}
}

func (w *world) accept(records ...sources.Record) []sources.Receipt {
	w.t.Helper()
	receipts, err := w.runner.Accept(context.Background(), sources.Batch{Records: records})
	if err != nil {
		w.t.Fatal(err)
	}
	return receipts
}

// until waits for a condition that the engine brings about: it looks when something was sent or
// written to the journal.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	awaittest.UntilSignalled(w.t, what, w.target.changed, holds, func() string {
		summary, _ := w.journal.Summary(context.Background())
		text, _ := json.Marshal(summary)
		return "journal: " + string(text)
	})
}

// states counts the records of the journal by state.
func (w *world) states() map[journal.State]int {
	w.t.Helper()
	records, err := w.journal.Select(context.Background(), journal.Filter{Limit: 1 << 30})
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[journal.State]int{}
	for _, r := range records {
		out[r.State]++
	}
	return out
}

func (w *world) record(id string) *journal.Record {
	w.t.Helper()
	records, err := w.journal.Select(context.Background(), journal.Filter{ID: id, WithBody: true, Limit: 10})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(records) == 0 {
		return nil
	}
	return records[len(records)-1]
}
