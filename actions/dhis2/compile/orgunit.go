package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// assignment says which org units may hold an action's data.
type assignment struct {
	has      func(orgUnit string) bool // nil: every org unit
	what     string                    // the program "Antenatal care"
	anywhere bool                      // also outside of what the user may capture
	// data from before the opening date is refused: 2.43 refuses data values, the tracker takes any
	open bool
}

func (w *env) programUnits(p *metadata.Program) assignment {
	return assignment{has: func(ou string) bool { return w.x.ProgramHasOrgUnit(p.ID, ou) },
		what: fmt.Sprintf("the program %q", p.Name)}
}

func (w *env) dataSetUnits(d *metadata.DataSet) assignment {
	return assignment{has: func(ou string) bool { return w.x.DataSetHasOrgUnit(d.ID, ou) },
		what: fmt.Sprintf("the data set %q", d.Name), open: true}
}

// orgUnitField is the org unit of an action: a lookup, a value of the record, or a fixed one.
type orgUnitField struct {
	*rules.Field
	w     *env
	to    assignment
	fixed *metadata.OrgUnit
}

// orgUnitUID finds an org unit for value conversions.
func (w *env) orgUnitUID(ref string) (uid, problem string) {
	o, ambiguous, _ := w.x.OrgUnit(ref)
	switch {
	case o != nil:
		return o.ID, ""
	case len(ambiguous) > 0:
		return "", "several org units"
	}
	return "", "no org unit"
}

// orgUnit compiles the key org_unit and checks a fixed one.
func (c *compiler) orgUnit(required bool, to assignment) *orgUnitField {
	n := c.node("org_unit")
	if n == nil {
		if required {
			c.missing("org_unit", "name a lookup in organisationUnits, or a fixed one: {value: name, code or uid}")
		}
		return nil
	}
	f := c.fieldOf("org_unit", n)
	if f == nil {
		return nil
	}
	field := &orgUnitField{Field: f, w: c.env, to: to}
	if f.From != nil {
		c.unitsOfServer(f, n)
		return field
	}
	place := literalPlace(n)
	ref, _ := f.Literal()
	o, ambiguous, suggestions := c.x.OrgUnit(ref)
	if o == nil {
		hint := "did you mean " + diag.Names(suggestions[:min(5, len(suggestions))], "or") + "?"
		if len(suggestions) == 0 {
			hint = "culvert metadata search finds org units by any part of their name"
		}
		if len(ambiguous) > 0 {
			c.errorAt(place, "ambiguous-name", "use a code or uid: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"),
				"several org units are called %q", ref)
			return nil
		}
		c.errorAt(place, "unknown-org-unit", hint, "there is no org unit %q", ref)
		return nil
	}
	if problem := field.problem(o, c.o.Now()); problem != nil {
		c.errorAt(place, problem.Code, problem.Hint, "%s", problem.Message)
		return nil
	}
	field.fixed = o
	return field
}

// unitsOfServer warns of a lookup that finds org units of another server than the one written to.
func (c *compiler) unitsOfServer(f *rules.Field, n *yamlnode.Node) {
	server, ok := c.spec.Rule().OrgUnitsOf(f.From)
	if !ok || server == c.spec.Server {
		return
	}
	c.warnAt(n.Place(), "lookup-of-another-server",
		fmt.Sprintf("write server: %s into a lookup of its own, which searches by code or name", c.spec.Server),
		"the lookup %q finds org units of the server %s; here only those are found that have the same uid at %s",
		f.From.Text, server, c.spec.Server)
}

// eval gives the org unit on one record, checked for data of a day. The error is a *rules.Failure.
func (f *orgUnitField) eval(s *rules.Scope, on time.Time) (*metadata.OrgUnit, error) {
	if f == nil {
		return nil, nil
	}
	o, in := f.fixed, any(nil)
	if o == nil {
		r, err := f.Field.Eval(s)
		if err != nil {
			return nil, err
		}
		if r.Blank {
			return nil, f.fail("blank-value", "is blank", "fill it in at the source, or give a default in the rule", nil)
		}
		in = r.Value
		if o, err = f.find(r.Value); err != nil {
			return nil, err
		}
		if _, lookup := r.Value.(*rules.Object); !lookup {
			traceFound(s, f.Field, r.Value, &rules.Object{ID: o.ID, Code: o.Code, Name: o.Name})
		}
	}
	s.About(o.ID)
	if problem := f.problem(o, on); problem != nil {
		failure := f.fail(problem.Code, "", problem.Hint, in)
		failure.Message = problem.Message
		return nil, failure
	}
	return o, nil
}

func (f *orgUnitField) find(v any) (*metadata.OrgUnit, error) {
	ref := ""
	switch v := v.(type) {
	case *rules.Object:
		if o := f.w.x.OrgUnitByID(v.ID); o != nil {
			return o, nil
		}
		return nil, f.fail("wrong-type", "is an object that is no org unit", "use a lookup in organisationUnits", nil)
	case map[string]any:
		ref, _ = v["id"].(string)
	default:
		ref, _ = value.Text(v, nil)
	}
	ref = strings.TrimSpace(ref)
	o, ambiguous, near := f.w.x.OrgUnit(ref)
	switch {
	case o != nil:
		return o, nil
	case len(ambiguous) > 0:
		return nil, f.fail("ambiguous-org-unit", "fits several org units of the last sync",
			"send the code or uid instead of the name: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"), v)
	}
	if len(near) > 0 {
		return nil, f.fail("unknown-org-unit", "fits no org unit of the last sync",
			"did you mean "+diag.Names(near[:min(3, len(near))], "or")+"? Correct it at the source, or use a lookup", v)
	}
	return nil, f.fail("unknown-org-unit", "fits no org unit of the last sync",
		"correct it at the source, add the org unit to DHIS2 and sync, or use a lookup", v)
}

// problem says why data of a day may not go to an org unit. The tracker takes data of closed org
// units without a word; Culvert does not.
func (f *orgUnitField) problem(o *metadata.OrgUnit, on time.Time) *diag.Problem {
	switch {
	case f.to.has != nil && !f.to.has(o.ID):
		return &diag.Problem{Code: "org-unit-not-assigned",
			Message: fmt.Sprintf("the org unit %q is not assigned to %s", o.Name, f.to.what),
			Hint:    "assign it in DHIS2 and sync, or send the data elsewhere"}
	case o.ClosedDate != "" && !on.Before(day(o.ClosedDate).AddDate(0, 0, 1)):
		return &diag.Problem{Code: "org-unit-closed",
			Message: fmt.Sprintf("the org unit %q was closed on %s", o.Name, o.ClosedDate[:min(10, len(o.ClosedDate))]),
			Hint:    "send the data to the org unit that took over, or open it again in DHIS2 and sync"}
	case f.to.open && o.OpeningDate != "" && !on.IsZero() && on.Before(day(o.OpeningDate)):
		return &diag.Problem{Code: "org-unit-not-open",
			Message: fmt.Sprintf("the org unit %q opens on %s only", o.Name, o.OpeningDate[:min(10, len(o.OpeningDate))]),
			Hint:    "check the date of the record, or the opening date in DHIS2"}
	case !f.to.anywhere && f.w.x.Snapshot.User.ID != "" && !f.w.x.InCaptureScope(o.ID):
		return &diag.Problem{Code: "org-unit-out-of-scope",
			Message: fmt.Sprintf("the user %q may not capture data at the org unit %q", f.w.x.Snapshot.User.Username, o.Name),
			Hint:    "give the user a capture org unit above it, then sync"}
	}
	return nil
}

func (f *orgUnitField) fail(code, message, hint string, in any) *rules.Failure {
	failure := &rules.Failure{Problem: diag.Problem{Code: code, Place: placeOf(f.Field), Field: "org_unit",
		Message: `"org_unit" ` + message,
		Hint:    hint}}
	if in != nil {
		failure.Value = private(in)
	}
	return failure
}
