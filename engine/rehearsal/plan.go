package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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

// Asked are the servers that check the writes of a rule, and who answers its lookups.
type Asked struct {
	program.Askers
	// PlaceOf gives the server that an action writes to, by its number in the rule.
	PlaceOf func(action int) string
}

// Plan evaluates every record of a file, and asks the servers to validate the writes without
// writing them. The format says how the file is read. Every record is reported.
func Plan(ctx context.Context, flow *program.Flow, servers Asked, file string, format tabular.Format,
	report func(Planned) error) error {
	r, err := tabular.Open(ctx, file, format)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // only read
	p := planner{ctx: ctx, flow: flow, servers: servers, file: filepath.Base(file), report: report}
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
	servers Asked
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
	for i, a := range program.Ask(p.ctx, p.servers.Askers, p.plans) {
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

// rehearse has each server validate what of the plans goes there.
func (p *planner) rehearse() error {
	var order []string
	plans, at := map[string][]actions.Plan{}, map[string][]int{}
	for i, plan := range p.plans {
		own := map[string]*actions.Plan{}
		for _, w := range plan.Writes {
			place := p.servers.PlaceOf(w.Action)
			if own[place] == nil {
				part := plan
				part.Writes = nil
				own[place] = &part
			}
			own[place].Writes = append(own[place].Writes, w)
			if !slices.Contains(order, place) {
				order = append(order, place)
			}
		}
		for place, part := range own {
			plans[place], at[place] = append(plans[place], *part), append(at[place], p.at[i])
		}
	}
	for _, place := range order {
		target := p.servers.Server(place)
		if target == nil {
			return fmt.Errorf("the server %q cannot be asked", place)
		}
		for i, r := range target.Rehearse(p.ctx, plans[place]) {
			for _, o := range r.Outcomes {
				if err := p.take(&p.waiting[at[place][i]], o); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// flush asks the server about the plans gathered and reports the records in their order.
func (p *planner) flush() error {
	if err := p.ask(); err != nil {
		return err
	}
	if err := p.rehearse(); err != nil {
		return err
	}
	for _, x := range p.waiting {
		if err := p.report(x); err != nil {
			return err
		}
	}
	p.waiting, p.plans, p.at = p.waiting[:0], p.plans[:0], p.at[:0]
	return nil
}
