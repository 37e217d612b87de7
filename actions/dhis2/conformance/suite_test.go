package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/settings"
)

// suite is one run against one server.
type suite struct {
	client  *client.Client
	index   *metadata.Index
	run     string // in every external id and unique value of this run
	project string
	memory  *memory
	target  actions.Target
	login   client.Credentials
	events  map[string]bool // events of programs without registration, which no person takes along when deleted
}

func newSuite(c *client.Client, x *metadata.Index) *suite {
	run := "conf-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s := &suite{client: c, index: x, run: run, project: run, events: map[string]bool{}}
	s.forget()
	return s
}

func (s *suite) options() dhis2.Options { return dhis2.Options{Project: s.project} }

// forget begins with an empty journal, as after the loss of a disk.
func (s *suite) forget() {
	s.memory = newMemory()
	s.target = dhis2.NewTarget(s.client, func() *metadata.Index { return s.index }, s.memory, s.options())
}

// external is the external id of somebody of this run.
func (s *suite) external(n int) string { return fmt.Sprintf("%s-%d", s.run, n) }

func (s *suite) person(n int) string {
	return identity.TrackedEntityUID(s.project, person, s.external(n), 0)
}

func (s *suite) enrollment(program string, n int) string {
	return identity.EnrollmentUID(program, s.person(n), "", 0)
}

// flow is a compiled rule.
type flow struct {
	*suite
	rule    *rules.Rule
	actions []actions.Action
}

// fields are a record.
type fields map[string]any

// with gives a copy with some fields changed: name, value, name, value.
func (f fields) with(changes ...any) fields {
	out := maps.Clone(f)
	for i := 0; i+1 < len(changes); i += 2 {
		out[changes[i].(string)] = changes[i+1]
	}
	return out
}

// compile makes a rule of actions against the server's metadata. The rule must be without mistakes:
// those are in the records.
func (s *suite) compile(t *testing.T, text string, sample fields) *flow {
	t.Helper()
	text = "rule: conformance\nnamespace: project\ntrigger:\n  webhook: {path: /conformance}\n  sample: " +
		"sample.json\nid: trigger.id\nactions:\n" + strings.Trim(text, "\n") + "\n"
	kinds, specs := map[string]actions.Kind{}, []settings.Spec{}
	for _, k := range dhis2.Kinds(s.index, actions.Options{Project: s.project, Zone: time.UTC}) {
		kinds[k.Name()], specs = k, append(specs, k.Settings())
	}
	env := rules.Environment{
		Samples: func(*rules.Trigger) ([]any, error) { return []any{map[string]any(sample)}, nil },
		Now:     time.Now, Zone: time.UTC, Kinds: specs,
		TriggerKinds: []rules.TriggerKind{{Name: "webhook", Submissions: true}}, Directory: s.index.Directory(),
	}
	rule, findings := rules.Load("rules/conformance.yaml", []byte(text), env)
	f := &flow{suite: s, rule: rule}
	if rule != nil {
		for _, spec := range rule.Actions {
			f.actions = append(f.actions, kinds[spec.Kind].Compile(spec))
		}
		rule.Finish()
	}
	if findings.List.HasErrors() {
		for _, d := range findings.List {
			t.Log(d.String())
		}
		t.Fatalf("the rule has mistakes:\n%s", text)
	}
	return f
}

// plan turns a record into writes. What does not fit the rule is a *rules.Failure.
func (f *flow) plan(body fields) ([]actions.Write, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	var decoded any
	if err := json.Unmarshal(text, &decoded); err != nil {
		return nil, err
	}
	scope := f.rule.Begin(rules.Input{Body: decoded})
	if _, _, err := f.rule.Identify(scope); err != nil {
		return nil, err
	}
	if err := f.rule.Resolve(scope); err != nil {
		return nil, err
	}
	var writes []actions.Write
	for _, a := range f.actions {
		w, err := a.Plan(scope)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w...)
	}
	return writes, nil
}

// sent is a record with what must become of it: "ok" for delivered or unchanged, else the code of
// the first failure; alternatives are divided by "|".
type sent struct {
	want   string
	record fields
}

// send delivers records together and compares what became of each. It answers how many objects were really written.
func (f *flow) send(t *testing.T, batch ...sent) (written int) {
	t.Helper()
	var plans []actions.Plan
	var of []sent
	for n, one := range batch {
		writes, err := f.plan(one.record)
		var failure *rules.Failure
		switch {
		case errors.As(err, &failure):
			wanted(t, n, one.want, failure.Code, failure.Error())
			if failure.Hint == "" {
				t.Errorf("record %d: %s does not say what to do", n, failure.Code)
			}
		case err != nil:
			t.Fatal(err)
		default:
			plans = append(plans, actions.Plan{Record: actions.Ref{Rule: f.rule.Name, RecordID: strconv.Itoa(n)},
				Writes: writes})
			of = append(of, one)
		}
	}
	results := f.target.Deliver(context.Background(), plans)
	f.memory.keep(results)
	for n, r := range results {
		got, why := "ok", ""
		for _, o := range r.Outcomes {
			switch o.Status {
			case actions.Delivered:
				written++
			case actions.Failed, actions.Retry:
				if got == "ok" {
					got, why = o.Code, o.Message+" | "+o.Detail
					if o.Message == "" || o.Hint == "" {
						t.Errorf("record %d: %s lacks a cause or what to do: %+v", n, o.Code, o)
					}
				}
			}
		}
		wanted(t, n, of[n].want, got, why)
	}
	return written
}

func wanted(t *testing.T, n int, want, got, why string) {
	t.Helper()
	for _, w := range strings.Split(want, "|") {
		if w == got {
			return
		}
	}
	t.Errorf("record %d came to %q, want %q: %s", n, got, want, why)
}

// twice sends records, sends them again, and sends them once more with nothing remembered: good
// ones must reach the same objects each time. repeats is how many objects the second time may
// write: those whose state in DHIS2 is looked at every time.
func (f *flow) twice(t *testing.T, repeats int, batch ...sent) {
	t.Helper()
	if n := f.send(t, batch...); n == 0 {
		t.Error("nothing was written")
	}
	if n := f.send(t, batch...); n > repeats {
		t.Errorf("sent again, %d objects were written; at most %d have to be", n, repeats)
	}
	f.forget()
	f.send(t, batch...)
}

// memory is what the journal would remember.
type memory struct {
	mu         sync.Mutex
	identities map[actions.IdentityKey]actions.Identity
	digests    map[string]actions.Digest
}

func newMemory() *memory {
	return &memory{identities: map[actions.IdentityKey]actions.Identity{}, digests: map[string]actions.Digest{}}
}

func (m *memory) Identities(_ context.Context, keys []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity,
	error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return pick(m.identities, keys), nil
}

func (m *memory) Digests(_ context.Context, names []string) (map[string]actions.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return pick(m.digests, names), nil
}

func pick[K comparable, V any](from map[K]V, keys []K) map[K]V {
	out := map[K]V{}
	for _, k := range keys {
		if v, ok := from[k]; ok {
			out[k] = v
		}
	}
	return out
}

func (m *memory) Holders(_ context.Context, uids []string) ([]actions.Identity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []actions.Identity
	for _, id := range m.identities {
		if slices.Contains(uids, id.UID) {
			out = append(out, id)
		}
	}
	return out, nil
}

// keep records results as the journal does.
func (m *memory) keep(results []actions.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range results {
		for _, d := range r.Digests {
			m.digests[d.Object] = d
		}
		for _, id := range r.Identities {
			m.identities[id.IdentityKey] = id
		}
	}
}
