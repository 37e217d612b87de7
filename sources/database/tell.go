package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/poll"
)

const (
	tellEvery = time.Second      // how often it is asked for outcomes
	tellBatch = 200              // outcomes written in one transaction
	tellAgain = 15 * time.Minute // when a row is tried again that the database refused
)

// tell writes outcomes back to where rows came from until ctx ends.
func (s *Source) tell(ctx context.Context, r Rule, sink sources.Sink) {
	log := s.c.Log.With("rule", r.Rule, "connection", r.WriteBack.Connection)
	outcomes, ok := sink.(sources.Outcomes)
	if !ok {
		log.Error("outcomes cannot be written back here: nobody tells of them")
		return
	}
	t := &teller{source: s, rule: r.Rule, back: r.WriteBack, outcomes: outcomes, log: log, failing: map[int64]bool{},
		refused: poll.Subject{Sink: sink, Name: "write-back of single rows of rule " + r.Rule}}
	defer t.refused.Fails(nil)
	subject := poll.Subject{Sink: sink, Name: "write-back of rule " + r.Rule}
	poll.Loop(ctx, tellEvery, subject, log, t.all)
}

// teller writes the outcomes of one rule back.
type teller struct {
	source   *Source
	rule     string
	back     *WriteBack
	outcomes sources.Outcomes
	log      *slog.Logger
	refused  poll.Subject
	failing  map[int64]bool // records that the database refused
}

// all writes what there is.
func (t *teller) all(ctx context.Context) error {
	for {
		batch, err := t.outcomes.Outcomes(ctx, t.rule, tellBatch)
		if err != nil {
			return fmt.Errorf("ask for outcomes: %w", err)
		}
		if len(batch) == 0 {
			return nil
		}
		if err := t.batch(ctx, batch); err != nil {
			return err
		}
	}
}

// telling is one outcome under way to the database.
type telling struct {
	told      sources.Told
	arguments []any
}

func (t *teller) batch(ctx context.Context, batch []sources.Outcome) error {
	db, err := t.source.writers.Get(t.back.Connection)
	if err != nil {
		return err
	}
	known := make([]sources.Told, 0, len(batch))
	var news []telling
	digests := map[string]uint64{} // of this batch
	for i := range batch {
		n := telling{told: sources.Told{Outcome: batch[i]}}
		digest, err := t.back.digest(&batch[i])
		before, again := digests[n.told.RecordID]
		if !again {
			before = n.told.Known
		}
		if err == nil {
			if digest == before {
				known = append(known, n.told)
				continue
			}
			n.told.Digest, digests[n.told.RecordID] = digest, digest
			n.arguments, err = t.back.arguments(db.dialect, &batch[i])
		}
		switch {
		case errors.Is(err, errNoRow):
			t.log.Warn("an outcome is not written back, for its row was erased", "record", n.told.RecordID)
			known = append(known, sources.Told{Outcome: n.told.Outcome})
		case err != nil:
			return err
		default:
			news = append(news, n)
		}
	}
	done, err := t.write(ctx, db, news)
	if kept := t.outcomes.Told(ctx, t.rule, append(known, done...)); kept != nil {
		return errors.Join(err, fmt.Errorf("keep what was written back: %w", kept))
	}
	return err
}

// write writes outcomes in one transaction, or one by one when the database refuses one of them.
func (t *teller) write(ctx context.Context, db *Database, news []telling) ([]sources.Told, error) {
	if len(news) == 0 {
		return nil, nil
	}
	missed, err := db.write(ctx, t.back, news)
	if err == nil {
		return t.taken(news, missed), nil
	}
	if !ofRow(err) || ctx.Err() != nil {
		return nil, explainWrite(ctx, err)
	}
	var done []sources.Told
	for i := range news {
		one := news[i : i+1]
		missed, err := db.write(ctx, t.back, one)
		switch {
		case err == nil:
			done = append(done, t.taken(one, missed)...)
		case !ofRow(err) || ctx.Err() != nil:
			return done, explainWrite(ctx, err)
		default:
			done = append(done, t.refuse(one[0].told, explainWrite(ctx, err)))
		}
	}
	return done, nil
}

func (t *teller) taken(news []telling, missed []int) []sources.Told {
	for _, i := range missed {
		t.log.Warn("an outcome found no row to be written to", "record", news[i].told.RecordID)
	}
	out := make([]sources.Told, len(news))
	failing := len(t.failing)
	for i := range news {
		out[i] = news[i].told
		delete(t.failing, out[i].Seq)
	}
	if failing > 0 && len(t.failing) == 0 {
		t.refused.Fails(nil)
	}
	return out
}

func (t *teller) refuse(told sources.Told, err error) sources.Told {
	t.failing[told.Seq] = true
	t.refused.Fails(fmt.Errorf("%d are refused, record %s: %w", len(t.failing), told.RecordID, err))
	t.log.Error("the database refuses an outcome; it is tried again later", "record", told.RecordID, "wait", tellAgain,
		"error", err)
	told.Again = t.source.c.Now().Add(tellAgain)
	return told
}

// write runs the statement for every outcome in one transaction. It gives those that found no row.
func (d *Database) write(ctx context.Context, w *WriteBack, news []telling) (missed []int, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout+grace)
	defer cancel()
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if d.dialect.prepare != nil {
		if err := d.dialect.prepare(ctx, d, tx, w.Timeout); err != nil {
			return nil, err
		}
	}
	stmt, err := tx.PrepareContext(ctx, w.statement.bind(d.dialect))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stmt.Close() }()
	for i := range news {
		result, err := stmt.ExecContext(ctx, news[i].arguments...)
		if err != nil {
			return nil, err
		}
		if n, err := result.RowsAffected(); err == nil && n == 0 {
			missed = append(missed, i)
		}
	}
	return missed, tx.Commit()
}
