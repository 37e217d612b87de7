package commcare

import (
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// action is a compiled action.
type action struct {
	spec             *rules.ActionSpec
	project          string
	caseID, external *rules.Expr
	properties, own  []*rules.Field
	closes           *rules.Expr
	creates          bool
}

// Key implements actions.Action, as Plan does.
func (a *action) Key() *rules.Expr {
	if a.caseID != nil {
		return a.caseID
	}
	return a.external
}

// Plan gives the updates of a record.
func (a *action) Plan(s *rules.Scope) ([]actions.Write, error) {
	var writes []actions.Write
	err := a.spec.Each(s, func(s *rules.Scope) error {
		w, err := a.update(s)
		if err != nil || w == nil {
			return err
		}
		if a.spec.ID != "" {
			s.SetResult(a.spec.ID, map[string]any{"case_id": w.body.CaseID})
		}
		writes = append(writes, actions.Write{Action: a.spec.Number, Place: a.spec.Place, Object: w})
		return nil
	})
	return writes, err
}

// longestField bounds names and ids of cases, in letters: CommCare's own limit.
const longestField = 255

func (a *action) update(s *rules.Scope) (*update, error) {
	w := &update{action: a, body: body{Properties: map[string]string{}}}
	var err error
	key := ""
	if a.caseID != nil {
		w.body.CaseID, err = remote.Needed(a.caseID, s, "case_id")
		key = "id " + w.body.CaseID
	} else {
		w.body.ExternalID, err = remote.Needed(a.external, s, "external_id")
		key = "external " + w.body.ExternalID
	}
	if err != nil {
		return nil, err
	}
	for _, f := range a.own {
		text, ok, _, err := remote.TextOf(f, s)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len([]rune(text)) > longestField {
			return nil, &rules.Failure{
				Problem: diag.Problem{Code: "value-too-long", Field: f.Name, Column: f.Column(), Place: f.Place,
					Message: f.Name + " is longer than the 255 letters that CommCare takes", Hint: "send less"},
			}
		}
		w.body.set(f.Name, text)
	}
	for _, f := range a.properties {
		text, ok, clear, err := remote.TextOf(f, s)
		if err != nil {
			return nil, err
		}
		if ok || clear {
			w.body.Properties[f.Name] = text
		}
	}
	if a.closes != nil {
		v, err := a.closes.Eval(s)
		if err != nil {
			return nil, err
		}
		w.body.Close = v == true
	}
	if len(w.body.Properties) == 0 && !w.body.Close && w.body.CaseName+w.body.OwnerID+w.body.CaseType == "" {
		return nil, nil // everything is blank
	}
	id := a.spec.ID
	if id == "" {
		id = strconv.Itoa(a.spec.Number)
	}
	w.name = remote.HashName(ConnectionKind, a.project, a.spec.Rule().Records(), id, key)
	w.digest = remote.Digest(w.body.text())
	return w, nil
}
