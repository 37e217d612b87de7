package odk

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that pulls from ODK Central.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "odk" }

// Rule is what one rule pulls.
type Rule struct {
	Rule       string
	Connection string
	Project    int    // its number in Central
	Form       string // xmlFormId; empty: entities are pulled
	EntityList string
	Since      time.Time
	Every      time.Duration
	Review     []string // only submissions in these states of review; empty: all
	Deletions  bool     // deletions come as records
	Batch      int
}

// entities tells whether an entity list is pulled, in place of the submissions of a form.
func (r *Rule) entities() bool { return r.Form == "" && r.EntityList != "" }

// items names what is pulled.
func (r *Rule) items() string {
	if r.entities() {
		return "entities"
	}
	return "submissions"
}

// received is what people call the state of a submission that nobody has reviewed, which Central leaves out.
const received = "received"

var reviews = []string{received, "edited", "hasIssues", "rejected", "approved"}

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	return settings.Spec{
		Name: "odk", Doc: "Records are the submissions of a form in ODK Central, or the entities of an entity list, pulled " +
			"by its OData feed: new ones, edits, reviews and, if asked for, deletions.",
		Example: "odk: {connection: central, project: 3, form: anc}",
		Fields: []settings.Field{
			{Name: "connection", Required: true, Hint: "name one of connections: in culvert.yaml",
				Doc: "one of `connections:` in culvert.yaml: `odk`, `username` and `password`"},
			{Name: "project", Type: settings.Whole, Required: true, Min: 1, Max: 1<<31 - 1,
				Hint: "write the number behind /projects/ in the address of the form",
				Doc:  "number of the project: what stands behind `/projects/` in the address of the form"},
			{Name: "form", LeftOut: "form or entity_list is needed",
				Doc: "id of the form: what stands behind `/forms/` in its address"},
			{Name: "entity_list", LeftOut: "form or entity_list is needed",
				Doc: "instead of form: name of the entity list, what stands behind `/entity-lists/` in its address"},
			{Name: "since", LeftOut: "the beginning",
				Doc: "the first to pull, by when they came or changed: a day, or a time in UTC"},
			{Name: "every", Type: settings.Duration, Default: "10m", Least: 10 * time.Second, Most: 31 * 24 * time.Hour,
				Doc: "how often Central is asked"},
			{Name: "review", Type: settings.Texts, LeftOut: "all", Words: reviews,
				Doc: "with form: only submissions in this state of review: `received` (by nobody yet), `edited`, `hasIssues`, " +
					"`rejected` or `approved`, one or several"},
			{Name: "deletions", Type: settings.Switch,
				Doc: "a deleted submission or entity comes as a record with `source.deleted`, for `dhis2.delete`"},
			{Name: "batch", Type: settings.Whole, Default: "250", Min: 1, Max: 5000, Doc: "how many stand on one page"},
		},
	}
}

// Describe says that forms come as they are submitted.
func (Kind) Describe() rules.TriggerKind {
	return rules.TriggerKind{Name: Kind{}.Name(), Submissions: true}
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Connections gives where a trigger names its connection.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection")}
}

// Connection is a user of an ODK Central server.
func (Kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "odk", Doc: "address of an ODK Central server", Example: "https://central.example.org",
		Keys: []settings.Field{
			{Name: "username", LeftOut: "needed", Doc: "e-mail address of a user of Central who may read the project"},
			{Name: "password", Type: settings.Secret, LeftOut: "needed", Doc: "password, as ${NAME} or {file: path}"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			if !has("username") || !has("password") {
				return "cannot log in", "add username: with password: ${NAME}"
			}
			return "", ""
		},
	}
}

// Ping asks for who the user is.
func (Kind) Ping(ctx context.Context, c sources.Connection, log *slog.Logger) error {
	k, err := newClient(c, log)
	if err != nil {
		return err
	}
	if _, err := k.get.Get(ctx, k.base.JoinPath("v1", "users", "current")); err != nil {
		return fmt.Errorf("ask who is logged in to %s: %w", c.Name, err)
	}
	return nil
}

// Sample decodes a sample into record bodies: one submission or entity, a list of them, or a page of the feed.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	if len(bodies) == 1 {
		if reply, ok := bodies[0].(map[string]any); ok {
			if list, ok := reply["value"].([]any); ok && reply["__id"] == nil {
				bodies = list[:min(len(list), limit)]
			}
		}
	}
	for _, b := range bodies {
		withoutLinks(b)
	}
	return bodies, nil
}

// New makes the source of the rules that pull.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	list := sources.Valid(bound, func(b sources.Bound) Rule {
		r := read(b.Trigger, func(diag.Diagnostic) {})
		r.Rule = b.Rule
		return r
	})
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Rules: list, Connect: env.Connection, Log: env.Log}), nil
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Connection, out.Project = c.Text("connection"), c.Whole("project")
	out.Form, out.EntityList = c.Text("form"), c.Text("entity_list")
	out.Since, out.Every = c.Time("since"), c.Duration("every")
	out.Deletions, out.Batch = c.Is("deletions"), c.Whole("batch")
	out.Review = c.Words("review", reviews)
	switch form, list := c.Config.Key("form"), c.Config.Key("entity_list"); {
	case form == nil && list == nil:
		c.Missing(
			"form or entity_list",
			"write what stands behind /forms/ or /entity-lists/ in the address of what is pulled",
		)
	case form != nil && list != nil:
		c.Wrong(list, "two-feeds", "the trigger pulls two things, a form and an entity list",
			"keep one, and make another rule for the other")
	case list != nil && c.Has("review"):
		c.Wrong(c.Config.Key("review"), "unknown-key", "review belongs to form: entities are not reviewed", "take it out")
	}
	return out
}
