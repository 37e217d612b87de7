package commcare

import (
	"regexp"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/settings"
)

// Name is how rule files name the action.
const Name = "commcare.update_case"

// ConnectionKind is the kind of connection that it writes to.
const ConnectionKind = "commcare"

// Kinds gives the kind of action of this package.
func Kinds(o actions.Options) []actions.Kind { return []actions.Kind{kind{o.Project}} }

type kind struct{ project string }

// Name implements actions.Kind, as the following methods do.
func (kind) Name() string { return Name }

// ConnectionKind implements actions.Placed.
func (kind) ConnectionKind() string { return ConnectionKind }

// Settings declares the keys.
func (kind) Settings() settings.Spec {
	return settings.Spec{Name: Name, Doc: "sets properties of a case on CommCare HQ", Fields: []settings.Field{
		{Name: "connection", LeftOut: "that of the trigger, or the only one of its kind",
			Doc: "one of `connections:` in culvert.yaml, of the kind commcare; its user may edit data and use the API"},
		{Name: "case_id", Ref: "expression", LeftOut: "external_id is needed", Doc: "the case, by its id"},
		{Name: "external_id", Ref: "expression", LeftOut: "case_id is needed",
			Doc: "the case, by the external id that CommCare keeps with it"},
		{Name: "properties", Ref: "fields", LeftOut: "none are set",
			Doc: "case properties and their values: texts, as CommCare keeps them. A blank value leaves a property as it is, " +
				"`blank: clear` empties it"},
		{Name: "case_type", Ref: "field", LeftOut: "no case is created",
			Doc: "with case_name and owner_id: a case of this type is created where none has the external_id"},
		{Name: "case_name", Ref: "field", LeftOut: "the name stays", Doc: "name of the case"},
		{
			Name:    "owner_id",
			Ref:     "field",
			LeftOut: "the owner stays",
			Doc:     "id of the user, group or location that owns the case",
		},
		{Name: "close", Ref: "expression", LeftOut: "it stays open", Doc: "condition; the case is closed where it is true"},
	}}
}

// propertyName is what CommCare takes for a name: that of an element of XML.
var propertyName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,254}$`)

// ownKeys are fields of a case that are no properties.
var ownKeys = []string{"case_id", "case_name", "name", "case_type", "type", "owner_id", "external_id", "date_opened",
	"closed", "last_modified", "user_id"}

// Compile checks an action.
func (k kind) Compile(spec *rules.ActionSpec) actions.Action {
	r := remote.Read(spec, k.Settings())
	a := &action{spec: spec, project: k.project, caseID: r.Text("case_id"), external: r.Text("external_id"),
		properties: r.Fields("properties"), closes: r.Condition("close")}
	for _, key := range []string{"case_type", "case_name", "owner_id"} {
		if f := r.Field(key, spec.Body.Get(key)); f != nil {
			a.own = append(a.own, f)
		}
	}
	body := spec.Body
	for _, pair := range body.Get("properties").Pairs() {
		switch name := pair.Key.Value; {
		case slices.Contains(ownKeys, name):
			r.Fault(pair.Key.Place(), "bad-property", "case_name, owner_id and external_id are keys of the action",
				"%q is a field of every case, not a property", name)
		case !propertyName.MatchString(name):
			r.Fault(pair.Key.Place(), "bad-property", "use letters, digits and _, beginning with a letter, such as dhis2_id",
				"%q is no name of a case property", name)
		}
	}
	switch {
	case body.Get("case_id").IsNull() && body.Get("external_id").IsNull():
		r.Fault(spec.Place, "missing-key", "add case_id:, such as "+`case_id: trigger.form.case["@case_id"]`,
			"%s does not say which case is meant", Name)
	case !body.Get("case_id").IsNull() && !body.Get("external_id").IsNull():
		r.Fault(body.Key("external_id").Place(), "two-ids", "keep case_id where it is known",
			"the case is named twice, by case_id and external_id")
	case !body.Get("case_type").IsNull() && (body.Get("external_id").IsNull() || len(a.own) < 3 && !r.Failed):
		r.Fault(body.Key("case_type").Place(), "missing-key", "give external_id:, case_type:, case_name: and owner_id:",
			"a case can be created only where its external_id, type, name and owner are known")
	case len(a.properties)+len(a.own) == 0 && a.closes == nil && !r.Failed:
		r.Fault(
			spec.Place,
			"missing-key",
			"add properties:, such as dhis2_id: woman.tracked_entity",
			"%s says nothing of the case",
			Name,
		)
	}
	a.creates = !body.Get("case_type").IsNull()
	if r.Failed {
		return nil
	}
	spec.DeclareResult("case_id")
	return a
}
