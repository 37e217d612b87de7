package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/tabular"
)

// planBatch is how many records are rehearsed in one request.
const planBatch = 100

// Planned is what a server would say of one record.
type Planned struct {
	File     string            `json:"file"`
	Row      int               `json:"row,omitempty"` // as a spreadsheet shows it
	RecordID string            `json:"id,omitempty"`
	Status   string            `json:"status"` // fine, skipped, failed
	Problems []actions.Outcome `json:"problems,omitempty"`
	Failure  *rules.Failure    `json:"failure,omitempty"`
}

// Plan evaluates every record of a file, with what outside knows of its lookups, and asks the server
// to validate the writes without writing them. The format says how the file is read. Every record is reported.
func Plan(ctx context.Context, flow *program.Flow, target actions.Target, outside actions.Outside, file string,
	format tabular.Format, report func(Planned) error) error {
	r, err := tabular.Open(ctx, file, format)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	p := planner{ctx: ctx, flow: flow, target: target, outside: outside, file: filepath.Base(file), report: report}
	for ctx.Err() == nil {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return p.flush()
		}
		var bad *tabular.RowError
		if errors.As(err, &bad) {
			p.add(Planned{File: p.file, Row: bad.Line, Status: "failed",
				Failure: &rules.Failure{Problem: diag.Problem{Code: "unreadable-row", Message: bad.Message,
					Hint: bad.Hint, Column: bad.Column}}}, nil)
			continue
		}
		if err != nil {
			return err
		}
		if err := p.row(row); err != nil {
			return err
		}
	}
	return ctx.Err()
}

type planner struct {
	ctx     context.Context
	flow    *program.Flow
	target  actions.Target
	outside actions.Outside
	file    string
	report  func(Planned) error
	waiting []Planned
	plans   []actions.Plan
	at      []int // plans[i] belongs to waiting[at[i]]
}

func (p *planner) row(row tabular.Row) error {
	e, err := program.Evaluate(p.flow, rules.Input{Body: row.Body,
		Source: map[string]any{"file": p.file, "row": row.Line}})
	if err != nil {
		return fmt.Errorf("%s row %d: %w", p.file, row.Line, err)
	}
	x := Planned{File: p.file, Row: row.Line, RecordID: e.ID, Status: "fine"}
	switch {
	case e.Failure != nil:
		x.Status, x.Failure = "failed", e.Failure
		p.add(x, nil)
	case e.Skipped:
		x.Status = "skipped"
		p.add(x, nil)
	default:
		p.add(x, &e.Plan)
	}
	if len(p.plans) >= planBatch || len(p.waiting) >= 10*planBatch {
		return p.flush()
	}
	return nil
}

func (p *planner) add(x Planned, plan *actions.Plan) {
	if plan != nil {
		p.plans = append(p.plans, *plan)
		p.at = append(p.at, len(p.waiting))
	}
	p.waiting = append(p.waiting, x)
}

// take notes what the server said of a record; an error says that it cannot be asked at all.
func (p *planner) take(x *Planned, o actions.Outcome) error {
	switch o.Status {
	case actions.Failed, actions.Retry:
		x.Status = "failed"
		x.Problems = append(x.Problems, o)
	}
	if o.Class == actions.ClassServer || o.Class == actions.ClassCredentials {
		return fmt.Errorf("the server cannot be asked: %s", strings.TrimSuffix(o.Message+": "+o.Hint, ": "))
	}
	return nil
}

// ask answers the lookups of the plans gathered, and leaves out those that come to nothing to write.
func (p *planner) ask() error {
	var plans []actions.Plan
	var at []int
	for i, a := range program.Ask(p.ctx, p.target, p.outside, p.plans) {
		x := &p.waiting[p.at[i]]
		switch {
		case a.Err != nil:
			return fmt.Errorf("%s row %d: %w", x.File, x.Row, a.Err)
		case a.Failure != nil:
			x.Status, x.Failure = "failed", a.Failure
		case a.Skipped:
			x.Status = "skipped"
		case a.Outcome != nil:
			if err := p.take(x, *a.Outcome); err != nil {
				return err
			}
		default:
			plans, at = append(plans, p.plans[i]), append(at, p.at[i])
		}
	}
	p.plans, p.at = plans, at
	return nil
}

// flush asks the server about the plans gathered and reports the records in their order.
func (p *planner) flush() error {
	if err := p.ask(); err != nil {
		return err
	}
	if len(p.plans) > 0 {
		for i, r := range p.target.Rehearse(p.ctx, p.plans) {
			for _, o := range r.Outcomes {
				if err := p.take(&p.waiting[p.at[i]], o); err != nil {
					return err
				}
			}
		}
	}
	for _, x := range p.waiting {
		if err := p.report(x); err != nil {
			return err
		}
	}
	p.waiting, p.plans, p.at = p.waiting[:0], p.plans[:0], p.at[:0]
	return nil
}
