package kobo

import (
	"fmt"
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// action is a compiled action.
type action struct {
	spec       *rules.ActionSpec
	project    string
	asset      string
	submission *rules.Expr
	status     *rules.Field
}

// Key implements actions.Action, as Plan does.
func (*action) Key() *rules.Expr { return nil }

// Plan gives the marks of a record.
func (a *action) Plan(s *rules.Scope) ([]actions.Write, error) {
	var writes []actions.Write
	err := a.spec.Each(s, func(s *rules.Scope) error {
		id, err := remote.Needed(a.submission, s, "submission")
		if err != nil {
			return err
		}
		if n, err := strconv.ParseUint(id, 10, 63); err != nil || n == 0 {
			return &rules.Failure{Problem: diag.Problem{Code: "bad-submission", Field: "submission", Place: a.submission.Place,
				Column: a.submission.Column(), Value: id, Message: fmt.Sprintf("%q is no _id of a submission", id),
				Hint: "name the field that holds _id: a number, not the uuid"}}
		}
		text, ok, _, err := remote.TextOf(a.status, s)
		if err != nil || !ok {
			return err
		}
		uid := uidOf(text)
		if uid == "" {
			return &rules.Failure{Problem: diag.Problem{Code: "bad-status", Field: "status", Place: a.status.Place,
				Column: a.status.Column(), Value: text, Message: fmt.Sprintf("%q is no validation status", text),
				Hint: "it is one of approved, not_approved, on_hold and none"}}
		}
		w := &mark{action: a, submission: id, status: text, uid: uid}
		w.name = remote.HashName(ConnectionKind, a.project, a.asset, id)
		w.digest = remote.Digest(uid)
		writes = append(writes, actions.Write{Action: a.spec.Number, Place: a.spec.Place, Object: w})
		return nil
	})
	return writes, err
}
