package kobo

import (
	"regexp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Name is how rule files name the action.
const Name = "kobo.validation_status"

// ConnectionKind is the kind of connection that it writes to.
const ConnectionKind = "kobo"

// Kinds gives the kind of action of this package.
func Kinds(o actions.Options) []actions.Kind { return []actions.Kind{kind{o.Project}} }

type kind struct{ project string }

// Name implements actions.Kind, as the following methods do.
func (kind) Name() string { return Name }

// ConnectionKind implements actions.Placed.
func (kind) ConnectionKind() string { return ConnectionKind }

// Settings declares the keys.
func (kind) Settings() settings.Spec {
	return settings.Spec{Name: Name, Doc: "marks a submission in KoboToolbox as approved, not approved or on hold",
		Fields: []settings.Field{
			{Name: "connection", LeftOut: "that of the trigger, or the only one of its kind",
				Doc: "one of `connections:` in culvert.yaml, of the kind kobo; its user may validate submissions"},
			{Name: "asset", LeftOut: "that of the trigger", Doc: "the project: what stands behind /#/forms/ in its address"},
			{Name: "submission", Ref: "expression", LeftOut: "trigger._id", Doc: "the submission's `_id`, a number"},
			{Name: "status", Ref: "field", Required: true, Hint: "write status: {value: approved}",
				Doc: "`approved`, `not_approved`, `on_hold`, or `none` to take the mark away"},
		}}
}

// assetForm is how KoboToolbox names projects.
var assetForm = regexp.MustCompile(`^a[A-Za-z0-9]{9,40}$`)

// Compile checks an action.
func (k kind) Compile(spec *rules.ActionSpec) actions.Action {
	r := remote.Read(spec, k.Settings())
	a := &action{spec: spec, project: k.project, status: r.Field("status", spec.Body.Get("status"))}
	at := spec.Body.Get("asset")
	if at.IsNull() {
		at = spec.Rule().Trigger.Config.Get("asset")
	}
	switch {
	case at.IsNull():
		r.Fault(spec.Place, "missing-key", "add asset: with what stands behind /#/forms/ in the address of the project",
			"%s does not say which project is meant", Name)
	case !assetForm.MatchString(at.Value):
		r.Fault(at.Place(), "asset", "copy it from the project's address, such as aQ2wE4rT6yU8iO0pA2sD4f",
			"%q names no project", at.Value)
	}
	if !at.IsNull() {
		a.asset = at.Value
	}
	n := spec.Body.Get("submission")
	if n.IsNull() {
		n = yamlnode.Made("trigger._id", spec.Place)
	}
	if a.submission = r.TextAt(n); r.Failed {
		return nil
	}
	if text, ok := a.status.Literal(); ok && uidOf(text) == "" {
		r.Fault(
			a.status.Place,
			"wrong-choice",
			"write approved, not_approved, on_hold or none",
			"%q is no validation status",
			text,
		)
		return nil
	}
	return a
}

// uidOf gives KoboToolbox's name of a status; "" where there is no such status, and a blank for none.
func uidOf(status string) string {
	switch status {
	case "approved", "not_approved", "on_hold":
		return "validation_status_" + status
	case "validation_status_approved", "validation_status_not_approved", "validation_status_on_hold":
		return status
	case "none":
		return " "
	}
	return ""
}
