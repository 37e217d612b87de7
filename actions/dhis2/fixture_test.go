package dhis2

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/geo"
	"github.com/culvert/culvert/rules/settings"
)

var update = flag.Bool("update", false, "write golden files anew")

// snapshot is the metadata of a recorded 2.42 server with the invented country Tamala; a fresh copy each time.
func snapshot(t testing.TB) *metadata.Snapshot {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "metadata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	s := &metadata.Snapshot{Server: metadata.ServerInfo{Version: "2.42.4.1", Calendar: "iso8601",
		Area: &geo.Area{West: 29.52, South: -5.98, East: 33.94, North: -4.46, Margin: 1.11}}}
	for name, into := range map[string]any{
		"organisationUnits": &s.OrgUnits, "organisationUnitLevels": &s.OrgUnitLevels, "attributes": &s.Attributes,
		"trackedEntityTypes":      &s.TrackedEntityTypes,
		"trackedEntityAttributes": &s.TrackedEntityAttributes, "programs": &s.Programs, "dataElements": &s.DataElements,
		"dataSets":   &s.DataSets,
		"optionSets": &s.OptionSets, "categoryCombos": &s.CategoryCombos, "categoryOptionCombos": &s.CategoryOptionCombos,
		"categories":      &s.Categories,
		"categoryOptions": &s.CategoryOptions, "relationshipTypes": &s.RelationshipTypes, "programRules": &s.ProgramRules,
	} {
		var body map[string]json.RawMessage
		if err := json.Unmarshal(answers[name], &body); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body[name], into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var units map[string][]string
	if err := json.Unmarshal(answers["orgUnits"], &units); err != nil {
		t.Fatal(err)
	}
	for i := range s.Programs {
		s.Programs[i].OrgUnits = units[s.Programs[i].ID]
	}
	if err := json.Unmarshal(answers["me"], &s.User); err != nil {
		t.Fatal(err)
	}
	return s
}

var country = sync.OnceValue(func() *metadata.Index { return metadata.NewIndex(snapshot(&testing.B{})) })

func testOptions() Options {
	return Options{Project: "test", Now: func() time.Time { return time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC) }}
}

func kindOptions() actions.Options {
	return actions.Options{Project: "test", Now: testOptions().Now, Zone: time.UTC}
}

// compiled is a rule with its actions.
type compiled struct {
	attachments rules.Attachments // of the records; nil: none
	rule        *rules.Rule
	actions     []actions.Action
	findings    *rules.Findings
}

// compile loads a rule whose trigger is a webhook with the sample given, in the country's metadata.
func loadRule(t testing.TB, x *metadata.Index, text, sample string) *compiled {
	t.Helper()
	return loadOf(t, Kinds(x, kindOptions()), x, text, sample)
}

// loadOf is loadRule for one of several rules of a project.
func loadOf(t testing.TB, kinds []actions.Kind, x *metadata.Index, text, sample string,
	prepare ...func(*rules.Trigger)) *compiled {
	t.Helper()
	byName := map[string]actions.Kind{}
	var specs []settings.Spec
	for _, k := range kinds {
		byName[k.Name()] = k
		specs = append(specs, k.Settings())
	}
	var body any
	if err := json.Unmarshal([]byte(sample), &body); err != nil {
		t.Fatalf("sample: %v", err)
	}
	env := rules.Environment{
		Samples: func(*rules.Trigger) ([]any, error) { return []any{body}, nil },
		Now:     testOptions().Now, Zone: time.UTC, Kinds: specs,
		TriggerKinds: []rules.TriggerKind{{Name: "webhook", Submissions: true}},
	}
	if x != nil {
		env.Directory, env.Asked = x.Directory(), Asked(x)
	}
	rule, findings := rules.Load("rules/test.yaml", []byte(text), env)
	c := &compiled{rule: rule, findings: findings}
	if rule == nil {
		return c
	}
	for _, do := range prepare {
		do(&rule.Trigger)
	}
	for _, spec := range rule.Actions {
		if kind := byName[spec.Kind]; kind != nil {
			c.actions = append(c.actions, kind.Compile(spec))
		}
	}
	rule.Finish()
	findings.List.Sort()
	return c
}

// mustCompile is compile for a rule without mistakes.
func mustCompile(t testing.TB, text, sample string) *compiled {
	t.Helper()
	c := loadRule(t, country(), text, sample)
	for _, d := range c.findings.List {
		if d.Severity == 0 {
			t.Fatalf("%d:%d: %s [%s] %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Message, d.Code, d.Hint)
		}
	}
	return c
}

// plan gives a record's writes.
func (c *compiled) plan(body any) ([]actions.Write, error) {
	s := c.rule.Begin(rules.Input{Body: body, Attachments: c.attachments})
	id, key, err := c.rule.Identify(s)
	if err != nil {
		return nil, err
	}
	_, _ = id, key
	if err := c.rule.Resolve(s); err != nil {
		return nil, err
	}
	var writes []actions.Write
	for _, a := range c.actions {
		w, err := a.Plan(s)
		if err != nil {
			return nil, err
		}
		writes = append(writes, w...)
	}
	return writes, nil
}

// plans gives one plan for each record.
func (c *compiled) plans(t testing.TB, records ...string) []actions.Plan {
	t.Helper()
	var list []actions.Plan
	for n, text := range records {
		writes, err := c.plan(decode(t, text))
		if err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
		list = append(list, actions.Plan{Record: actions.Ref{Rule: c.rule.Name}, Writes: writes})
	}
	return list
}

func decode(t testing.TB, text string) any {
	t.Helper()
	var body any
	if err := json.Unmarshal([]byte(text), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// describe gives writes as the rule's tests would see them.
func describe(writes []actions.Write) []map[string]any {
	var list []map[string]any
	for _, w := range writes {
		list = append(list, w.Object.Describe())
	}
	return list
}

// memory is what the journal would remember.
type memory struct {
	mu         sync.Mutex
	identities map[actions.IdentityKey]actions.Identity
	digests    map[string]actions.Digest
	shapes     []string
}

func newMemory() *memory {
	return &memory{identities: map[actions.IdentityKey]actions.Identity{}, digests: map[string]actions.Digest{}}
}

func (m *memory) Identities(_ context.Context, keys []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity,
	error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[actions.IdentityKey]actions.Identity{}
	for _, k := range keys {
		if id, ok := m.identities[k]; ok {
			out[k] = id
		}
	}
	return out, nil
}

func (m *memory) Digests(_ context.Context, names []string) (map[string]actions.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]actions.Digest{}
	for _, n := range names {
		if digest, ok := m.digests[n]; ok {
			out[n] = digest
		}
	}
	return out, nil
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

// ShapeNumbers implements actions.Shapes.
func (m *memory) ShapeNumbers(_ context.Context, shapes []string) (map[string]uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]uint16{}
	for _, s := range shapes {
		at := slices.Index(m.shapes, s)
		if at < 0 {
			at = len(m.shapes)
			m.shapes = append(m.shapes, s)
		}
		out[s] = uint16(at + 1)
	}
	return out, nil
}

// ShapeNames implements actions.Shapes.
func (m *memory) ShapeNames(_ context.Context, numbers []uint16) (map[uint16]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[uint16]string{}
	for _, n := range numbers {
		out[n] = m.shapes[n-1]
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

// rule indents a rule's actions under a webhook.
func ruleText(actions string) string {
	return "rule: test\ntrigger:\n  webhook: {path: /test}\n  sample: sample.json\nid: trigger.id\nactions:\n" +
		strings.TrimRight(actions, "\n") + "\n"
}
