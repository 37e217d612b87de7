package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
	"github.com/culvert/culvert/sources/tree"
)

var _ sources.Sink = (*Runner)(nil)

// unidentified begins the id of a record whose rule could not give one; it is asked again when the record is sent.
const unidentified = "unidentified-"

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
	program := r.program.Load()
	for i := range b.Records {
		rec, err := r.accept(program, &b.Records[i])
		if err != nil {
			return nil, err
		}
		if flow := program.flow(rec.Rule); flow != nil && flow.Rule.ID != nil {
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
func (r *Runner) accept(program *Program, in *sources.Record) (*journal.Record, error) {
	flow := program.flow(in.Rule)
	if flow == nil {
		return nil, fmt.Errorf("there is no rule %q: %w", in.Rule, sources.ErrFinal)
	}
	rec := &journal.Record{Rule: in.Rule, Origin: in.Origin, Received: in.Received, State: journal.Pending, Notify: flow.Tell}
	if rec.Received.IsZero() {
		rec.Received = r.now()
	}
	if err := encodeBody(rec, in.Raw, in.Body); err != nil {
		return nil, fmt.Errorf("the record for rule %s is not data that can be kept: %w: %w", in.Rule, err, sources.ErrFinal)
	}
	if flow.Invalid != nil {
		r.hold(rec, flow.Invalid)
		return rec, nil
	}
	skipped, id, key, version, err := begin(flow, inputOf(rec, in.Body))
	switch {
	case err != nil:
		r.cannotIdentify(rec, flow, id, key, err)
	case skipped:
		rec.ID, rec.Key = contentID(rec), contentID(rec)
		rec.State, rec.Settled = journal.Skipped, r.now()
		if !rec.Notify {
			rec.Body = nil // its source is told by what stands in it
		}
	default:
		rec.ID, rec.Key, rec.Version = id, key, version
		if p := r.controls.Load().PausedRule(in.Rule); p != nil {
			rec.State, rec.Problem = journal.Held, p
		}
	}
	return rec, nil
}

// begin identifies a record, and turns a panic of an expression into an error.
func begin(flow *Flow, in rules.Input) (skipped bool, id, key string, version int64, err error) {
	defer recovered(flow, &err)
	scope := flow.Rule.Begin(in)
	if skipped, id, key, err = identify(flow.Rule, scope); err == nil && !skipped {
		version, err = versionOf(flow.Rule, scope)
	}
	return skipped, id, key, version, err
}

func (r *Runner) hold(rec *journal.Record, p *journal.Problem) {
	rec.ID = unidentified + contentID(rec)
	rec.Key = rec.ID
	rec.State, rec.Problem = journal.Held, p
}

// cannotIdentify keeps a record that has no id or key yet as failed, with its body, so that it can be replayed.
func (r *Runner) cannotIdentify(rec *journal.Record, flow *Flow, id, key string, err error) {
	if id == "" {
		id = unidentified + contentID(rec)
	}
	if key == "" {
		key = id
	}
	rec.ID, rec.Key, rec.State, rec.Settled = id, key, journal.Failed, r.now()
	rec.Problem = r.evaluationProblem(flow, rec.ID, err)
}

// evaluationProblem words why a rule could not be evaluated on a record.
func (r *Runner) evaluationProblem(flow *Flow, id string, err error) *journal.Problem {
	var f *rules.Failure
	if errors.As(err, &f) {
		return failureProblem(f)
	}
	r.log.Error("evaluation broke down", "rule", flow.Rule.Name, "record", id, "error", err)
	return internalProblem(flow)
}

// encodeBody sets the record's body and the hash of its content.
func encodeBody(rec *journal.Record, raw []byte, body any) error {
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

// contentID names a record by its content, where its rule does not.
func contentID(rec *journal.Record) string {
	sum := sha256.Sum256(rec.Body)
	return hex.EncodeToString(sum[:12])
}

// inputOf gives a journal's record to its rule.
func inputOf(rec *journal.Record, body any) rules.Input {
	id := rec.ID
	if strings.HasPrefix(id, unidentified) {
		id = ""
	}
	return rules.Input{Body: body, Source: SourceFields(rec.Origin, rec.Received), RecordID: id}
}

// SourceFields is what expressions see as `source`.
func SourceFields(o sources.Origin, received time.Time) map[string]any {
	fields := map[string]any{"trigger": o.Trigger, "received": received}
	for _, text := range [...]struct{ name, value string }{{"file", o.File}, {"sheet", o.Sheet}, {"query", o.Query}, {"remote", o.Remote}} {
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

// AcceptFile makes a taken file known; its rows are read by reference. It is busy when the journal cannot be written.
func (r *Runner) AcceptFile(ctx context.Context, f sources.File) (bool, error) {
	flow := r.program.Load().flow(f.Rule)
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
