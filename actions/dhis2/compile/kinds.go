// Package compile checks the actions of rules against a snapshot of a server's metadata, one file
// an action, and turns records into writes.
package compile

import (
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
)

// Names of the action kinds.
const (
	KindTrackedEntity   = "dhis2.tracked_entity"
	KindEnroll          = "dhis2.enroll"
	KindCreateAndEnroll = "dhis2.create_and_enroll"
	KindEvent           = "dhis2.event"
	KindComplete        = "dhis2.complete"
	KindDataValue       = "dhis2.data_value"
	KindDataValueSet    = "dhis2.data_value_set"
	KindRelationship    = "dhis2.relationship"
	KindTransfer        = "dhis2.transfer"
	KindOrgUnit         = "dhis2.org_unit"
	KindDelete          = "dhis2.delete"
)

// definition is one kind of action.
type definition struct {
	name    string
	compile func(*compiler) planner
	keys    func() []settings.Field
	doc     string // what it does, without full stop at its end
}

// definitions lists the kinds of actions that exist; a new one is one file, its keys, and one line here.
func definitions() []definition {
	return []definition{
		{KindTrackedEntity, compileTrackedEntity, keysTrackedEntity, "creates or updates a tracked entity"},
		{KindEnroll, compileEnroll, keysEnroll, "enrolls a tracked entity that an earlier record or action created"},
		{KindCreateAndEnroll, compileCreateAndEnroll, keysCreateAndEnroll, "creates or updates a tracked " +
			"entity and enrolls it in a program"},
		{KindEvent, compileEvent, keysEvent, "creates or updates an event of a program stage, with " +
			"registration (external_id) or without"},
		{KindComplete, compileComplete, keysComplete, "completes, cancels or reopens an enrollment or event"},
		{KindDataValue, compileDataValue, keysDataValue, "sends one aggregate data value"},
		{KindDataValueSet, compileDataValueSet, keysDataValueSet, "sends the values of a data set for a " +
			"period and org unit, or recomputes them from records"},
		{KindRelationship, compileRelationship, keysRelationship, "relates two objects of DHIS2"},
		{KindTransfer, compileTransfer, keysTransfer, "gives a person's data of a program to another org " +
			"unit, as when a patient is referred or moves"},
		{KindOrgUnit, compileOrgUnit, keysOrgUnit, "keeps an org unit in step with a registry: creates, " +
			"renames, moves and closes it, and says what it belongs to"},
		{KindDelete, compileDelete, keysDelete, "deletes an object in DHIS2. No other action deletes anything " +
			"(an edited submission can: see the webhook trigger)"},
	}
}

// Kinds gives the action kinds, which check and compile against one snapshot. With a nil index
// every action has the finding no-snapshot.
func Kinds(x *metadata.Index, o actions.Options) []actions.Kind {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	e := &env{x: x, o: o, context: &value.Context{Now: o.Now, Zone: o.Zone}}
	if x != nil {
		e.context.OrgUnit, e.context.Area = e.orgUnitUID, x.Snapshot.Server.Area
	}
	var kinds []actions.Kind
	for _, d := range definitions() {
		kinds = append(kinds, &kind{definition: d, env: e})
	}
	return kinds
}

// env is what all kinds share: the metadata and how values are converted.
type env struct {
	x *metadata.Index
	o actions.Options
	// uid of an option set -> *value.Options, made when a rule first needs it: some sets have tens of thousands
	options sync.Map
	context *value.Context
	// policies are the ways in which all rules tell people
	policies identity.Policies
}

// kind is one kind of action.
type kind struct {
	definition
	env *env
}

// planner turns one item of a record into writes. The error is a *rules.Failure.
type planner interface {
	plan(s *rules.Scope, p *plan) error
	key() *rules.Expr
}

// Name is how rule files name the kind.
func (k *kind) Name() string { return k.name }

// Settings declares the keys of the kind; see actions.Kind.
func (k *kind) Settings() settings.Spec {
	return settings.Spec{Name: k.name, Doc: k.doc, Fields: k.keys()}
}

// Compile checks an action of a rule; see actions.Kind.
func (k *kind) Compile(spec *rules.ActionSpec) actions.Action {
	if k.env.x == nil {
		spec.Report(diag.Diagnostic{Problem: diag.Problem{
			Code: "no-snapshot", Place: spec.Place,
			Message: `"` + k.name + `" cannot be checked: there is no metadata of its server yet`,
			Hint:    "run culvert sync first",
		}})
		return nil
	}
	c := &compiler{env: k.env, spec: spec, keys: k.keys()}
	p := k.compile(c)
	c.unknownKeys()
	if c.failed || p == nil {
		return nil
	}
	return &action{spec: spec, planner: p, uses: c.uses}
}

// action is a compiled action; see actions.Action.
type action struct {
	spec    *rules.ActionSpec
	planner planner
	uses    []actions.Use
}

// Uses tells which metadata objects the action names.
func (a *action) Uses() []actions.Use { return a.uses }

// Key is the expression of external_id; nil when the action has none.
func (a *action) Key() *rules.Expr { return a.planner.key() }

// plan collects the writes of one record.
type plan struct {
	writes []actions.Write
	spec   *rules.ActionSpec
}

// newTemplate gives what all writes of an action have in common, with the fields that it sets.
func newTemplate(label, name string, options object.ImportOptions, fields ...[]*valued) *object.Template {
	var list []object.Field
	for _, values := range fields {
		for _, v := range values {
			list = append(list, object.Field{UID: v.uid, Name: v.name, Place: v.place(), Column: v.Column()})
		}
	}
	return object.NewTemplate(label, name, options, list)
}

func (p *plan) add(o object.Write) {
	p.writes = append(p.writes, actions.Write{Action: p.spec.Number, Place: p.spec.Place, Object: o})
}

// Plan turns the record in scope into writes. The error is a *rules.Failure.
func (a *action) Plan(s *rules.Scope) ([]actions.Write, error) {
	p := plan{spec: a.spec}
	if err := a.spec.Each(s, func(s *rules.Scope) error { return planned(a.planner, s, &p) }); err != nil {
		return nil, err
	}
	return p.writes, nil
}
