package dhis2

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that reads a DHIS2 server.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "dhis2" }

// What a rule may read.
const (
	readEvents    = "events"
	readPeople    = "tracked_entities"
	readValues    = "data_values"
	readAnalytics = "analytics"
)

// Rule is what one rule reads.
type Rule struct {
	Rule      string
	Server    string
	Read      string
	Program   string // as the rule names it, as all that follow
	Stage     string
	DataSet   string
	Data      []string // of analytics
	Periods   []string // of analytics
	OrgUnit   string
	Level     int  // of analytics: org units at this level below OrgUnit
	Combos    bool // of analytics: not the totals of data elements over category option combos
	Partners  bool // of analytics: nor over attribute option combos
	Here      bool // not what lies below OrgUnit
	Since     time.Time
	From      time.Time // of data values: their periods
	Every     time.Duration
	Deletions bool
	Batch     int
}

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	return settings.Spec{
		Name: "dhis2", Doc: "Records are what a DHIS2 server of culvert.yaml holds, read as it changes: events, tracked " +
			"entities with their enrollments, the values of a data set, or analytics.",
		Example: "dhis2: {server: national, read: events, program: Malaria case notification}",
		Fields: []settings.Field{
			{Name: "server", LeftOut: "the rule's own",
				Doc: "one of `servers:` in culvert.yaml, whose address, credentials and limits are used"},
			{Name: "read", Type: settings.Word, Words: []string{readEvents, readPeople, readValues, readAnalytics},
				Default: readEvents, Doc: "what is read"},
			{Name: "program", Ref: "name", LeftOut: "needed there",
				Doc: "of events and tracked entities: the program, by name, code or uid"},
			{Name: "stage", Ref: "name", LeftOut: "all stages", Doc: "of events: only those of this stage"},
			{Name: "data_set", Ref: "name", LeftOut: "needed there", Doc: "of data values: the data set"},
			{Name: "data", Type: settings.Texts, LeftOut: "needed there",
				Doc: "of analytics: data elements by name, code or uid; by uid also indicators, program indicators, " +
					"`element.combo` for one category option combo, `program.element`, and `data_set.REPORTING_RATE`"},
			{Name: "periods", Type: settings.Texts, LeftOut: "needed there",
				Doc: "of analytics: periods such as 202601, or relative ones such as LAST_12_MONTHS"},
			{Name: "org_unit", Ref: "name", LeftOut: "all that the account may see",
				Doc: "only what belongs to this org unit and to those below it"},
			{Name: "level", Type: settings.Whole, Min: 1, Max: 20, LeftOut: "that org unit alone",
				Doc: "of analytics: for each org unit at this level below `org_unit`, 1 being the top"},
			{Name: "category_option_combos", Type: settings.Switch,
				Doc: "of analytics: a value for each category option combo of a data element, in place of their total"},
			{Name: "attribute_option_combos", Type: settings.Switch,
				Doc: "of analytics: a value for each attribute option combo, in place of their total"},
			{Name: "only_here", Type: settings.Switch, Doc: "without what lies below `org_unit`"},
			{Name: "since", LeftOut: "the beginning", Doc: "only what changed since then: a day, or a time in UTC"},
			{Name: "from", LeftOut: "2000-01-01", Doc: "of data values: only periods from this day on"},
			{Name: "every", Type: settings.Duration, Default: "10m", Least: 10 * time.Second, Most: 31 * 24 * time.Hour,
				Doc: "how often the server is asked"},
			{Name: "deletions", Type: settings.Switch,
				Doc: "what was deleted comes as a record with `source.deleted`, for `dhis2.delete`; not of analytics"},
			{Name: "batch", Type: settings.Whole, Default: "500", Min: 1, Max: 5000, Doc: "objects of one page"},
		},
	}
}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) {
	r := read(t, report)
	c, ok := t.Read(Kind{}.Settings(), func(diag.Diagnostic) {})
	if !ok {
		return
	}
	for _, need := range needs[r.Read] {
		if !c.Has(need) {
			c.Missing(need, "add "+need+": to the trigger, which reads "+r.Read)
		}
	}
	for _, key := range []string{"program", "stage", "data_set", "data", "periods", "level", "category_option_combos",
		"attribute_option_combos", "from"} {
		if n := c.Node(key); n != nil && !slices.Contains(takes[r.Read], key) {
			report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-key", Place: t.Config.Key(key).Place(),
				Message: fmt.Sprintf("%q does not go together with read: %s", key, r.Read),
				Hint:    "remove it, or read something else"}})
		}
	}
}

// needs and takes say which keys go with what is read.
var (
	needs = map[string][]string{readEvents: {"program"}, readPeople: {"program"}, readValues: {"data_set", "org_unit"},
		readAnalytics: {"data", "periods", "org_unit"}}
	takes = map[string][]string{
		readEvents:    {"program", "stage"},
		readPeople:    {"program"},
		readValues:    {"data_set", "from"},
		readAnalytics: {"data", "periods", "level", "category_option_combos", "attribute_option_combos"},
	}
)

// Sample decodes a sample into record bodies: one record, or a list of them.
func (Kind) Sample(_ *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	bodies, err := tree.Records(text, limit)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	return bodies, nil
}

// New makes the source of the rules that read.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	list := sources.Valid(bound, func(b sources.Bound) Rule {
		r := read(b.Trigger, func(diag.Diagnostic) {})
		r.Rule, r.Server = b.Rule, Kind{}.ServerOf(b.Trigger, b.Server)
		return r
	})
	if len(list) == 0 {
		return nil, nil
	}
	return New(Config{Rules: list, Lists: env.Lists, Catalog: env.Catalog, Log: env.Log}), nil
}

// ServerOf gives the server that a trigger reads.
func (Kind) ServerOf(t *rules.Trigger, home string) string {
	if n := t.Config.Get("server"); n != nil && n.Value != "" {
		return n.Value
	}
	return home
}

func read(t *rules.Trigger, report func(diag.Diagnostic)) Rule {
	var out Rule
	c, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return out
	}
	out.Read, out.Program, out.Stage, out.DataSet = c.Word("read"), c.Text("program"), c.Text("stage"), c.Text("data_set")
	out.Data, out.Periods, out.OrgUnit = c.Texts("data"), c.Texts("periods"), c.Text("org_unit")
	out.Level, out.Here, out.Since, out.From = c.Whole("level"), c.Is("only_here"), c.Time("since"), c.Time("from")
	out.Combos, out.Partners = c.Is("category_option_combos"), c.Is("attribute_option_combos")
	out.Every, out.Deletions, out.Batch = c.Duration("every"), c.Is("deletions"), c.Whole("batch")
	return out
}
