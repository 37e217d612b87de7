package commcare

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that pulls from CommCare HQ.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "commcare" }

// Rule is what one rule pulls.
type Rule struct {
	Rule       string
	Connection string
	Cases      bool     // cases instead of forms
	Only       []string // xmlns of forms or types of cases; empty: all
	App        string   // forms of one application
	Archived   bool     // archived forms too
	Owner      string   // cases of one owner
	Closed     string   // "", true or false
	Since      string   // as the rule writes it
	Until      time.Time
	Every      time.Duration
	Batch      int

	since time.Time
}

const (
	maxForms = 1000 // of one page: CommCare HQ's own limits
	maxCases = 5000
)

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	day := 24 * time.Hour
	return settings.Spec{
		Name: "commcare", Doc: "Records are forms or cases pulled from CommCare HQ.",
		Example: "commcare: {connection: hq, forms: {xmlns: http://openrosa.org/formdesigner/...}}",
		Fields: []settings.Field{
			{Name: "connection", Required: true, Hint: "name one of connections: in culvert.yaml",
				Doc: "one of `connections:` in culvert.yaml: `commcare`, `domain`, `username` and `api_key` (or `password`)"},
			{Name: "forms", Type: settings.Mapping, LeftOut: "forms or cases is needed",
				Doc: "forms are pulled; `{}` for all of them", Fields: []settings.Field{
					{Name: "xmlns", Type: settings.Texts, LeftOut: "all forms", Doc: "forms of these namespaces, one or several"},
					{Name: "app_id", LeftOut: "all applications", Doc: "forms of one application"},
					{
						Name: "archived",
						Type: settings.Switch,
						Doc:  "archived forms, too, as records with `source.deleted`, for `dhis2.delete`",
					},
				}},
			{Name: "cases", Type: settings.Mapping, LeftOut: "forms or cases is needed",
				Doc: "cases are pulled; `{}` for all of them", Fields: []settings.Field{
					{Name: "type", Type: settings.Texts, LeftOut: "all types", Doc: "cases of these types, one or several"},
					{Name: "owner", LeftOut: "all owners", Doc: "cases of one owner"},
					{Name: "closed", Type: settings.Switch, LeftOut: "both", Doc: "only closed cases, or only open ones"},
				}},
			{Name: "since", LeftOut: "the beginning",
				Doc: "where the first pull begins, by the time of indexing: a day, or a time in UTC"},
			{Name: "until", LeftOut: "without end", Doc: "where pulling ends, for a back-fill of a span"},
			{Name: "every", Type: settings.Duration, Default: "10m", Least: 10 * time.Second, Most: 31 * day,
				Doc: "how often CommCare is asked"},
			{Name: "batch", Type: settings.Whole, Default: "100", Min: 1, Max: maxCases,
				Doc: "items of one page, up to 1,000 forms or 5,000 cases"},
		},
	}
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Connections gives where a trigger names its connection.
func (Kind) Connections(t *rules.Trigger) []*yamlnode.Node {
	return []*yamlnode.Node{t.Config.Get("connection")}
}

// Connection is a project space of CommCare HQ.
func (Kind) Connection() sources.ConnectionKind {
	return sources.ConnectionKind{
		Name: "commcare", Doc: "address of CommCare HQ", Example: "https://www.commcarehq.org",
		Keys: []settings.Field{
			{Name: "domain", LeftOut: "needed", Doc: "CommCare project space: what stands behind /a/ in its addresses"},
			{Name: "username", LeftOut: "needed", Doc: "user name"},
			{Name: "password", Type: settings.Secret, LeftOut: "api_key is needed", Doc: "password, as ${NAME} or {file: path}"},
			{Name: "api_key", Type: settings.Secret, LeftOut: "password is needed", Doc: "API key, as ${NAME} or {file: path}"},
			{Name: "locations", LeftOut: "none",
				Doc: "a reference table such as tables/locations.csv, which a sync writes CommCare's locations to"},
		},
		Requires: func(has func(string) bool) (message, hint string) {
			switch {
			case !has("domain"):
				return "names no project space", "add domain: with what stands behind /a/ in the address of your project"
			case !has("username") || !has("api_key") && !has("password"):
				return "cannot log in", "add username: with api_key: ${NAME}, or with password: ${NAME}"
			}
			return "", ""
		},
	}
}

// Sample decodes a sample into record bodies: one form or case, a list of them, or a reply of CommCare's API.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	for _, decode := range []func([]byte) (page, error){decodeForms, decodeCases} {
		if p, err := decode(text); err == nil {
			return p.bodies()[:min(len(p.items), limit)], nil
		}
	}
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	return bodies, nil
}

// Ping asks for the first form of a project space.
func (Kind) Ping(ctx context.Context, c sources.Connection, log *slog.Logger) error {
	return Ping(ctx, c, log)
}

// New makes the source of the rules that pull.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	list := sources.Valid(bound, func(b sources.Bound) Rule { return ruleOf(b.Rule, b.Trigger) })
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Rules: list, Connect: env.Connection, Log: env.Log}), nil
}

// ruleOf reads a trigger that has passed Check.
func ruleOf(rule string, t *rules.Trigger) Rule {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Connection = c.Text("connection")
	switch {
	case c.Has("forms") && c.Has("cases"):
		c.Wrong(c.Config.Key("cases"), "two-feeds", "the trigger pulls forms and cases",
			"keep one, and make another rule for the other")
	case c.Has("cases"):
		out.Cases = true
		out.readCases(c)
	case c.Has("forms"):
		out.readForms(c)
	default:
		c.Missing("forms or cases", "write forms: {xmlns: ...} or cases: {type: ...}")
	}
	most := maxForms
	if out.Cases {
		most = maxCases
	}
	out.Batch = c.WholeTo("batch", most)
	out.Every = c.Duration("every")
	out.Since, out.since = moment(c, "since")
	_, out.Until = moment(c, "until")
	if !out.Until.IsZero() && !out.Until.After(out.since) {
		c.Wrong(c.Config.Get("until"), "until", "until is not after since", "swap them")
	}
	return out
}

func (r *Rule) readForms(c settings.Reader) {
	if f, ok := c.Sub("forms"); ok {
		r.Only, r.App, r.Archived = f.Texts("xmlns"), f.Text("app_id"), f.Is("archived")
	}
}

func (r *Rule) readCases(c settings.Reader) {
	f, ok := c.Sub("cases")
	if !ok {
		return
	}
	r.Only, r.Owner = f.Texts("type"), f.Text("owner")
	if f.Has("closed") {
		r.Closed = strconv.FormatBool(f.Is("closed"))
	}
}

// moment reads a day or a time; without a zone it is UTC, as all times of CommCare HQ are.
func moment(c settings.Reader, key string) (string, time.Time) {
	text := c.Text(key)
	if text == "" {
		return "", time.Time{}
	}
	t, err := parseTime(text)
	if err != nil {
		c.Wrong(c.Config.Get(key), key, fmt.Sprintf("%s %q is no day", key, text),
			"write "+key+": 2026-01-01, or a time such as 2026-01-01T06:00:00Z")
		return "", time.Time{}
	}
	return text, t
}

// parseTime reads times as CommCare HQ and people write them.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("this is no time")
}
