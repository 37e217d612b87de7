package kobo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
	"github.com/culvert/culvert/sources/webhook"
)

// Kind is the trigger that pulls from KoboToolbox.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "kobo" }

// Rule is what one rule pulls.
type Rule struct {
	Rule         string
	Connection   string
	Asset        string    // uid of the project in KoboToolbox
	Since        time.Time // of `_submission_time`; zero: from the beginning
	Every        time.Duration
	Reconcile    time.Duration // how often the whole project is compared
	Validation   []string      // only submissions that somebody has marked so, by uid; empty: all
	Deletions    bool          // deletions come as records
	MaxDeletions int           // more at once are not believed
	Batch        int
}

// statuses are the words for validation statuses, as the uids of KoboToolbox end.
var statuses = []string{"approved", "not_approved", "on_hold"}

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	day := 24 * time.Hour
	return settings.Spec{
		Name: "kobo", Doc: "Records are the submissions of a KoboToolbox project, pulled by its API: new ones, edits and, " +
			"if asked for, deletions.",
		Example: "kobo: {connection: kobo, asset: aQ2wE4rT6yU8iO0pA2sD4f}",
		Fields: []settings.Field{
			{Name: "connection", Required: true, Hint: "name one of connections: in culvert.yaml",
				Doc: "one of `connections:` in culvert.yaml: `kobo` and `api_key` (or `username` and `password`)"},
			{Name: "asset", Required: true, Hint: "write what stands behind /#/forms/ in the address of the project",
				Doc: "the project: what stands behind `/#/forms/` in its address"},
			{Name: "since", LeftOut: "the beginning",
				Doc: "the first submissions to pull, by the time of submission: a day, or a time in UTC"},
			{Name: "every", Type: settings.Duration, Default: "10m", Least: 10 * time.Second, Most: 31 * day,
				Doc: "how often new submissions are asked for"},
			{Name: "reconcile", Type: settings.Duration, Default: "1h", Least: time.Minute, Most: 31 * day,
				Doc: "how often the whole project is compared with what was seen, for edits, validation and deletions"},
			{Name: "validation", Type: settings.Texts, LeftOut: "all", Words: statuses,
				Doc: "only submissions that somebody has marked so: `approved`, `not_approved` or `on_hold`, one or several"},
			{Name: "deletions", Type: settings.Switch,
				Doc: "a deleted submission comes as a record with `source.deleted`, for `dhis2.delete`"},
			{Name: "max_deletions", Type: settings.Whole, Default: "100", Min: 1, Max: 1_000_000,
				Doc: "more deletions at once are not believed: a user who lost rights sees fewer submissions. They are named in " +
					"status and wait until this is raised"},
			{Name: "batch", Type: settings.Whole, Default: "500", Min: 1, Max: 1000, Doc: "submissions of one page"},
			{Name: "webhook", Type: settings.Mapping, LeftOut: "none", Fields: webhook.Kind{}.Settings().Fields,
				Doc: "posts of the project's REST service are taken, too, so that submissions come at once; the keys of the " +
					"webhook trigger"},
		},
	}
}

// Describe says that forms come as they are submitted.
func (Kind) Describe() rules.TriggerKind {
	return rules.TriggerKind{Name: Kind{}.Name(), Submissions: true}
}

// Check reads a trigger's config and reports what is wrong with it.
func (k Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) {
	read(t, report)
	if posts := k.Posts(t); posts != nil {
		webhook.Kind{}.Check(posts, report)
	}
}

// Posts gives the trigger of what the REST service posts, nil where it posts nothing.
func (Kind) Posts(t *rules.Trigger) *rules.Trigger {
	n := t.Config.Get("webhook")
	if n == nil {
		return nil
	}
	return &rules.Trigger{Kind: webhook.Kind{}.Name(), Config: n, Place: t.Config.Key("webhook").Place()}
}

// Inherits tells whether a trigger leaves to culvert.yaml who may post.
func (k Kind) Inherits(t *rules.Trigger) bool {
	posts := k.Posts(t)
	return posts != nil && webhook.Kind{}.Inherits(posts)
}

// Connections gives where a trigger names its connection.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection")}
}

// Connection is a user of a KoboToolbox server.
func (Kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "kobo", Doc: "address of a KoboToolbox server", Example: "https://kf.kobotoolbox.org",
		Keys: []settings.Field{
			{Name: "api_key", Type: settings.Secret, LeftOut: "username and password are needed",
				Doc: "API key of Account Settings, Security, as ${NAME} or {file: path}"},
			{Name: "username", LeftOut: "api_key is needed", Doc: "user name"},
			{Name: "password", Type: settings.Secret, LeftOut: "api_key is needed", Doc: "password, as ${NAME} or {file: path}"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			if !has("api_key") && (!has("username") || !has("password")) {
				return "cannot log in", "add api_key: ${NAME}, or username: with password: ${NAME}"
			}
			return "", ""
		},
	}
}

// Ping asks for one project.
func (Kind) Ping(ctx context.Context, c sources.Connection, log *slog.Logger) error {
	k, err := newClient(c, log)
	if err != nil {
		return err
	}
	at := k.base.JoinPath("api", "v2", "assets", "/")
	at.RawQuery = "format=json&limit=1"
	if _, err := k.get.Get(ctx, at); err != nil {
		return fmt.Errorf("ask for a project of %s: %w", c.Name, err)
	}
	return nil
}

// Sample decodes a sample into record bodies: one submission, a list of them, or a reply of the API.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	if len(bodies) == 1 {
		if reply, ok := bodies[0].(map[string]any); ok {
			if list, ok := reply["results"].([]any); ok && reply["_id"] == nil {
				return list[:min(len(list), limit)], nil
			}
		}
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

// assetForm is how KoboToolbox names projects.
var assetForm = regexp.MustCompile(`^a[A-Za-z0-9]{9,40}$`)

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Connection, out.Asset = c.Text("connection"), c.Text("asset")
	if out.Asset != "" && !assetForm.MatchString(out.Asset) {
		c.Wrong(c.Config.Get("asset"), "asset", fmt.Sprintf("%q names no project", out.Asset),
			"write what stands behind /#/forms/ in its address, such as aQ2wE4rT6yU8iO0pA2sD4f")
	}
	out.Since = c.Time("since")
	out.Every, out.Reconcile, out.Batch = c.Duration("every"), c.Duration("reconcile"), c.Whole("batch")
	out.Deletions, out.MaxDeletions = c.Is("deletions"), c.Whole("max_deletions")
	for _, word := range c.Words("validation", statuses) {
		out.Validation = append(out.Validation, statusPrefix+word)
	}
	return out
}

const statusPrefix = "validation_status_"

// timeForm is how KoboToolbox writes the time of submission: in UTC, without a zone.
const timeForm = "2006-01-02T15:04:05"

// wanted tells whether a submission has a validation status that the rule takes.
func (r *Rule) wanted(status string) bool {
	return len(r.Validation) == 0 || slices.Contains(r.Validation, status)
}

// query is a condition as the API takes it, in the language of MongoDB.
func (r *Rule) query(more ...map[string]any) (string, error) {
	all := slices.Clone(more)
	if !r.Since.IsZero() {
		all = append(all, map[string]any{"_submission_time": map[string]any{"$gte": r.Since.UTC().Format(timeForm)}})
	}
	switch len(all) {
	case 0:
		return "", nil
	case 1:
		text, err := json.Marshal(all[0])
		return string(text), err
	}
	text, err := json.Marshal(map[string]any{"$and": all})
	return string(text), err
}

// cursor names where a rule stands with a project; another project is another place.
func (r *Rule) cursor(parts ...string) string {
	return strings.Join(append([]string{Kind{}.Name(), r.Rule, r.Asset}, parts...), "/")
}
