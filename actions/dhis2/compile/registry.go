package compile

import (
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// registryPlan keeps org units in step with a registry.
type registryPlan struct {
	*env
	template           *object.Template
	code, uid, parent  *valued
	fixedParent        string
	properties         []*valued // by the names of DHIS2
	closed, opened     *dateField
	closing            *boolField
	geometry           *geometryField
	groupSets          []*valued
	groups             []*valued
	programs, dataSets []*valued
	names              map[string]string // of programs and data sets
	adopt, dryRun      bool
	limit              int
	counts             string
}

// defaultMaxChanges is how many org units may change in a day unless the rule says another number.
const defaultMaxChanges = 50

// orgUnitTexts are the keys of plain texts, and how DHIS2 calls them.
var orgUnitTexts = [][2]string{{"name", "name"}, {"short_name", "shortName"}, {"description", "description"},
	{"comment", "comment"}, {"url", "url"}, {"contact_person", "contactPerson"}, {"address", "address"},
	{"email", "email"}, {"phone_number", "phoneNumber"}}

func (r *registryPlan) key() *rules.Expr {
	if r.code != nil {
		return r.code.From
	}
	return r.uid.From
}

// compileOrgUnit compiles dhis2.org_unit.
func compileOrgUnit(c *compiler) planner {
	r := &registryPlan{env: c.env, code: c.text("code"), uid: c.text("uid"), parent: c.text("parent"),
		limit: defaultMaxChanges,
		names: map[string]string{}, dryRun: true, counts: "ORG_UNITS_CHANGED:" + c.spec.Rule().Name,
		template: newTemplate("org unit", "org unit", object.ImportOptions{})}
	if c.spec.Body.Get("code").IsNull() && c.spec.Body.Get("uid").IsNull() {
		c.missing("code", "give the code by which the registry knows the org unit, or its uid in DHIS2")
	}
	for _, pair := range orgUnitTexts {
		if v := c.text(pair[0]); v != nil {
			v.uid = pair[1]
			r.properties = append(r.properties, v)
		}
	}
	r.opened, r.closed = c.date("opening_date", true), c.date("closed_date", true)
	r.closing = c.boolean("close")
	if n := c.node("geometry"); n != nil {
		r.geometry = c.shapeOf(n, &geometryField{key: "geometry"}, "an org unit")
	}
	r.groupSets, r.groups = c.memberships("group_sets", "TEXT", nil), c.memberships("groups", "BOOLEAN", nil)
	r.programs = c.memberships("programs", "BOOLEAN", func(n *yamlnode.Node) string {
		p, ambiguous, near := c.x.Program(n.Value)
		if !c.found(n, p != nil, metadata.Programs, "program", ambiguous, near) {
			return ""
		}
		r.names[p.ID] = p.Name
		return p.ID
	})
	r.dataSets = c.memberships("data_sets", "BOOLEAN", func(n *yamlnode.Node) string {
		d, ambiguous, near := c.x.DataSet(n.Value)
		if !c.found(n, d != nil, metadata.DataSets, "data set", ambiguous, near) {
			return ""
		}
		r.names[d.ID] = d.Name
		return d.ID
	})
	r.adopt = c.flag("adopt")
	if c.node("dry_run") != nil {
		r.dryRun = c.flag("dry_run")
	}
	r.maxChanges(c)
	r.checkParent(c)
	r.checkRights(c)
	return r
}

// text compiles a key that holds a text; nil when it is absent.
func (c *compiler) text(key string) *valued {
	n := c.node(key)
	if n == nil {
		return nil
	}
	return c.valued(n, "", key, value.Kind{Type: "TEXT"})
}

// memberships compiles a mapping of names to values, or a list of names, all of which are meant. find
// gives the uid of a name in the metadata; nil: names that only the server knows.
func (c *compiler) memberships(key, typ string, find func(*yamlnode.Node) string) []*valued {
	n := c.node(key)
	if n == nil {
		return nil
	}
	var list []*valued
	add := func(name, v *yamlnode.Node) {
		uid := name.Value
		if find != nil {
			if uid = find(name); uid == "" {
				return
			}
			c.use(uid, name.Place())
		}
		f := &valued{uid: uid, name: name.Value} // always meant
		if v != nil {
			if f = c.valued(v, uid, name.Value, value.Kind{Type: typ}); f == nil {
				return
			}
		}
		list = append(list, f)
	}
	switch {
	case n.Kind == yamlnode.Mapping:
		for _, pair := range n.Pairs() {
			add(pair.Key, pair.Value)
		}
	case n.Kind == yamlnode.Sequence && typ == "BOOLEAN":
		for _, name := range n.Items() {
			if name.Kind != yamlnode.Scalar {
				c.errorAt(name.Place(), "wrong-shape", "write the names, one a line", "%q is a list of names", key)
				continue
			}
			add(name, nil)
		}
	default:
		c.errorAt(n.Place(), "wrong-shape", "write one name a line, each with what the record says of it",
			"%q must be a mapping of names to values", key)
	}
	return list
}

func (r *registryPlan) maxChanges(c *compiler) {
	n := c.node("max_changes")
	if n == nil {
		return
	}
	limit, err := strconv.Atoi(n.Value)
	if err != nil || limit < 1 {
		c.errorAt(n.Place(), "wrong-shape", "write a number such as 200",
			"%q is how many org units may change in a day", "max_changes")
		return
	}
	r.limit = limit
}

// checkParent finds a parent that the rule fixes.
func (r *registryPlan) checkParent(c *compiler) {
	if r.parent == nil || r.parent.From != nil {
		return
	}
	o, ambiguous, near := c.x.OrgUnit(r.parent.literal)
	if o != nil {
		r.fixedParent = o.ID
		return
	}
	hint := "use its code or uid"
	if names := append(ambiguous, near...); len(names) > 0 {
		hint = "did you mean " + diag.Names(names[:min(5, len(names))], "or") + "?"
	}
	c.errorAt(literalPlace(c.spec.Body.Get("parent")), "unknown-org-unit", hint, "there is no org unit %q",
		r.parent.literal)
}

// orgUnitAuthorities are what DHIS2 asks for, and what each is for.
var orgUnitAuthorities = [][2]string{{"F_ORGANISATIONUNIT_ADD", "create and change org units"},
	{"F_ORGANISATIONUNIT_MOVE", "move org units"}}

func (r *registryPlan) checkRights(c *compiler) {
	if c.x.Snapshot.User.ID == "" || c.superuser() {
		return
	}
	has := map[string]bool{}
	for _, a := range c.x.Snapshot.User.Authorities {
		has[a] = true
	}
	for _, a := range orgUnitAuthorities {
		if !has[a[0]] && (a[0] != "F_ORGANISATIONUNIT_MOVE" || r.parent != nil) {
			c.warnAt(c.spec.Place, "no-write-access", "give a role of the user the authority "+a[0]+", then sync",
				"the user %q may not %s", c.x.Snapshot.User.Username, a[1])
		}
	}
}

// plan asks for the org unit of a record.
func (r *registryPlan) plan(s *rules.Scope, p *plan) error {
	w := client.OrgUnit{Adopt: r.adopt, Set: map[string]any{}, Names: r.names}
	if err := r.identify(s, &w); err != nil {
		return err
	}
	for _, v := range r.properties {
		text, st, err := v.eval(s, r.context)
		if err != nil {
			return err
		}
		switch {
		case st == stateClear && v.uid != "name" && v.uid != "shortName":
			w.Set[v.uid] = nil
		case st == stateSet:
			w.Set[v.uid] = strings.TrimSpace(text)
		}
	}
	if err := r.dates(s, &w); err != nil {
		return err
	}
	shape, err := r.geometry.eval(s)
	if err != nil {
		return err
	}
	if shape != nil {
		w.Set["geometry"] = shape
	}
	if w.GroupSets, err = textsOf(r.groupSets, s, r.context); err != nil {
		return err
	}
	for _, m := range []struct {
		fields []*valued
		into   *map[string]bool
	}{{r.groups, &w.Groups}, {r.programs, &w.Programs}, {r.dataSets, &w.DataSets}} {
		if *m.into, err = flagsOf(m.fields, s, r.context); err != nil {
			return err
		}
	}
	p.add(&object.OrgUnit{Template: r.template, Wanted: w, DryRun: r.dryRun, Max: r.limit, Counts: r.counts})
	return nil
}

// identify says which org unit it is, and under which it lies.
func (r *registryPlan) identify(s *rules.Scope, w *client.OrgUnit) (err error) {
	for _, k := range []struct {
		v    *valued
		into *string
	}{{r.code, &w.Code}, {r.uid, &w.UID}, {r.parent, &w.Parent}} {
		if k.v == nil {
			continue
		}
		if *k.into, _, err = k.v.eval(s, r.context); err != nil {
			return err
		}
		*k.into = strings.TrimSpace(*k.into)
	}
	switch {
	case w.Code == "" && w.UID == "":
		v := r.code
		if v == nil {
			v = r.uid
		}
		return &rules.Failure{Problem: diag.Problem{Code: "blank-value", Place: v.place(), Field: v.name,
			Column:  v.Column(),
			Message: `"` + v.name + `" is blank, so the org unit cannot be told from others`,
			Hint:    "fill it in at the source"}}
	case w.UID != "" && !identity.IsUID(w.UID):
		return &rules.Failure{Problem: diag.Problem{Code: "wrong-type", Place: r.uid.place(), Field: "uid",
			Column: r.uid.Column(),
			Value:  private(w.UID), Message: `"uid" is no uid of DHIS2`, Hint: "use code for the ids of the registry"}}
	}
	w.New = identity.OrgUnitUID(r.o.Project, w.Code)
	if r.fixedParent != "" {
		w.Parent = r.fixedParent
	}
	return nil
}

func (r *registryPlan) dates(s *rules.Scope, w *client.OrgUnit) error {
	opened, err := r.opened.eval(s, r.context)
	if err != nil {
		return err
	}
	if opened != "" {
		w.Set["openingDate"] = opened
	}
	closed, st := "", stateOmit
	if r.closed != nil {
		if closed, st, err = r.closed.valued.eval(s, r.context); err != nil {
			return err
		}
	}
	on, set, err := r.closing.eval(s, r.context)
	if err != nil {
		return err
	}
	switch {
	case closed != "" && (on || !set):
		w.Set["closedDate"] = closed
	case on:
		w.Close = r.o.Now().In(r.o.Zone).Format(time.DateOnly)
	case set || st == stateClear:
		w.Set["closedDate"] = nil // open, the registry says
	}
	return nil
}

func textsOf(fields []*valued, s *rules.Scope, c *value.Context) (map[string]string, error) {
	texts := map[string]string{}
	for _, v := range fields {
		text, st, err := v.eval(s, c)
		if err != nil {
			return nil, err
		}
		if st != stateOmit {
			texts[v.uid] = strings.TrimSpace(text)
		}
	}
	return texts, nil
}

func flagsOf(fields []*valued, s *rules.Scope, c *value.Context) (map[string]bool, error) {
	flags := map[string]bool{}
	for _, v := range fields {
		if v.Field == nil {
			flags[v.uid] = true
			continue
		}
		text, st, err := v.eval(s, c)
		if err != nil {
			return nil, err
		}
		if st == stateSet {
			flags[v.uid] = text == "true"
		}
	}
	return flags, nil
}
