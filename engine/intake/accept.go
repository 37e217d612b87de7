package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// Accept makes a batch durable. A record that the filter refuses is kept as skipped, without its
// body unless its source is told of it, one that cannot be identified as failed, one whose rule is
// invalid or paused as held. The error is *sources.ErrBusy when nothing can be kept now, and wraps
// sources.ErrFinal when a record never will be.
func (in *Intake) Accept(ctx context.Context, b sources.Batch) ([]sources.Receipt, error) {
	select {
	case in.accepting <- struct{}{}:
		defer func() { <-in.accepting }()
	default:
		return nil, &sources.ErrBusy{RetryAfter: time.Second, Reason: "too many are being accepted at once"}
	}
	if reason := in.overfull(); reason != "" {
		return nil, &sources.ErrBusy{RetryAfter: 30 * time.Second, Reason: reason}
	}
	start := time.Now()
	p := in.Gate.Program()
	records := make([]*journal.Record, len(b.Records))
	for i := range b.Records {
		rec, err := in.record(p, &b.Records[i])
		if err != nil {
			return nil, err
		}
		if rec.State == journal.Failed {
			if err := in.Failed(ctx, p.Flow(rec.Rule), rec.Problem); err != nil {
				return nil, in.refusal(ctx, "pause a rule", err)
			}
		}
		records[i] = rec
	}
	defer in.inTurn(p, b.Records, records)()
	items, positions := inOrderOfEdits(p, b.Records, records)
	versions, err := in.versions(ctx, p, items, records)
	if err != nil {
		return nil, in.refusal(ctx, "keep records", err)
	}
	beside, err := partsBeside(p, records)
	if err != nil {
		return nil, err
	}
	beside = append(beside, versions.withdrawals...)
	duplicates, err := in.Journal.Append(ctx, slices.Concat(records, beside), b.Cursor)
	if err == nil {
		err = versions.appended(ctx, p, items, records)
	}
	if err != nil {
		return nil, in.refusal(ctx, "keep records", err)
	}
	receipts := make([]sources.Receipt, len(records))
	for i, rec := range records {
		duplicate := i < len(duplicates) && duplicates[i]
		receipts[positions[i]] = sources.Receipt{RecordID: rec.ID, Duplicate: duplicate,
			Skipped: rec.State == journal.Skipped, Seq: rec.Seq}
		in.Metrics.Accepted(rec.Rule, rec.State, duplicate)
		if !duplicate {
			in.trace(rec, start)
		}
		if rec.State == journal.Pending && !duplicate {
			in.Backlog.Add(1)
		}
	}
	for i, rec := range beside {
		duplicate := len(records)+i < len(duplicates) && duplicates[len(records)+i]
		in.Metrics.Accepted(rec.Rule, rec.State, duplicate)
		if rec.State == journal.Pending && !duplicate {
			in.Backlog.Add(1)
		}
	}
	in.Queue.Notify()
	return receipts, nil
}

// trace tells of the acceptance of a record.
func (in *Intake) trace(rec *journal.Record, start time.Time) {
	if in.Trace == nil {
		return
	}
	in.Trace.Step(tracing.Step{Name: "accept", Rule: rec.Rule, Record: rec.ID, Received: rec.Received, Start: start,
		End: time.Now(), State: string(rec.State), Code: rec.Problem.CodeOf(),
		Last: rec.State == journal.Skipped || rec.State == journal.Failed})
}

// partsBeside makes the records of those further parts of rules that wait for no other part.
func partsBeside(p *program.Program, records []*journal.Record) (list []*journal.Record, err error) {
	for _, rec := range records {
		flow := p.Flow(rec.Rule)
		if rec.State != journal.Pending && rec.State != journal.Failed || strings.HasPrefix(rec.ID, program.Unidentified) {
			continue
		}
		for _, next := range flow.Beside {
			one, err := next.Record(rec, flow, nil, nil)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", err, sources.ErrFinal)
			}
			list = append(list, one)
		}
	}
	return list, nil
}

// refusal turns what the journal could not do into what a source understands: try again later.
func (in *Intake) refusal(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	busy := &sources.ErrBusy{RetryAfter: 5 * time.Second, Reason: "the journal cannot be written"}
	if away, ok := errors.AsType[*journal.ErrUnavailable](err); ok {
		busy.RetryAfter, busy.Reason = max(away.RetryAfter, time.Second), away.Reason
	}
	if in.Conditions.Set(durable.Subject, fmt.Sprintf("cannot %s: %v", what, err), in.Now()) {
		in.Log.Error("journal write failed; sources are told to wait", "doing", what, "error", err)
	}
	return busy
}

// overfull says why no more is taken, empty when more is.
func (in *Intake) overfull() string {
	if limit := in.MaxBacklog; limit > 0 && in.Backlog.Load() >= limit {
		return fmt.Sprintf("%d accepted records are waiting already", limit)
	}
	return ""
}

// record makes the journal's record of one item.
func (in *Intake) record(p *program.Program, item *sources.Record) (*journal.Record, error) {
	flow := p.Flow(item.Rule)
	if flow == nil {
		return nil, fmt.Errorf("there is no rule %q: %w", item.Rule, sources.ErrFinal)
	}
	rec := &journal.Record{Rule: item.Rule, Origin: item.Origin, Received: item.Received, State: journal.Pending,
		Notify: flow.Notify}
	if rec.Received.IsZero() {
		rec.Received = in.Now()
	}
	if err := program.EncodeBody(rec, item.Raw, item.Body); err != nil {
		return nil, fmt.Errorf("the record for rule %s is not data that can be kept: %w: %w", item.Rule, err,
			sources.ErrFinal)
	}
	if flow.Invalid != nil {
		in.hold(rec, flow.Invalid)
		return rec, nil
	}
	i, err := program.Identify(flow, program.InputOf(rec, item.Body))
	switch {
	case err != nil:
		in.cannotIdentify(rec, flow, i.ID, i.Key, err)
	case i.Skipped:
		rec.ID, rec.Key = program.ContentID(rec), program.ContentID(rec)
		rec.State, rec.Settled = journal.Skipped, in.Now()
		if !rec.Notify {
			rec.Body = nil // its source is told by what stands in it
		}
	default:
		rec.ID, rec.Key, rec.Version = i.ID, i.Key, i.Version
		if flow.Rule.Delivery.Disabled {
			rec.State, rec.Problem = journal.Held, program.DisabledRule(flow.Rule.Name)
		} else if paused := in.Gate.Controls().PausedRule(item.Rule); paused != nil {
			rec.State, rec.Problem = journal.Held, paused
		}
	}
	return rec, nil
}

func (in *Intake) hold(rec *journal.Record, p *journal.Problem) {
	rec.ID = program.Unidentified + program.ContentID(rec)
	rec.Key = rec.ID
	rec.State, rec.Problem = journal.Held, p
}

// cannotIdentify keeps a record that has no id or key yet as failed, with its body, so that it can be replayed.
func (in *Intake) cannotIdentify(rec *journal.Record, flow *program.Flow, id, key string, err error) {
	if id == "" {
		id = program.Unidentified + program.ContentID(rec)
	}
	if key == "" {
		key = id
	}
	rec.ID, rec.Key, rec.State, rec.Settled = id, key, journal.Failed, in.Now()
	rec.Problem = program.ProblemOf(in.Log, flow, rec.ID, err)
}

// AcceptFile makes a taken file known; its rows are read by reference. It is busy when the journal cannot be written.
func (in *Intake) AcceptFile(ctx context.Context, f sources.File) (bool, error) {
	flow := in.Gate.Program().Flow(f.Rule)
	if flow == nil {
		return false, fmt.Errorf("there is no rule %q: %w", f.Rule, sources.ErrFinal)
	}
	file := &journal.File{File: f, State: journal.FileOpen, Next: 1, Owner: in.Owner,
		Places: tabular.MostRows(f.Name, f.Size)}
	accepted, cancel := in.Queue.Expect(f, flow.Server)
	duplicate, err := in.Journal.AddFile(ctx, file)
	if err != nil {
		cancel()
		return false, in.refusal(ctx, "keep file "+f.Name, err)
	}
	if duplicate {
		cancel()
		in.Log.Warn("the same file was dropped before", "rule", f.Rule, "file", f.Name)
		return true, nil
	}
	accepted(file.Place)
	in.Log.Info("file accepted", "rule", f.Rule, "file", f.Name, "bytes", f.Size)
	in.Files.Notify()
	return false, nil
}

// FileOutcomes gives how the files of a rule stand, by their SHA256.
func (in *Intake) FileOutcomes(ctx context.Context, rule string) (map[string]sources.FileOutcome, error) {
	list, err := in.Journal.Files(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("look at the files of rule %s: %w", rule, err)
	}
	slices.SortStableFunc(list, func(a, b journal.File) int { return a.Received.Compare(b.Received) })
	out := map[string]sources.FileOutcome{}
	for _, f := range list {
		if f.Rule != rule {
			continue
		}
		now := sources.FileOutcome{Results: f.Results}
		if f.State == journal.FileFinished {
			now.Finished = f.Finished
		}
		out[f.SHA256] = now
	}
	return out, nil
}

// Cursor gives a saved cursor, "" when there is none.
func (in *Intake) Cursor(ctx context.Context, name string) (string, error) {
	return in.Journal.Cursor(ctx, name)
}
