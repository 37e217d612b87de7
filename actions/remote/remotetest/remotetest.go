// Package remotetest compiles and plans actions that write to other systems, for their tests.
package remotetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
)

// Compile loads a rule with one action of a kind.
func Compile(kind actions.Kind, text string) (*rules.Rule, actions.Action, diag.List) {
	rule, findings := rules.Load("rules/out.yaml", []byte(text), rules.Environment{
		Kinds: []settings.Spec{kind.Settings()}, Zone: time.UTC, Now: time.Now,
		TriggerKinds: []rules.TriggerKind{{Name: "webhook"}, {Name: "kobo"}},
		Samples:      func(*rules.Trigger) ([]any, error) { return nil, nil },
	})
	if rule == nil || len(rule.Actions) == 0 {
		return rule, nil, findings.List
	}
	action := kind.Compile(rule.Actions[0])
	rule.Finish()
	return rule, action, findings.List
}

// Mistakes has every action that is wrong (its keys, to the code of the finding) refused by its kind.
func Mistakes(t *testing.T, kind actions.Kind, head string, wrong map[string]string) {
	t.Helper()
	for keys, code := range wrong {
		_, action, findings := Compile(kind, head+keys)
		var codes []string
		for _, d := range findings {
			codes = append(codes, d.Code)
		}
		if action != nil || !slices.Contains(codes, code) {
			t.Errorf("%s has %q, not %s", keys, codes, code)
		}
	}
}

// Plan gives what an action writes for a record.
func Plan(t *testing.T, kind actions.Kind, text string, record map[string]any) actions.Plan {
	t.Helper()
	rule, action, findings := Compile(kind, text)
	if findings.HasErrors() || action == nil {
		t.Fatalf("the rule has findings: %v", findings)
	}
	plan, err := planOf(rule, action, record)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Failure gives why an action cannot be planned for a record; nil when it can.
func Failure(t *testing.T, kind actions.Kind, text string, record map[string]any) *rules.Failure {
	t.Helper()
	rule, action, findings := Compile(kind, text)
	if findings.HasErrors() || action == nil {
		t.Fatalf("the rule has findings: %v", findings)
	}
	_, err := planOf(rule, action, record)
	f, _ := err.(*rules.Failure) //nolint:errorlint // it is what Plan gives
	return f
}

func planOf(rule *rules.Rule, action actions.Action, record map[string]any) (actions.Plan, error) {
	scope := rule.Begin(rules.Input{Body: record})
	id, key, err := rule.Identify(scope)
	if err != nil {
		return actions.Plan{}, err
	}
	writes, err := action.Plan(scope)
	return actions.Plan{Record: actions.Ref{Rule: rule.Name, RecordID: id, Key: key}, Writes: writes}, err
}

// Memory remembers digests.
type Memory struct {
	mu    sync.Mutex
	known map[string]actions.Digest
}

// Take remembers what a delivery taught.
func (m *Memory) Take(results []actions.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]actions.Digest{}
	}
	for _, r := range results {
		for _, d := range r.Digests {
			m.known[d.Object] = d
		}
	}
}

// Digests implements actions.Memory, as the following methods do.
func (m *Memory) Digests(_ context.Context, objects []string) (map[string]actions.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]actions.Digest{}
	for _, o := range objects {
		if d, ok := m.known[o]; ok {
			out[o] = d
		}
	}
	return out, nil
}

// Identities knows nobody.
func (*Memory) Identities(context.Context, []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity, error) {
	return nil, nil
}

// Holders knows nobody.
func (*Memory) Holders(context.Context, []string) ([]actions.Identity, error) { return nil, nil }
