package program

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tree"
)

// Evaluation is what a rule makes of one record.
type Evaluation struct {
	Skipped bool // the filter said no; the rest is empty
	ID, Key string
	Version int64 // for its actions.Order; 0: nothing says it
	Plan    actions.Plan
	Failure *rules.Failure // why the record cannot be used; ID and Key are set as far as they are known

	rule *rules.Rule
}

// Evaluate runs a rule on one record: filter, id and key, lookups, and the plan of every action in
// turn. It makes no request. What is wrong with the record is the Evaluation's Failure; the error
// is for what is wrong with the program itself.
func Evaluate(flow *Flow, in rules.Input) (Evaluation, error) {
	return EvaluateTraced(flow, in, nil)
}

// EvaluateTraced is Evaluate that tells every step to trace, when it is not nil.
func EvaluateTraced(flow *Flow, in rules.Input, trace func(rules.Step)) (Evaluation, error) {
	return (&Evaluator{flow: flow, trace: trace}).Evaluate(in)
}

// Evaluator runs a rule on one record after the other, with less garbage than each alone. Not safe for concurrent use.
type Evaluator struct {
	flow  *Flow
	trace func(rules.Step)
	scope *rules.Scope
}

// NewEvaluator makes an evaluator for a flow.
func NewEvaluator(flow *Flow) *Evaluator { return &Evaluator{flow: flow} }

// Evaluate does what the function of that name does.
func (v *Evaluator) Evaluate(in rules.Input) (e Evaluation, err error) {
	flow, scope := v.flow, v.scope
	given := in
	if in, err = flow.open(in); err != nil {
		return e, err
	}
	if in.Attachments == nil && flow.Attachments != nil {
		in.Attachments = flow.Attachments(in.Body, in.FileID)
	}
	v.scope = nil // not used again when this breaks down
	defer recovered(flow, &err)
	if scope == nil {
		scope = flow.Rule.Begin(in)
		scope.Trace = v.trace
	} else {
		scope.Reset(in)
	}
	if e, err = run(flow, scope); err == nil {
		v.scope = scope
	}
	if open, ok := errors.AsType[*rules.Unanswered](err); ok {
		return e.pending(flow, given, open), nil
	}
	return e, err
}

func run(flow *Flow, scope *rules.Scope) (e Evaluation, err error) {
	e.rule = flow.Rule
	defer func() { e.Plan.About = scope.Abouts() }()
	// A person who corrects a record is told of all that is wrong with it.
	scope.CollectFailures()
	if yes, err := flow.Rule.Filter(scope); err != nil || !yes {
		e.Skipped = err == nil
		return e.failed(err)
	}
	if e.Skipped, e.ID, e.Key, err = identify(flow.Rule, scope); e.Skipped {
		return e, nil
	}
	if err := scope.Keep(err); err != nil {
		return e.failed(err)
	}
	if e.Version, err = versionOf(flow.Rule, scope); err != nil {
		return e.failed(err)
	}
	e.Plan.Order.Version = e.Version
	if flow.Rule.ID != nil && !scope.Accepted() {
		// A record of the journal was accepted under the id of the first version of it that came.
		if err := flow.Rule.ID.EditedID(scope, "id", e.ID); err != nil {
			return e.failed(err)
		}
	}
	e.Key = PartName(e.Key, flow.Part)
	e.Plan.Record = actions.Ref{Rule: flow.Name(), RecordID: e.ID, Key: e.Key}
	if flow.alone() { // of a part only what its own actions read is looked up
		if err := scope.Keep(flow.Rule.Resolve(scope)); err != nil {
			return e.failed(err)
		}
	}
	var open rules.Unanswered // what all actions ask for is asked together
	for i, action := range flow.Actions {
		if !flow.comesAfter(i, scope.Delivery()) {
			continue
		}
		plan := action.Plan
		if scope.Withdrawn() {
			w, ok := action.(actions.Withdrawer)
			if !ok {
				continue // it writes nothing that only this version of the record stands for
			}
			plan = w.Withdraw
		}
		writes, err := plan(scope)
		if u, ok := errors.AsType[*rules.Unanswered](err); ok {
			open.Questions = append(open.Questions, u.Questions...)
			if flow.Rule.HasResults() {
				break // what reads the result of this action has to wait for it
			}
			continue
		}
		if err = scope.Keep(err); err != nil {
			return e.failed(err)
		}
		e.Plan.Writes = append(e.Plan.Writes, writes...)
		if scope.KeptCount() > 0 && flow.Rule.HasResults() {
			break // what reads the result of an action that failed would fail for no fault of the record
		}
	}
	if f := scope.Kept(); f != nil {
		return e.failed(f)
	}
	if len(open.Questions) > 0 {
		return e, &open
	}
	e.Plan.Left = scope.Left()
	return e, nil
}

// failed sorts an error into the record's own failure and the program's faults.
func (e Evaluation) failed(err error) (Evaluation, error) {
	if err == nil {
		return e, nil
	}
	e.Plan.Writes = nil
	if !errors.As(err, &e.Failure) {
		return e, err
	}
	if e.Failure.Skip {
		return Evaluation{Skipped: true}, nil
	}
	if e.rule != nil && e.Failure.Column == "" {
		own := *e.Failure
		e.rule.NameColumn(&own)
		e.Failure = &own
	}
	return e, nil
}

// identify gives the record's id and key. The key is never empty when err is nil.
func identify(r *rules.Rule, scope *rules.Scope) (skipped bool, id, key string, err error) {
	id, key, err = r.Identify(scope)
	var f *rules.Failure
	if errors.As(err, &f) && f.Skip {
		return true, "", "", nil
	}
	if key == "" {
		key = id
	}
	return false, id, key, err
}

// versionOf says which version of a record this is: what its rule says, else what its source does.
// The error is a *rules.Failure.
func versionOf(r *rules.Rule, scope *rules.Scope) (int64, error) {
	v, err := r.RecordVersion(scope)
	switch {
	case err != nil:
		return 0, err
	case v.IsNumber:
		return actions.NumberVersion(v.Number), nil
	case !v.Time.IsZero():
		return actions.TimeVersion(v.Time), nil
	case r.Version != nil:
		return 0, nil // blank
	}
	return actions.TimeVersion(sources.VersionOf(scope.Body())), nil
}

// recovered turns a panic into an error: one record must not end the others.
func recovered(flow *Flow, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("evaluate a record of rule %s: %s\n%s", flow.Rule.Name, PanicText(p), debug.Stack())
	}
}

// PanicText describes a panic for the log. Only what the runtime itself says is known to hold no data of a record.
func PanicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("panic with a value of type %T", p)
}

// Identity is what is known of a record before anything is made of it.
type Identity struct {
	Skipped bool // the filter said no; the rest is empty
	ID, Key string
	Version int64 // for its actions.Order; 0: nothing says it
}

// Identify runs the filter and gives the record's id, key and version, as far as they are known
// when err is not nil: what is wrong with the record is a *rules.Failure.
func Identify(flow *Flow, in rules.Input) (i Identity, err error) {
	defer recovered(flow, &err)
	scope := flow.Rule.Begin(in)
	if yes, err := flow.Rule.Filter(scope); err != nil || !yes {
		return Identity{Skipped: err == nil}, err
	}
	if i.Skipped, i.ID, i.Key, err = identify(flow.Rule, scope); err == nil && !i.Skipped {
		i.Version, err = versionOf(flow.Rule, scope)
	}
	return i, err
}

// Unidentified begins the id of a record whose rule could not give one; it is asked again when the record is sent.
const Unidentified = "Unidentified-"

// EncodeBody sets the record's body and the hash of its content.
func EncodeBody(rec *journal.Record, raw []byte, body any) error {
	if raw == nil {
		var err error
		if raw, err = tree.AppendJSON(make([]byte, 0, 512), body); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(raw)
	rec.Body, rec.Content = raw, binary.BigEndian.Uint64(sum[:])
	return nil
}

// ContentID names a record by its content, where its rule does not.
func ContentID(rec *journal.Record) string {
	sum := sha256.Sum256(rec.Body)
	return hex.EncodeToString(sum[:12])
}

// InputOf gives a journal's record to its rule.
func InputOf(rec *journal.Record, body any) rules.Input {
	id := rec.ID
	if strings.HasPrefix(id, Unidentified) {
		id = ""
	}
	return rules.Input{Body: body, Source: SourceFields(rec.Origin, rec.Received), RecordID: id,
		FileID: rec.Origin.FileBeside(), Withdrawn: rec.Origin.Withdrawn}
}

// SourceFields is what expressions see as `source`.
func SourceFields(o sources.Origin, received time.Time) map[string]any {
	fields := map[string]any{"trigger": o.Trigger, "received": received, "deleted": o.Deleted}
	for _, text := range [...]struct{ name, value string }{{"file", o.File}, {"sheet", o.Sheet}, {"query", o.Query},
		{"remote", o.Remote}} {
		if text.value != "" {
			fields[text.name] = text.value
		}
	}
	if o.Row > 0 {
		fields["row"] = o.Row
	}
	if len(o.Headers) > 0 {
		headers := make(map[string]any, len(o.Headers))
		for name, value := range o.Headers {
			headers[name] = value
		}
		fields["headers"] = headers
	}
	return fields
}
