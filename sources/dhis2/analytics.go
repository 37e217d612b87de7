package dhis2

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
)

// mostItems bounds the data items of one request, whose address servers take up to 8 kB long.
const mostItems = 100

// What DHIS2 says of analytics (dhis2-core, ErrorCode).
const (
	codeTooMany    = "E7128" // more than keyAnalyticsMaxLimit values, 50,000 as it comes
	codeNoTables   = "E7144"
	codeNoSuchUnit = "E7143" // also where nothing lies at the level
)

// outputTypes is the version from which a server holds analytics for those period types alone that it was told to;
// one that was newly installed was told of none. What it does not hold it answers with no values, and no error.
const outputTypes = 43

// analytics reads aggregated values anew once the server has made its analytics tables anew.
func (p *pull) analytics(ctx context.Context, m *maker, n *named, about info, s state) error {
	at := cmp.Or(about.analytics, "never") + " " + day(p.source.c.Now())
	if s.At == at {
		return nil
	}
	came := 0
	for _, a := range p.queries(n, m.catalog) {
		part, err := p.aggregates(ctx, m, a, s)
		if err != nil {
			return err
		}
		came += part
	}
	if came == 0 && about.minor >= outputTypes {
		if err := p.held(ctx); err != nil {
			return err
		}
	}
	return p.place(ctx, s, at)
}

// day makes analytics be read at least once a day: relative periods move on.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// query is one request for analytics.
type query struct {
	data, periods []string
	unit          string
	elements      bool // all are data elements: the others have no option combos
	part          bool // of a larger one: nothing needs to lie below the org unit
}

// queries are the requests for what a rule reads. Operands of several category option combos are asked for apart:
// DHIS2 crosses the data elements of a request with all their combos, and fails where that gives it one that
// was not asked for.
func (p *pull) queries(n *named, c sources.Catalog) []query {
	groups := map[string][]string{}
	var order []string
	for _, item := range n.data {
		element, combo, _ := strings.Cut(item, ".")
		key := "" // indicators and the like
		if c.ByID(sources.DataElements, element) != nil {
			key = "." + combo
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], item)
	}
	var list []query
	for _, key := range order {
		for data := range slices.Chunk(groups[key], mostItems) {
			list = append(list, query{data: data, periods: p.rule.Periods, unit: n.orgUnit, elements: key != ""})
		}
	}
	return list
}

// aggregates hands over what a request gives, and tells how many values that were. One that gives more than the
// server answers at once is asked for in parts.
func (p *pull) aggregates(ctx context.Context, m *maker, a query, s state) (int, error) {
	items, err := p.values(ctx, m, "analytics/dataValueSet.json", p.parameters(&a))
	switch code := serverCode(err); {
	case code == codeTooMany:
		parts := p.halves(a, m.catalog)
		if len(parts) == 0 {
			return 0, refused(err, fewer)
		}
		came := 0
		for _, part := range parts {
			n, err := p.aggregates(ctx, m, part, s)
			if err != nil {
				return 0, err
			}
			came += n
		}
		if came == 0 { // the org unit lies at the level itself: what is below it there has nothing of the many values
			return 0, refused(err, fewer)
		}
		return came, nil
	case code == codeNoSuchUnit && a.part:
		return 0, nil
	case err != nil:
		return 0, refused(err, analyticsHints[code])
	}
	return len(items), p.handOver(ctx, items, s, nil)
}

// fewer is what to do about a request that cannot be parted any more.
const fewer = "ask for fewer periods, or for a level further up"

func (p *pull) parameters(a *query) url.Values {
	ou := a.unit
	if p.rule.Level > 0 {
		ou = "LEVEL-" + strconv.Itoa(p.rule.Level) + ";" + ou
	}
	q := url.Values{"dimension": {"dx:" + strings.Join(a.data, ";"), "pe:" + strings.Join(a.periods, ";"), "ou:" + ou}}
	if a.elements && p.rule.Combos {
		q.Add("dimension", "co")
	}
	if a.elements && p.rule.Partners {
		q.Add("dimension", "ao")
	}
	return q
}

// halves parts a request: by data, by periods, by what lies right below its org unit.
func (p *pull) halves(a query, c sources.Catalog) []query {
	first, second := a, a
	switch {
	case len(a.data) > 1:
		first.data, second.data = a.data[:len(a.data)/2], a.data[len(a.data)/2:]
	case len(a.periods) > 1:
		first.periods, second.periods = a.periods[:len(a.periods)/2], a.periods[len(a.periods)/2:]
	case p.rule.Level > 0:
		var list []query
		for _, child := range c.Children(a.unit) {
			b := a
			b.unit, b.part = child, true
			list = append(list, b)
		}
		return list
	default:
		return nil
	}
	return []query{first, second}
}

// analyticsHints say what to do about what DHIS2 refuses.
var analyticsHints = map[string]string{
	codeNoTables: "its analytics tables were never made: have an administrator generate them (Data Administration), or " +
		"use dhis2.analytics",
	codeNoSuchUnit: "no org unit lies at that level below org_unit: correct level",
	"E7120":        "give the account this org unit, or one above it, among its data view org units",
	"E7121":        "give the account the right to read the data of all that data: names",
	"E7124":        "none of what data: names is on that server any more: run `culvert sync`, then `culvert validate`",
	"E7611":        "correct periods: write one such as 202601, 2026Q1 or LAST_12_MONTHS",
}

// refused tells what to do about a refusal, where that is known.
func refused(err error, hint string) error {
	code := serverCode(err)
	if code == "" || hint == "" {
		return err
	}
	return &httpget.Error{Problem: diag.Problem{Code: code, Hint: hint,
		Message: "the server refuses the request for analytics [" + code + "]"}}
}

func serverCode(err error) string {
	var coded interface{ ServerCode() string }
	if errors.As(err, &coded) {
		return coded.ServerCode()
	}
	return ""
}

// held finds out whether a server without a value for a rule holds analytics for its periods at all.
func (p *pull) held(ctx context.Context) error {
	text, err := p.source.c.Lists.Get(ctx, p.rule.Server, "configuration/dataOutputPeriodTypes", nil)
	if err != nil {
		return fmt.Errorf("ask which period types the server's analytics hold: %w", err)
	}
	var types []struct{ Name string }
	if err := json.Unmarshal(text, &types); err != nil {
		return strange("list of period types")
	}
	for _, period := range p.rule.Periods {
		kind := kindOf(period)
		if kind == "" && len(types) == 0 {
			kind = "such"
		}
		if kind == "" || slices.ContainsFunc(types, func(t struct{ Name string }) bool { return t.Name == kind }) {
			continue
		}
		return &httpget.Error{Problem: diag.Problem{
			Message: fmt.Sprintf("the server's analytics hold no %s periods, as for %s: it was not told to", kind, period),
			Hint: "have an administrator add that period type to the data output period types (System Settings; " +
				"/api/configuration/dataOutputPeriodTypes), and generate the analytics tables anew"}}
	}
	return nil
}
