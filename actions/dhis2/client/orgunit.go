package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// OrgUnit is an org unit as DHIS2 is to have it. What it does not name stays as it is.
type OrgUnit struct {
	UID    string // of one that is there; empty: found by its code
	Code   string
	New    string         // uid that a new one gets
	Parent string         // uid or code; empty: where it is
	Set    map[string]any // by the names of DHIS2; nil takes the value away
	Close  string         // the day on which it is closed, unless it is already
	Adopt  bool           // a sibling of that name without a code is the same org unit
	// ParentName is that of a parent which is not there yet, where the plan is to say what would be done once it is.
	ParentName string `json:",omitempty"` // so that digests stay what they were

	GroupSets map[string]string // the group that it belongs to of each set, by names or codes; empty: to none
	Groups    map[string]bool   // by names or codes: whether it belongs to them
	Programs  map[string]bool   // by uid: whether it is assigned
	DataSets  map[string]bool
	Names     map[string]string // of programs and data sets, for the report
}

// OrgUnitPlan is what has to be done for DHIS2 to have an org unit as asked for.
type OrgUnitPlan struct {
	UID     string
	Changes []string // in words; empty: nothing has to be done
	create  map[string]any
	patch   []patchStep
	members []member
}

// OrgUnitProblem is why an org unit cannot be as asked for; a person must act.
type OrgUnitProblem struct{ Code, Message, Hint string }

// Error is the message.
func (p *OrgUnitProblem) Error() string { return p.Message }

// Creates tells whether the org unit is a new one.
func (p *OrgUnitPlan) Creates() bool { return p.create != nil }

type patchStep struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// member is an org unit in what has a list of them.
type member struct {
	collection, id string
	in             bool
}

// heldOrgUnit is an org unit that DHIS2 has.
type heldOrgUnit struct {
	values   map[string]any
	id, path string
	parent   named
	groups   map[string]bool
	programs map[string]bool
	dataSets map[string]bool
	coming   bool // it is not there yet
}

// called is how changes name an org unit.
func (h *heldOrgUnit) called() string {
	if h.coming {
		return fmt.Sprintf("%q, which is new as well", h.values["name"])
	}
	return fmt.Sprintf("%q", h.values["name"])
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Code string `json:"code"`
	Path string `json:"path"`
}

// called tells whether somebody who writes ref means it.
func (n named) called(ref string) bool { return ref == n.ID || ref == n.Code || ref == n.Name }

const orgUnitsPath = "organisationUnits"

// orgUnitFields are asked for. What is not in them cannot be kept in step.
var orgUnitFields = []string{"id", "code", "name", "shortName", "openingDate", "closedDate", "geometry", "description",
	"comment", "url", "contactPerson", "address", "email", "phoneNumber", "path", "parent[id,name,path]",
	"organisationUnitGroups[id]", "programs[id]", "dataSets[id]"}

func orgUnitQuery(filters ...string) url.Values {
	return url.Values{"fields": {strings.Join(orgUnitFields, ",")}, "filter": filters, "paging": {"false"}}
}

// orgUnits reads those that pass all filters.
func (c *Client) orgUnits(ctx context.Context, filters ...string) ([]heldOrgUnit, error) {
	var answer struct {
		List []json.RawMessage `json:"organisationUnits"`
	}
	if err := c.Get(ctx, orgUnitsPath, orgUnitQuery(filters...), &answer); err != nil {
		return nil, err
	}
	list := make([]heldOrgUnit, 0, len(answer.List))
	for _, text := range answer.List {
		var o struct {
			ID, Path string
			Parent   named
			Groups   []named `json:"organisationUnitGroups"`
			Programs []named `json:"programs"`
			DataSets []named `json:"dataSets"`
		}
		h := heldOrgUnit{}
		if err := errors.Join(json.Unmarshal(text, &o), json.Unmarshal(text, &h.values)); err != nil {
			return nil, &Error{Kind: Refused,
				Problem: diag.Problem{Message: c.name + " tells of an org unit in a form that is not understood"},
				Err:     err}
		}
		h.id, h.path, h.parent = o.ID, o.Path, o.Parent
		h.groups, h.programs, h.dataSets = idsOf(o.Groups), idsOf(o.Programs), idsOf(o.DataSets)
		list = append(list, h)
	}
	return list, nil
}

func idsOf(list []named) map[string]bool {
	ids := make(map[string]bool, len(list))
	for _, n := range list {
		ids[n.ID] = true
	}
	return ids
}

// PlanOrgUnit reads what DHIS2 has of an org unit and says what has to change. The error wraps
// ErrAbsent when its parent is not there yet, and is an *OrgUnitProblem when a person must act.
func (c *Client) PlanOrgUnit(ctx context.Context, w OrgUnit) (*OrgUnitPlan, error) {
	held, err := c.findOrgUnit(ctx, w)
	if err != nil {
		return nil, err
	}
	var parent *heldOrgUnit
	if held == nil && w.Parent != "" && (w.Parent == w.Code || w.Parent == w.New) {
		return nil, &OrgUnitProblem{Code: "org-unit-cycle", Message: "it is its own parent",
			Hint: "correct the parent at the source"}
	}
	if w.Parent != "" {
		parent, err = c.parentOf(ctx, w.Parent)
		switch {
		case w.ParentName != "" && errors.Is(err, ErrAbsent):
			parent = &heldOrgUnit{id: w.Parent, values: map[string]any{"name": w.ParentName}, coming: true}
		case err != nil:
			return nil, err
		}
	}
	if held == nil && parent != nil && !parent.coming {
		if held, err = c.sibling(ctx, w, parent); err != nil {
			return nil, err
		}
	}
	d := &orgUnitDiff{wanted: w, held: held, parent: parent, plan: &OrgUnitPlan{UID: w.New}}
	if len(w.Groups)+len(w.GroupSets) > 0 {
		if err := d.groups(ctx, c); err != nil {
			return nil, err
		}
	}
	return d.compare()
}

func (c *Client) findOrgUnit(ctx context.Context, w OrgUnit) (*heldOrgUnit, error) {
	filter := "code:eq:" + w.Code
	if w.UID != "" {
		filter = "id:eq:" + w.UID
	}
	list, err := c.orgUnits(ctx, filter)
	switch {
	case err != nil:
		return nil, err
	case len(list) > 0:
		return &list[0], nil
	case w.UID != "":
		return nil, &OrgUnitProblem{Code: "org-unit-gone", Message: "DHIS2 has no org unit of this id that it shows to " +
			"Culvert's user", Hint: "correct the id at the source, or give the user the org unit above it"}
	}
	return nil, nil
}

func (c *Client) parentOf(ctx context.Context, ref string) (*heldOrgUnit, error) {
	for _, filter := range []string{"id:eq:" + ref, "code:eq:" + ref} {
		list, err := c.orgUnits(ctx, filter)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return &list[0], nil
		}
	}
	return nil, fmt.Errorf("the parent: %w", ErrAbsent)
}

// sibling finds an org unit that was made by hand before the registry gave codes.
func (c *Client) sibling(ctx context.Context, w OrgUnit, parent *heldOrgUnit) (*heldOrgUnit, error) {
	name, _ := w.Set["name"].(string)
	list, err := c.orgUnits(ctx, "parent.id:eq:"+parent.id, "name:ieq:"+name)
	if err != nil {
		return nil, err
	}
	for n := range list {
		if code, _ := list[n].values["code"].(string); code != "" {
			continue
		}
		if w.Adopt {
			return &list[n], nil
		}
		return nil, &OrgUnitProblem{Code: "org-unit-exists", Message: fmt.Sprintf(
			"%q has an org unit %q without a code already", parent.values["name"], name),
			Hint: "give it the code in DHIS2, or say adopt: true in the rule, which gives it the code"}
	}
	return nil, nil
}

// ApplyOrgUnit does what a plan says. It may be done again after it broke off. The error is an
// *Error, or wraps ErrAbsent when the parent is gone.
func (c *Client) ApplyOrgUnit(ctx context.Context, p *OrgUnitPlan) error {
	var err error
	switch {
	case p.create != nil:
		err = c.writeOrgUnit(ctx, http.MethodPost, orgUnitsPath, "application/json", p.create)
	case len(p.patch) > 0:
		err = c.writeOrgUnit(ctx, http.MethodPatch, orgUnitsPath+"/"+p.UID, "application/json-patch+json", p.patch)
	}
	for _, m := range p.members {
		if err != nil {
			return err
		}
		err = c.writeOrgUnit(ctx, m.method(), m.collection+"/"+m.id+"/"+orgUnitsPath+"/"+p.UID, "", nil)
	}
	return err
}

func (m member) method() string {
	if m.in {
		return http.MethodPost
	}
	return http.MethodDelete
}

func (c *Client) writeOrgUnit(ctx context.Context, method, path, form string, what any) error {
	if _, err := c.writable(ctx); err != nil {
		return err
	}
	r := request{method: method, path: path, form: form}
	if what != nil {
		var err error
		if r.body, err = json.Marshal(what); err != nil {
			return &Error{Kind: Refused, Problem: diag.Problem{Message: "the org unit cannot be put as JSON"}, Err: err}
		}
	}
	a, err := c.do(ctx, r)
	if err != nil || a.status/100 == 2 {
		return err
	}
	var answer struct {
		Response struct {
			Errors []struct {
				Code     string `json:"errorCode"`
				Message  string `json:"message"`
				Property string `json:"errorProperty"`
			} `json:"errorReports"`
		} `json:"response"`
	}
	if json.Unmarshal(a.body, &answer) != nil || len(answer.Response.Errors) == 0 {
		return c.refused(a, webMessageOf(a))
	}
	first := answer.Response.Errors[0]
	if first.Code == "E5002" && first.Property == "parent" {
		return fmt.Errorf("the parent: %w", ErrAbsent)
	}
	return &OrgUnitProblem{Code: "org-unit-refused",
		Message: "DHIS2 refuses it: " + first.Message + " (" + first.Code + ")",
		Hint:    "correct it at the source, or what it clashes with in DHIS2"}
}

// PlanOrgUnit notes that the org unit is read, and gives a plan for a server that holds nothing but the parent.
func (p *Preview) PlanOrgUnit(_ context.Context, w OrgUnit) (*OrgUnitPlan, error) {
	filter := "code:eq:" + w.Code
	if w.UID != "" {
		filter = "id:eq:" + w.UID
	}
	p.note(http.MethodGet, orgUnitsPath, orgUnitQuery(filter), nil)
	d := &orgUnitDiff{wanted: w, plan: &OrgUnitPlan{UID: w.New}}
	if w.UID != "" {
		d.held = &heldOrgUnit{id: w.UID, values: map[string]any{}}
	}
	if w.Parent != "" {
		d.parent = &heldOrgUnit{id: w.Parent, values: map[string]any{"name": w.Parent}}
	}
	return d.compare()
}

// ApplyOrgUnit notes the requests.
func (p *Preview) ApplyOrgUnit(_ context.Context, plan *OrgUnitPlan) error {
	var err error
	var body []byte
	switch {
	case plan.create != nil:
		body, err = json.Marshal(plan.create)
		p.note(http.MethodPost, orgUnitsPath, nil, body)
	case len(plan.patch) > 0:
		body, err = json.Marshal(plan.patch)
		p.note(http.MethodPatch, orgUnitsPath+"/"+plan.UID, nil, body)
	}
	for _, m := range plan.members {
		p.note(m.method(), m.collection+"/"+m.id+"/"+orgUnitsPath+"/"+plan.UID, nil, nil)
	}
	return err
}
