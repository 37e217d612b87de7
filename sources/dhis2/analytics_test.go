package dhis2

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

// refusal is an error to which the server gave a code.
type refusal string

func (r refusal) Error() string      { return "refused [" + string(r) + "]" }
func (r refusal) ServerCode() string { return string(r) }

// tables is a server with analytics, which answers up to most values at once.
type tables struct {
	version string
	types   string // the data output period types
	most    int
	each    int // values of one cell: its option combos
	fail    refusal
	empty   bool
	asked   []string
}

func (s *tables) Get(_ context.Context, _, path string, q url.Values) (json.RawMessage, error) {
	switch path {
	case "system/info":
		return json.Marshal(map[string]any{"version": s.version, "lastAnalyticsTableSuccess": "2026-03-01T10:00:00.000"})
	case "configuration/dataOutputPeriodTypes":
		return json.RawMessage(s.types), nil
	case "analytics/dataValueSet.json":
	default:
		return nil, fmt.Errorf("strange: %s", path)
	}
	s.asked = append(s.asked, strings.Join(q["dimension"], " "))
	if s.fail != "" {
		return nil, s.fail
	}
	parts := map[string][]string{}
	for _, d := range q["dimension"] {
		name, list, _ := strings.Cut(d, ":")
		parts[name] = strings.Split(list, ";")
	}
	units := parts["ou"]
	if strings.HasPrefix(units[0], "LEVEL-") {
		units = places[units[1]]
	}
	if len(units) == 0 {
		return nil, refusal(codeNoSuchUnit)
	}
	list := []any{}
	for _, dx := range parts["dx"] {
		for _, pe := range parts["pe"] {
			for _, ou := range units {
				for range max(s.each, 1) {
					list = append(list, map[string]any{"dataElement": dx, "period": pe, "orgUnit": ou, "value": "1"})
				}
			}
		}
	}
	if s.empty {
		list = []any{}
	}
	if s.most > 0 && len(list) > s.most {
		return nil, refusal(codeTooMany)
	}
	return json.Marshal(map[string]any{"dataValues": list})
}

// places are the facilities below the org units of the server.
var places = map[string][]string{"country0001": {"facility001", "facility002", "facility003"},
	"region00001": {"facility001", "facility002"}, "region00002": {"facility003"}, "facility001": {"facility001"},
	"facility002": {"facility002"}, "facility003": {"facility003"}}

// country is the metadata of the server.
type country struct{}

func (country) Find(collection, ref, _ string) (*sources.Thing, []string) {
	if collection == sources.OrgUnits {
		return &sources.Thing{ID: "country0001", Name: ref}, nil
	}
	return nil, []string{"Age"}
}

func (country) ByID(collection, id string) *sources.Thing {
	if collection == sources.DataElements && strings.HasPrefix(id, "element") ||
		collection == sources.OptionCombos && strings.HasPrefix(id, "combo") {
		return &sources.Thing{ID: id, Name: id}
	}
	return nil
}

func (country) Children(id string) []string {
	return map[string][]string{"country0001": {"region00001", "region00002", "region00003"},
		"region00001": {"facility001", "facility002"}, "region00002": {"facility003"},
		"facility001": {"ward0000001"}, "facility002": {"ward0000002"}, "facility003": {"ward0000003"}}[id]
}

func readTables(s *tables, change func(*Rule)) (*pull, *sourcetest.Sink) {
	sink := sourcetest.New()
	p := newPull(&server{}, sink, 10)
	p.source.c.Lists, p.source.c.Catalog = s, func(string) sources.Catalog { return country{} }
	p.rule.Program, p.rule.Read, p.rule.OrgUnit, p.rule.Level = "", readAnalytics, "Country", 4
	p.rule.Data, p.rule.Periods = []string{"element0001", "element0002"}, []string{"202601", "202602"}
	change(p.rule)
	return p, sink
}

// TestAnalyticsInParts asks for less at once where a server answers no more, and misses nothing.
func TestAnalyticsInParts(t *testing.T) {
	s := &tables{version: "2.42.4.1", most: 2}
	p, sink := readTables(s, func(*Rule) {})
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(sink.Records()); n != 12 {
		t.Errorf("%d of 12 values came", n)
	}
	before := len(s.asked)
	if err := p.once(t.Context()); err != nil || len(s.asked) != before {
		t.Errorf("tables that were not made anew are read again: %v", err)
	}
	// Below a facility lie wards, but none of them at the level that is asked for.
	s.most, s.each = 1, 2
	p, sink = readTables(s, func(r *Rule) { r.Periods = []string{"202603"} })
	if err := p.once(t.Context()); err == nil || !strings.Contains(err.Error(), "fewer periods") || len(sink.Records()) > 0 {
		t.Errorf("what cannot be parted any more: %v", err)
	}
}

// TestAnalyticsRequests asks for operands of each combo apart, and for combos of data elements alone.
func TestAnalyticsRequests(t *testing.T) {
	s := &tables{version: "2.42.4.1"}
	p, _ := readTables(s, func(r *Rule) {
		r.Data = []string{"element0001", "indicator01", "element0001.combo000001", "element0002.combo000002",
			"element0002.combo000001", "dataset0001.REPORTING_RATE"}
		r.Periods, r.Level, r.Combos, r.Partners = []string{"LAST_12_MONTHS"}, 0, true, true
	})
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	where := " pe:LAST_12_MONTHS ou:country0001"
	want := []string{"dx:element0001" + where + " co ao", "dx:indicator01;dataset0001.REPORTING_RATE" + where,
		"dx:element0001.combo000001;element0002.combo000001" + where + " co ao",
		"dx:element0002.combo000002" + where + " co ao"}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Error(diff)
	}
}

// TestAnalyticsSayWhy tells why nothing comes.
func TestAnalyticsSayWhy(t *testing.T) {
	monthly := func(r *Rule) { r.Periods = []string{"202601", "LAST_12_MONTHS"} }
	for name, c := range map[string]struct {
		s    tables
		want string
	}{
		"tables that were never made":       {tables{version: "2.42.4.1", fail: codeNoTables}, "generate them"},
		"an org unit of others":             {tables{version: "2.42.4.1", fail: "E7120"}, "data view org units"},
		"a level that is not there":         {tables{version: "2.42.4.1", fail: codeNoSuchUnit}, "correct level"},
		"what is not known":                 {tables{version: "2.42.4.1", fail: "E9999"}, "E9999"},
		"a new server":                      {tables{version: "2.43.1", empty: true, types: `[]`}, "no Monthly periods"},
		"a server that was told of others":  {tables{version: "2.43.1", empty: true, types: `[{"name": "Weekly"}]`}, "Monthly"},
		"a server that has no data":         {tables{version: "2.43.1", empty: true, types: `[{"name": "Monthly"}]`}, ""},
		"an older server that has no data":  {tables{version: "2.42.4.1", empty: true}, ""},
		"an answer that is no list of them": {tables{version: "2.43.1", empty: true, types: `{}`}, "no list"},
	} {
		p, _ := readTables(&c.s, monthly)
		err := p.once(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, not %s", name, err, c.want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for period, want := range map[string]string{"20260301": "Daily", "2026W9": "Weekly", "2026SunW10": "WeeklySunday",
		"2026BiW3": "BiWeekly", "202603": "Monthly", "202602B": "BiMonthly", "2026Q1": "Quarterly", "2026NovQ1": "QuarterlyNov",
		"2026S2": "SixMonthly", "2026AprilS1": "SixMonthlyApril", "2026": "Yearly", "2026July": "FinancialJuly",
		"LAST_12_MONTHS": "Monthly", "LAST_6_BIMONTHS": "BiMonthly", "LAST_2_SIXMONTHS": "SixMonthly", "THIS_SIX_MONTH": "SixMonthly",
		"MONTHS_THIS_YEAR": "Monthly", "QUARTERS_LAST_YEAR": "Quarterly", "LAST_4_BIWEEKS": "BiWeekly", "LAST_52_WEEKS": "Weekly",
		"THIS_YEAR": "Yearly", "LAST_5_FINANCIAL_YEARS": "", "TODAY": "Daily", "YESTERDAY": "Daily", "last_12_months": "",
		"2026-03": ""} {
		if got := kindOf(period); got != want {
			t.Errorf("%s is %q, not %q", period, got, want)
		}
	}
}

// TestDataItems refuses what DHIS2 passes over in silence.
func TestDataItems(t *testing.T) {
	for text, want := range map[string]string{"element0001.combo000001": "", "element0001.combo000001.combo000002": "",
		"element0001.unknown0001": "category option combo", "element0001.*": "totals", "element0001.combo000001.*": "totals",
		"dataset0001.REPORTING_RATE": "", "program0001.element0001": "", "element0001": ""} {
		p := dataProblem(text, country{})
		if p == nil {
			p = &diag.Problem{}
		}
		if (p.Message == "") != (want == "") || !strings.Contains(p.Message, want) {
			t.Errorf("%s: %q, not %q", text, p.Message, want)
		}
	}
}

// TestWhatIsReadStays keeps the place of rules that were there before combos could be asked for.
func TestWhatIsReadStays(t *testing.T) {
	r := &Rule{Server: "national", Read: readAnalytics, Periods: []string{"202601"}}
	plain := r.what(&named{})
	r.Combos = true
	if strings.HasSuffix(plain, "false") || plain == r.what(&named{}) || !slices.Contains(strings.Fields(plain), "202601") {
		t.Errorf("%s, %s", plain, r.what(&named{}))
	}
}
