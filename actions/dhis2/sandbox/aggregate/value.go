package aggregate

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// dataValue answers /api/dataValues, the resource of one value.
func (c *call) dataValue() {
	if c.At(1) == "followup" || c.At(1) == "followups" {
		c.followUps()
		return
	}
	if !c.Method(http.MethodGet, http.MethodPost, http.MethodDelete) {
		return
	}
	if c.R.Method != http.MethodGet && !c.Authorised("F_DATAVALUE_ADD") {
		return
	}
	in, p := c.oneValue()
	if p != nil {
		c.Refused(p)
		return
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	switch c.R.Method {
	case http.MethodPost:
		p = c.writeValue(in)
	case http.MethodDelete:
		p = c.removeValue(in)
	default:
		c.readValue(in)
		return
	}
	if p == nil {
		if err := st.Flush(); err != nil {
			p = rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
		}
	}
	if p != nil {
		c.W.Header().Set("Cache-Control", "no-cache, private")
		c.Refused(p)
		return
	}
	if c.R.Method == http.MethodPost {
		c.W.WriteHeader(http.StatusCreated)
	} else {
		c.W.WriteHeader(http.StatusNoContent)
	}
}

// followUps answers PUT /api/dataValues/followup, which marks one value, and
// /api/dataValues/followups, which marks several.
func (c *call) followUps() {
	if !c.Method(http.MethodPut) || !c.Authorised("F_DATAVALUE_ADD") {
		return
	}
	root, p := c.JSONBody()
	if p != nil {
		c.Refused(p)
		return
	}
	d := rest.Decoder{Version: c.Version}
	items := []*jsontree.Node{root}
	if c.At(1) == "followups" {
		items = d.List(root, "values")
	}
	st := c.Store
	st.Lock()
	defer st.Unlock()
	var marked []*store.DataValue
	for _, it := range items {
		in := datumIn{element: d.Text(it, "dataElement"), period: d.Text(it, "period"), orgUnit: d.Text(it, "orgUnit"),
			combo:          d.Text(it, "categoryOptionCombo"),
			attributeCombo: d.Text(it, "attributeOptionCombo")}
		old := st.Values[in.key()]
		switch {
		case it.Get("followup") == nil:
			p = rest.Conflicting("E2033", "Follow-up must be specified")
		case old == nil || old.Deleted:
			p = rest.Conflicting("E2032", "Data value does not exist")
		default:
			n, mark := *old, d.Flag(it, "followup")
			n.FollowUp, n.Updated = &mark, c.Now().UTC()
			marked = append(marked, &n)
			continue
		}
		c.Refused(p)
		return
	}
	if d.Err != nil {
		c.Fail(http.StatusBadRequest, "", "JSON parse error: "+d.Err.Error())
		return
	}
	for _, n := range marked {
		st.PutValue(n)
	}
	if err := st.Flush(); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.W.WriteHeader(http.StatusOK)
}

// dimension checks what a value is about, up to 2.42 with codes of its own.
func (c *call) dimension(in datumIn) *rest.Problem {
	cat := c.Catalog
	_, ok := period.Parse(in.period)
	unit := cat.OrgUnits[in.orgUnit]
	switch {
	case cat.DataElements[in.element] == nil:
		return rest.Conflicting("E1100", "Data element not found or not accessible: `%s`", orNull(in.element))
	case in.combo != "" && cat.OptionCombos[in.combo] == nil:
		return rest.Conflicting("E1103", "Category option combo not found or not accessible: `%s`", in.combo)
	case in.attributeProblem != nil:
		return in.attributeProblem
	case !ok:
		return rest.Conflicting("E1101", "Period is invalid: `%s`", orNull(in.period))
	case unit == nil:
		return rest.Conflicting("E1102", "Organisation unit not found or not accessible: `%s`", orNull(in.orgUnit))
	case !c.User.Captures(unit):
		return rest.Conflicting("E2020", "Organisation unit is not in the hierarchy of the current user: `%s`", unit.UID)
	}
	return nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// badPeriod is what 2.43 and later say of a period of one value.
func badPeriod(text string) *rest.Problem {
	return rest.Refuse(http.StatusBadRequest, "", "Invalid Period `%s`, failed to create date interval", text)
}

// decodable checks what a value is about as 2.43 and later do it before they read one.
func (c *call) decodable(in datumIn) *rest.Problem {
	if in.attributeProblem != nil {
		return in.attributeProblem
	}
	e := &dataEntry{srv: c.srv, c: c.Catalog, st: c.Store, user: c.User, o: &dataOptions{schemes: map[string]string{}},
		now: c.Now().UTC()}
	_, _, ge, err := e.decode(&valueSet{values: []datumIn{in}})
	switch {
	case err != nil:
		return badPeriod(in.period)
	case ge != nil:
		return rest.Refuse(http.StatusBadRequest, ge.code, "%s", ge.text())
	}
	return nil
}

func (c *call) readValue(in datumIn) {
	var p *rest.Problem
	if c.Version.DataEntry() {
		p = c.decodable(in)
	} else {
		p = c.dimension(in)
	}
	v := c.Store.Values[in.key()]
	if p == nil && (v == nil || v.Deleted) {
		p = rest.Conflicting("", "Data value does not exist")
	}
	if p != nil {
		c.Refused(p)
		return
	}
	c.W.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	c.JSON(http.StatusOK, []string{v.Value})
}
