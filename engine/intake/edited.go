package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
)

// An edited submission of ODK or KoboToolbox has a new instance id and names the one before. Where
// a rule knows records by that id, an edit is the next version of the record that it edits, not a
// second one. Versions come in any order, an edit of an edit before the edit: the journal keeps for
// each instance id that was met which record it is a version of, and what has replaced it, so that
// the one that nothing replaced wins. Where the edit that links two versions comes after both, each
// of them is a record of its own by then: the earlier one is taken back (withdraw.go).

// maxLinks bounds how many joined records are followed to the one that stands for all.
const maxLinks = 100

// instance is what is known of one version of a submission.
type instance struct {
	record   string // the plain id of the record that it is a version of; empty: nothing is known of it
	replaced int64  // the place of the version that replaced it; 0: none is known
}

// edits is what one batch learns of versions. It is kept once the records of the batch are: when
// the runner dies in between, the batch comes again and is told the same.
type edits struct {
	in      *Intake
	learned map[string]instance
	split   []splitRecord
}

// splitRecord is a record that turned out to be an earlier version of another one.
type splitRecord struct {
	namespace string // of its rule
	id        string // its own
	into      string // that of the record that stands for both
}

func (in *Intake) newEdits() *edits { return &edits{in: in, learned: map[string]instance{}} }

func (e *edits) instance(ctx context.Context, name string) (i instance, err error) {
	if i, ok := e.learned[name]; ok {
		return i, nil
	}
	text, err := e.in.Journal.Meta(ctx, name)
	if err != nil {
		return i, fmt.Errorf("look up an edited submission: %w", err)
	}
	record, seq, _ := strings.Cut(text, "\n")
	i.record = plainID(record)
	i.replaced, _ = strconv.ParseInt(seq, 10, 64)
	return i, nil
}

// keep makes durable what was learned.
func (e *edits) keep(ctx context.Context) error {
	for name, i := range e.learned {
		text := i.record
		if i.replaced != 0 {
			text += "\n" + strconv.FormatInt(i.replaced, 10)
		}
		if err := e.in.Journal.SetMeta(ctx, name, text); err != nil {
			return fmt.Errorf("keep an edited submission: %w", err)
		}
	}
	return nil
}

// recordOf follows an instance id to the id of the record that stands for it; empty: nothing is known of it.
func (e *edits) recordOf(ctx context.Context, namespace, id string) (string, error) {
	record := ""
	for range maxLinks {
		i, err := e.instance(ctx, editName(namespace, id))
		if err != nil || i.record == "" || i.record == record {
			return record, err
		}
		record, id = i.record, i.record
	}
	return record, nil
}

// joins keeps which record a version is one of.
func (e *edits) joins(ctx context.Context, namespace, id, record string) error {
	name := editName(namespace, id)
	i, err := e.instance(ctx, name)
	if err == nil && i.record != record {
		i.record = record
		e.learned[name] = i
	}
	return err
}

// learn takes in what an edit says: that it and the version before it are one record. Of two
// records that exist already the one of the edit stays, for the later versions are there.
func (e *edits) learn(ctx context.Context, rec *journal.Record, namespace string, body any) error {
	s := rules.SubmissionOf(body)
	if !s.Edit() || !s.Is(rec.ID) {
		return nil
	}
	own, replaces := plainID(s.Instance), plainID(s.Replaces)
	record, err := e.recordOf(ctx, namespace, own)
	if err != nil {
		return err
	}
	before, err := e.recordOf(ctx, namespace, replaces)
	if err != nil {
		return err
	}
	switch {
	case record == "" && before == "":
		record, before = replaces, replaces
	case record == "":
		record = before
	case before == "":
		before = replaces
	}
	if record != before {
		e.split = append(e.split, splitRecord{namespace: namespace, id: s.Like(before, rec.ID),
			into: s.Like(record, rec.ID)})
	}
	for _, id := range []string{own, replaces, before} {
		if err := e.joins(ctx, namespace, id, record); err != nil {
			return err
		}
	}
	return nil
}

// asVersion gives a submission the id of the record that it is a version of, where its id is the
// one that every edit changes, and a place before that of the version that has replaced it already.
func (e *edits) asVersion(ctx context.Context, rec *journal.Record, namespace string, body any) error {
	s := rules.SubmissionOf(body)
	if s.Instance == "" {
		return nil
	}
	own, err := e.instance(ctx, editName(namespace, plainID(s.Instance)))
	if err != nil {
		return err
	}
	if own.replaced != 0 {
		if rec.Rank = own.replaced - 1; rec.Rank == 0 {
			rec.Rank = -1 // 0 is none
		}
		if err := e.standsAt(ctx, namespace, s, rec.Rank); err != nil {
			return err
		}
	}
	if !s.Is(rec.ID) || own.record == "" {
		return nil
	}
	record, err := e.recordOf(ctx, namespace, own.record)
	if err != nil {
		return err
	}
	if record == "" {
		record = own.record
	}
	id := rec.ID
	if rec.ID = s.Like(record, id); s.Is(rec.Key) {
		rec.Key = rec.ID
	}
	return nil
}

// standsAt learns of the version before an edit that the edit, which stands at a place, replaced it.
func (e *edits) standsAt(ctx context.Context, namespace string, s rules.Submission, seq int64) error {
	if !s.Edit() {
		return nil
	}
	name := editName(namespace, plainID(s.Replaces))
	before, err := e.instance(ctx, name)
	if err != nil || before.replaced != 0 && before.replaced <= seq {
		return err
	}
	before.replaced = seq
	e.learned[name] = before
	return nil
}

// plainID is an instance id without what some tools put before it.
func plainID(id string) string { return rules.Submission{}.Like(id, "") }

// editName is under which the journal keeps a version. A hash tells nobody which submission it is.
func editName(namespace, id string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + id))
	return "edit." + hex.EncodeToString(sum[:16])
}
