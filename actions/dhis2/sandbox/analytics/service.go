package analytics

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

type object = map[string]any

// Service answers what is below /api/analytics, and makes the tables that it reads.
type Service struct {
	*rest.Env
	mu          sync.RWMutex
	made        bool
	table       []row
	outputTypes []string // the period types that the tables hold; from 2.43 on an administrator chooses
}

// row is one data value as the tables hold it.
type row struct {
	element, unit, combo, partner, value string
	period                               period.Period
}

func New(e *rest.Env) *Service {
	return &Service{Env: e, outputTypes: slices.Clone(periodTypes)}
}

// periodTypes are those of DHIS2 but TwoYearly, in the order of its own list.
var periodTypes = strings.Fields(`Daily Weekly WeeklyWednesday WeeklyThursday WeeklyFriday WeeklySaturday WeeklySunday
BiWeekly Monthly BiMonthly Quarterly QuarterlyNov SixMonthly SixMonthlyApril SixMonthlyNov Yearly FinancialFeb
FinancialApril FinancialJuly FinancialAug FinancialSep FinancialOct FinancialNov`)

// Make makes the tables of the data values that there are now.
func (s *Service) Make() {
	s.Store.Lock()
	var table []row
	for _, v := range s.Store.Values {
		p, ok := period.Parse(v.Period)
		if v.Deleted || !ok || v.Value == "" || s.idleZero(v) {
			continue
		}
		table = append(table, row{v.Element, v.OrgUnit, v.Combo, v.AttributeCombo, v.Value, p})
	}
	s.Store.Unlock()
	slices.SortFunc(table, func(a, b row) int {
		return strings.Compare(a.element+a.period.ISO+a.unit+a.combo+a.partner,
			b.element+b.period.ISO+b.unit+b.combo+b.partner)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made, s.table = true, table
}

// idleZero: a zero counts only where the data element says that it does.
func (s *Service) idleZero(v *store.DataValue) bool {
	de := s.Catalog.DataElements[v.Element]
	if de == nil || de.ZeroIsSignificant || de.Aggregation != "SUM" {
		return false
	}
	f, err := strconv.ParseFloat(v.Value, 64)
	return err == nil && f == 0
}

// Serve answers /api/analytics and /api/analytics/dataValueSet.
func (s *Service) Serve(c *rest.Call) {
	switch {
	case !c.Method(http.MethodGet):
	case len(c.Path) == 1:
		s.answer(c, false)
	case len(c.Path) == 2 && c.At(1) == "dataValueSet":
		s.answer(c, true)
	default:
		c.Fail(http.StatusConflict, "", "The sandbox has of analytics the table and dataValueSet.json alone")
	}
}

func (s *Service) answer(c *rest.Call, asSet bool) {
	q, p := s.query(c, asSet)
	var cells []cell
	if p == nil {
		cells, p = s.compute(q)
	}
	if p == nil && asSet && slices.ContainsFunc(cells, func(x cell) bool { return !q.asked(x) }) {
		p = rest.Refuse(http.StatusBadRequest, "", "Dimensional item cannot be null")
	}
	if p != nil {
		c.Refused(p)
		return
	}
	if asSet {
		c.JSON(http.StatusOK, s.valueSet(q, cells))
		return
	}
	c.JSON(http.StatusOK, s.grid(q, cells))
}

// noTables is what DHIS2 says before its tables were ever made.
func noTables() *rest.Problem {
	return rest.Conflicting("E7144", "Query failed because a referenced table does not exist. Please ensure analytics "+
		"job was run (SqlState: 42P01)")
}

// valueSet is the form in which another server takes the cells.
func (s *Service) valueSet(q *query, cells []cell) object {
	day := s.Now().UTC().Format(time.DateOnly)
	list := []any{}
	for _, x := range cells {
		it := q.items[x.element]
		v := object{"dataElement": q.nameOf(x.element, it != nil && !it.operand), "period": q.periodName(x.period),
			"orgUnit": q.unitName(x.unit), "value": x.value, "created": day, "lastUpdated": day, "comment": "[aggregated]",
			"followup": false}
		switch {
		case x.combo == anyCombo && x.partner == "":
			v["dataElement"] = "null"
		case x.combo != "":
			v["categoryOptionCombo"] = q.nameOf(x.combo, false)
		}
		if q.partners {
			v["attributeOptionCombo"] = q.nameOf(x.partner, false)
		}
		list = append(list, v)
	}
	return object{"dataValues": list}
}

// OutputTypes answers /api/configuration/dataOutputPeriodTypes.
func (s *Service) OutputTypes(c *rest.Call) {
	if !c.Method(http.MethodGet, http.MethodPost) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.R.Method == http.MethodGet {
		list := []any{}
		for _, name := range s.outputTypes {
			list = append(list, object{"name": name, "displayName": name})
		}
		c.JSON(http.StatusOK, list)
		return
	}
	if !c.Authorised("F_SYSTEM_SETTING") {
		return
	}
	body, p := c.ReadBody()
	var types []struct{ Name string }
	if p == nil && json.Unmarshal(body, &types) != nil {
		p = rest.Refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	if p != nil {
		c.Refused(p)
		return
	}
	s.outputTypes = []string{"Yearly"} // always, as DHIS2 parts its tables by years
	for _, t := range types {
		if slices.Contains(periodTypes, t.Name) && !slices.Contains(s.outputTypes, t.Name) {
			s.outputTypes = append(s.outputTypes, t.Name)
		}
	}
	c.W.WriteHeader(http.StatusNoContent)
}

// holds tells whether the tables hold periods of a type.
func (s *Service) holds(kind string) bool {
	return s.Version < 43 || slices.Contains(s.outputTypes, kind)
}

// mayView tells whether a user may read the data of an org unit: without data view org units of their own, where they
// capture.
func mayView(u *catalog.User, o *catalog.OrgUnit) bool {
	roots := u.View
	if len(roots) == 0 {
		roots = u.Capture
	}
	return u.Super || len(roots) == 0 || o.Descends(roots)
}

func (q *query) periodName(p period.Period) string {
	if q.schemes.all == "NAME" {
		return nameOfPeriod(p)
	}
	return p.ISO
}

// nameOfPeriod is what DHIS2 calls a month or a year; other periods by their codes.
func nameOfPeriod(p period.Period) string {
	switch p.Kind {
	case "Monthly":
		return p.Start.Format("January 2006")
	case "Quarterly":
		return fmt.Sprintf("%s - %s", p.Start.Format("January"), p.End.Format("January 2006"))
	case "Daily":
		return p.Start.Format(time.DateOnly)
	}
	return p.ISO
}
