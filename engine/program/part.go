package program

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
)

// A rule that writes to several places, such as two servers, or DHIS2 and the system that the record
// came from, has a part for each. The first part works on the records that sources hand over. Every
// other part has records of its own in the journal, made of those of the part before it, so that
// each place has its own order, its own tries and its own failures, and what is done at one place and
// not yet at another can be seen.

// partSign stands between the name of a rule, or a key, and the place of a part.
const partSign = journal.PartSign

// Name is under which the journal keeps the flow's records: the rule's name, and of a further part
// with its place, such as anc-registration@hq.
func (f *Flow) Name() string { return PartName(f.Rule.Name, f.Part) }

// alone tells whether the flow is all of its rule.
func (f *Flow) alone() bool { return f.Part == "" && len(f.Next)+len(f.Beside) == 0 }

// PartName names a part of a rule, or the key of its records.
func PartName(name, part string) string {
	if part == "" {
		return name
	}
	return name + partSign + part
}

// Delivery is what became of the part before.
type Delivery struct {
	State journal.State `json:"state"` // delivered or failed
	Code  string        `json:"code,omitempty"`
	Cause string        `json:"cause,omitempty"`
	Hint  string        `json:"hint,omitempty"`
}

// Results are what actions came to, by their ids and the names of fields.
type Results map[string]map[string]any

// carried is the body of a record of a further part.
type carried struct {
	Record   json.RawMessage `json:"record"` // as the first part has it
	Earlier  Results         `json:"earlier,omitempty"`
	Delivery *Delivery       `json:"delivery,omitempty"`
}

// open gives the expressions of a further part what its record carries.
func (f *Flow) open(in rules.Input) (rules.Input, error) {
	if f.Part == "" {
		return in, nil
	}
	body, ok := in.Body.(map[string]any)
	if !ok {
		return in, fmt.Errorf("the record of rule %s does not hold what its part before has sent", f.Name())
	}
	in.Body = body["record"]
	in.Earlier = map[string]map[string]any{}
	for _, id := range f.Rule.Results() {
		in.Earlier[id] = map[string]any{} // of an action that did nothing everything is blank
	}
	earlier, _ := body["earlier"].(map[string]any)
	for id, v := range earlier {
		if fields, ok := v.(map[string]any); ok {
			in.Earlier[id] = fields
		}
	}
	in.Delivery, _ = body["delivery"].(map[string]any)
	return in, nil
}

// comesAfter tells whether an action is for what became of the part before.
func (f *Flow) comesAfter(action int, delivery map[string]any) bool {
	if action >= len(f.After) {
		return true
	}
	state, _ := delivery["state"].(string)
	return wants(f.After[action], journal.State(state))
}

func wants(after string, state journal.State) bool {
	switch after {
	case "settled":
		return true
	case "failed":
		return state == journal.Failed
	default:
		return state != journal.Failed
	}
}

// Wants tells whether the part has something to do once the one before it came to a state.
func (f *Flow) Wants(state journal.State) bool {
	if state != journal.Delivered && state != journal.Failed {
		return false
	}
	for _, after := range f.After {
		if wants(after, state) {
			return true
		}
	}
	return false
}

// Record makes the record of a part of that of the one before, whose body it must hold. delivery is
// nil for a part that waits for nothing.
func (f *Flow) Record(
	from *journal.Record,
	before *Flow,
	results Results,
	delivery *Delivery,
) (*journal.Record, error) {
	c := carried{Record: from.Body, Delivery: delivery}
	if before.Part != "" {
		if err := json.Unmarshal(from.Body, &c); err != nil {
			return nil, fmt.Errorf("go on with a record of rule %s: %w", before.Name(), err)
		}
		c.Delivery = delivery
	}
	if len(results) > 0 {
		all := Results{}
		maps.Copy(all, c.Earlier)
		maps.Copy(all, results)
		c.Earlier = all
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("go on with a record of rule %s: %w", before.Name(), err)
	}
	rec := &journal.Record{
		Rule: f.Name(), ID: from.ID, Key: PartName(from.Key, f.Part), Origin: from.Origin, Received: from.Received,
		State: journal.Pending, Version: from.Version, Rank: from.Order().Seq,
	}
	if before.Part != "" {
		rec.Key = PartName(from.Key[:len(from.Key)-len(partSign)-len(before.Part)], f.Part)
	}
	// It is no row of the file any more: the file does not wait for it.
	rec.Origin.FileID, rec.Origin.Beside = "", rec.Origin.FileBeside()
	return rec, EncodeBody(rec, raw, nil)
}

// Resulting is an object whose id on the server later actions may read, as a field of its action's result.
type Resulting interface {
	ResultField() string
}

// ResultsOf gives what later parts may read of a delivery.
func ResultsOf(f *Flow, plan *actions.Plan, outcomes []actions.Outcome) Results {
	if len(f.Next) == 0 {
		return nil
	}
	out := Results{}
	for i, o := range outcomes {
		if i >= len(plan.Writes) || o.Status != actions.Delivered && o.Status != actions.Unchanged {
			continue
		}
		w := plan.Writes[i]
		id := f.Rule.Actions[w.Action].ID
		if id == "" {
			continue
		}
		if out[id] == nil {
			out[id] = map[string]any{}
		}
		if r, ok := w.Object.(Resulting); ok && o.ObjectID != "" {
			out[id][r.ResultField()] = o.ObjectID
		}
		maps.Copy(out[id], o.Result)
	}
	return out
}

// DeliveryOf says what became of a part, for those that come after it.
func DeliveryOf(s *journal.Settlement) *Delivery {
	d := &Delivery{State: s.State}
	if s.State == journal.Failed && s.Problem != nil {
		d.Code, d.Cause, d.Hint = s.Problem.Code, s.Problem.Message, s.Problem.Hint
	}
	return d
}
