package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

var _ sources.Sink = (*Runner)(nil)

// Accept makes a batch durable. A record that the filter refuses is kept as skipped, without its body unless its source is told of it, one that cannot be identified as failed, one whose
// rule is invalid or paused as held. The error is *sources.ErrBusy when nothing can be kept now, and wraps sources.ErrFinal when a record never will be.
func (r *Runner) Accept(ctx context.Context, b sources.Batch) ([]sources.Receipt, error) {
	select {
	case r.accepting <- struct{}{}:
		defer func() { <-r.accepting }()
	default:
		return nil, &sources.ErrBusy{RetryAfter: time.Second, Reason: "too many are being accepted at once"}
	}
	if reason := r.overfull(); reason != "" {
		return nil, &sources.ErrBusy{RetryAfter: 30 * time.Second, Reason: reason}
	}
	records := make([]*journal.Record, len(b.Records))
	p := r.program.Load()
	for i := range b.Records {
		rec, err := r.accept(p, &b.Records[i])
		if err != nil {
			return nil, err
		}
		if flow := p.Flow(rec.Rule); flow != nil && flow.Rule.ID != nil {
			if err := r.asFirstVersion(ctx, rec, flow.Rule.Records(), b.Records[i].Body); err != nil {
				return nil, r.refusal(ctx, "keep records", err)
			}
		}
		records[i] = rec
	}
	duplicates, err := r.journal.Append(ctx, records, b.Cursor)
	if err != nil {
		return nil, r.refusal(ctx, "keep records", err)
	}
	receipts := make([]sources.Receipt, len(records))
	for i, rec := range records {
		duplicate := i < len(duplicates) && duplicates[i]
		receipts[i] = sources.Receipt{RecordID: rec.ID, Duplicate: duplicate, Skipped: rec.State == journal.Skipped}
		r.metrics.Accepted(rec.Rule, rec.State, duplicate)
		if rec.State == journal.Pending && !duplicate {
			r.backlog.Add(1)
		}
	}
	r.feed.poke()
	return receipts, nil
}

// refusal turns what the journal could not do into what a source understands: try again later.
func (r *Runner) refusal(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	busy := &sources.ErrBusy{RetryAfter: 5 * time.Second, Reason: "the journal cannot be written"}
	if away, ok := errors.AsType[*journal.ErrUnavailable](err); ok {
		busy.RetryAfter, busy.Reason = max(away.RetryAfter, time.Second), away.Reason
	}
	if r.trouble.Set("journal", fmt.Sprintf("cannot %s: %v", what, err), r.now()) {
		r.log.Error("the journal refuses records; sources are told to wait", "doing", what, "error", err)
	}
	return busy
}

// overfull says why no more is taken, empty when more is.
func (r *Runner) overfull() string {
	if limit := r.limits.Backlog; limit > 0 && r.backlog.Load() >= limit {
		return fmt.Sprintf("%d accepted records are waiting already", limit)
	}
	return ""
}

// accept makes the journal's record of one item.
func (r *Runner) accept(p *program.Program, in *sources.Record) (*journal.Record, error) {
	flow := p.Flow(in.Rule)
	if flow == nil {
		return nil, fmt.Errorf("there is no rule %q: %w", in.Rule, sources.ErrFinal)
	}
	rec := &journal.Record{Rule: in.Rule, Origin: in.Origin, Received: in.Received, State: journal.Pending, Notify: flow.Notify}
	if rec.Received.IsZero() {
		rec.Received = r.now()
	}
	if err := program.EncodeBody(rec, in.Raw, in.Body); err != nil {
		return nil, fmt.Errorf("the record for rule %s is not data that can be kept: %w: %w", in.Rule, err, sources.ErrFinal)
	}
	if flow.Invalid != nil {
		r.hold(rec, flow.Invalid)
		return rec, nil
	}
	i, err := program.Identify(flow, program.InputOf(rec, in.Body))
	switch {
	case err != nil:
		r.cannotIdentify(rec, flow, i.ID, i.Key, err)
	case i.Skipped:
		rec.ID, rec.Key = program.ContentID(rec), program.ContentID(rec)
		rec.State, rec.Settled = journal.Skipped, r.now()
		if !rec.Notify {
			rec.Body = nil // its source is told by what stands in it
		}
	default:
		rec.ID, rec.Key, rec.Version = i.ID, i.Key, i.Version
		if paused := r.controls.Load().PausedRule(in.Rule); paused != nil {
			rec.State, rec.Problem = journal.Held, paused
		}
	}
	return rec, nil
}

func (r *Runner) hold(rec *journal.Record, p *journal.Problem) {
	rec.ID = program.Unidentified + program.ContentID(rec)
	rec.Key = rec.ID
	rec.State, rec.Problem = journal.Held, p
}

// cannotIdentify keeps a record that has no id or key yet as failed, with its body, so that it can be replayed.
func (r *Runner) cannotIdentify(rec *journal.Record, flow *program.Flow, id, key string, err error) {
	if id == "" {
		id = program.Unidentified + program.ContentID(rec)
	}
	if key == "" {
		key = id
	}
	rec.ID, rec.Key, rec.State, rec.Settled = id, key, journal.Failed, r.now()
	rec.Problem = program.ProblemOf(r.log, flow, rec.ID, err)
}

// AcceptFile makes a taken file known; its rows are read by reference. It is busy when the journal cannot be written.
func (r *Runner) AcceptFile(ctx context.Context, f sources.File) (bool, error) {
	flow := r.program.Load().Flow(f.Rule)
	if flow == nil {
		return false, fmt.Errorf("there is no rule %q: %w", f.Rule, sources.ErrFinal)
	}
	file := &journal.File{File: f, State: journal.FileOpen, Next: 1, Owner: r.owner, Places: tabular.MostRows(f.Name, f.Size)}
	unread := r.files.unread.expect(f.ID, flow.Server, r.now())
	duplicate, err := r.journal.AddFile(ctx, file)
	if err != nil {
		r.files.unread.forget(unread)
		r.feed.poke()
		return false, r.refusal(ctx, "keep file "+f.Name, err)
	}
	if duplicate {
		r.files.unread.forget(unread)
		r.feed.poke()
		r.log.Warn("the same file was dropped before", "rule", f.Rule, "file", f.Name)
		return true, nil
	}
	r.files.unread.accepted(unread, file.Place)
	r.feed.poke()
	r.log.Info("file accepted", "rule", f.Rule, "file", f.Name, "bytes", f.Size)
	r.files.poke()
	return false, nil
}

// Cursor gives a saved cursor, "" when there is none.
func (r *Runner) Cursor(ctx context.Context, name string) (string, error) {
	return r.journal.Cursor(ctx, name)
}
