package commcare

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/settings"
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
	example      = "commcare: {connection: hq, forms: {xmlns: http://openrosa.org/formdesigner/...}}"
	defaultEvery = 10 * time.Minute
	defaultBatch = 100
	maxForms     = 1000 // of one page: CommCare HQ's own limits
	maxCases     = 5000
)

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Connections gives where a trigger names its connection, and of which kind that must be.
func (Kind) Connections(t *rules.Trigger) ([]*yamlnode.Node, string) {
	return []*yamlnode.Node{t.Config.Get("connection")}, "commcare"
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

// Pulled gives a rule's pull from its trigger, which has passed Check.
func Pulled(rule string, t *rules.Trigger) Rule {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	return r
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := settings.Of(t, example, report)
	if !ok {
		return out
	}
	c.Known("connection", "forms", "cases", "since", "until", "every", "batch")
	out.Connection = c.Required("connection", "name one of connections: in culvert.yaml")
	switch {
	case c.Has("forms") && c.Has("cases"):
		c.Wrong(c.Config.Key("cases"), "two-feeds", "the trigger pulls forms and cases", "keep one, and make another rule for the other")
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
	out.Batch = c.Whole("batch", defaultBatch, 1, most)
	out.Every = c.Duration("every", defaultEvery, 10*time.Second, 31*24*time.Hour)
	out.Since, out.since = moment(c, "since")
	_, out.Until = moment(c, "until")
	if !out.Until.IsZero() && !out.Until.After(out.since) {
		c.Wrong(c.Config.Get("until"), "until", "until is not after since", "swap them")
	}
	return out
}

func (r *Rule) readForms(c settings.Reader) {
	f, ok := c.Sub("forms")
	if !ok {
		return
	}
	f.Known("xmlns", "app_id", "archived")
	r.Only, r.App = f.Texts("xmlns"), f.Text("app_id")
	r.Archived = f.OneOf("archived", "false", "true") == "true"
}

func (r *Rule) readCases(c settings.Reader) {
	f, ok := c.Sub("cases")
	if !ok {
		return
	}
	f.Known("type", "owner", "closed")
	r.Only, r.Owner = f.Texts("type"), f.Text("owner")
	if f.Has("closed") {
		r.Closed = f.OneOf("closed", "false", "true")
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
		c.Wrong(c.Config.Get(key), key, fmt.Sprintf("%s %q is no day", key, text), "write "+key+": 2026-01-01, or a time such as 2026-01-01T06:00:00Z")
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
