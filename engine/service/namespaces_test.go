package service

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
)

// ruleNamed is a rule of a project that counts visits by the ids of its records.
func ruleNamed(t *testing.T, name, more string) *project.Rule {
	t.Helper()
	text := "rule: " + name + "\n" + more +
		"trigger: {webhook: {path: /visits}, fields: {id: text}}\nid: trigger.id\nactions:\n  - count: {}\n"
	r, findings := rules.Load("rules/"+name+".yaml", []byte(text),
		rules.Environment{TriggerKinds: []rules.TriggerKind{{Name: "webhook", Submissions: true}}})
	for _, d := range findings.List {
		if d.Code == "bad-name" || d.Code == "unknown-key" {
			t.Fatal(d)
		}
	}
	for _, a := range r.Actions {
		a.DeclareIDs(rules.DeclaredIDs{Object: "event visits", Creates: true})
	}
	return &project.Rule{Rule: r, Server: "national"}
}

// TestNamespacesOverRenamesAndUpgrades holds what the journal says of rules whose names or namespaces change.
func TestNamespacesOverRenamesAndUpgrades(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	j, err := sqlite.Open(ctx, t.TempDir()+"/culvert.db", journal.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	sent := func(rule string) {
		t.Helper()
		r := &journal.Record{Rule: rule, ID: "1", Key: "1", State: journal.Pending, Received: time.Now(), Body: []byte("{}")}
		if _, err := j.Append(ctx, []*journal.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, want string, r ...*project.Rule) *namespaces {
		t.Helper()
		p := &project.Project{Rules: r}
		n, err := checkNamespaces(ctx, j, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.save(ctx, j); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range p.Findings {
			got = append(got, d.Code+" "+d.Hint)
		}
		if joined := strings.Join(got, "; "); want == "" && joined != "" || !strings.Contains(joined, want) {
			t.Errorf("%s: found %q, want %q", what, joined, want)
		}
		return n
	}
	// A journal that is older than namespaces: its rules keep the ids of the project, and later ones have their own.
	sent("old")
	if err := beginNamespaces(ctx, j); err != nil {
		t.Fatal(err)
	}
	n := check("the first start", "", ruleNamed(t, "old", ""), ruleNamed(t, "new", ""))
	if !n.legacy("old") || n.legacy("new") {
		t.Errorf("%+v", n)
	}
	if err := beginNamespaces(ctx, j); err != nil {
		t.Fatal(err)
	}
	// Renamed before it has sent anything: nothing is lost, nothing is asked.
	check("an unused rule is renamed", "", ruleNamed(t, "old", ""), ruleNamed(t, "newer", ""))
	sent("newer")
	check("it has sent now", "", ruleNamed(t, "old", ""), ruleNamed(t, "newer", ""))
	check("it is renamed", "namespace: {records: newer} if it is the same rule, or namespace: {records: newest}",
		ruleNamed(t, "old", ""), ruleNamed(t, "newest", ""))
	check("asked again", "renamed-rule", ruleNamed(t, "old", ""), ruleNamed(t, "newest", ""))
	check("it says so", "", ruleNamed(t, "old", ""), ruleNamed(t, "newest", "namespace: {records: newer}\n"))
	sent("newest")
	check("another rule comes", "", ruleNamed(t, "old", ""), ruleNamed(t, "newest", "namespace: {records: newer}\n"),
		ruleNamed(t, "third", ""))
	check("it changes its mind", "namespace-changed write namespace: {records: newer}",
		ruleNamed(t, "newest", "namespace: other\n"))
	check("people of another namespace", "namespace-changed write namespace: {people: project}",
		ruleNamed(t, "newest", "namespace: {records: newer, people: other}\n"))
	// What was sent before namespaces, renamed.
	n = check("an old rule is renamed", "", ruleNamed(t, "older", "namespace: {records: old}\n"),
		ruleNamed(t, "newest", "namespace: {records: newer}\n"))
	if !n.legacy("old") {
		t.Errorf("%+v", n)
	}
	check("the project's namespace is the same", "", ruleNamed(t, "old", "namespace: project\n"))
	check("another is not", "namespace-changed write namespace: {records: project}",
		ruleNamed(t, "old", "namespace: mine\n"))
	// A new journal begins without such rules.
	empty, err := sqlite.Open(ctx, t.TempDir()+"/culvert.db", journal.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = empty.Close() })
	if err := beginNamespaces(context.WithoutCancel(ctx), empty); err != nil {
		t.Fatal(err)
	}
	n, there, err := readNamespaces(ctx, empty)
	if err != nil || !there || len(n.Legacy) > 0 {
		t.Errorf("%+v %v %v", n, there, err)
	}
}
