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
// the one that nothing replaced wins.

// instance is what is known of one version of a submission.
type instance struct {
	record   string // the id of the record that it is a version of; empty: its own
	replaced int64  // the place of the version that replaced it; 0: none is known
}

func (in *Intake) instance(ctx context.Context, name string) (i instance, err error) {
	text, err := in.Journal.Meta(ctx, name)
	if err != nil {
		return i, fmt.Errorf("look up an edited submission: %w", err)
	}
	record, seq, _ := strings.Cut(text, "\n")
	i.record = record
	i.replaced, _ = strconv.ParseInt(seq, 10, 64)
	return i, nil
}

func (in *Intake) keepInstance(ctx context.Context, name string, i instance) error {
	text := i.record
	if i.replaced != 0 {
		text += "\n" + strconv.FormatInt(i.replaced, 10)
	}
	if err := in.Journal.SetMeta(ctx, name, text); err != nil {
		return fmt.Errorf("keep an edited submission: %w", err)
	}
	return nil
}

// asVersion gives a submission the id of the record that it is a version of, where its id is the
// one that every edit changes, and a place before that of the version that has replaced it already.
func (in *Intake) asVersion(ctx context.Context, rec *journal.Record, namespace string, body any) error {
	s := rules.SubmissionOf(body)
	if s.Instance == "" {
		return nil
	}
	own, err := in.instance(ctx, editName(namespace, s.Like(s.Instance, "")))
	if err != nil {
		return err
	}
	if own.replaced > 1 {
		rec.Rank = own.replaced - 1
	}
	if !s.Is(rec.ID) {
		return nil
	}
	first := own.record
	if s.Edit() {
		if first, err = in.keepEdit(ctx, namespace, s, own); err != nil {
			return err
		}
	}
	if first == "" {
		return nil
	}
	id := rec.ID
	if rec.ID = s.Like(first, id); s.Is(rec.Key) {
		rec.Key = rec.ID
	}
	return nil
}

// keepEdit keeps of an edit and of the version before it which record they are, and gives its id.
func (in *Intake) keepEdit(ctx context.Context, namespace string, s rules.Submission, own instance) (string, error) {
	name := editName(namespace, s.Like(s.Replaces, ""))
	before, err := in.instance(ctx, name)
	if err != nil {
		return "", err
	}
	switch {
	case own.record != "": // an edit of this one came first
	case before.record != "":
		own.record = before.record
	default:
		own.record = s.Replaces
	}
	if err := in.keepInstance(ctx, editName(namespace, s.Like(s.Instance, "")), own); err != nil {
		return "", err
	}
	if before.record == "" {
		before.record = own.record
		err = in.keepInstance(ctx, name, before)
	}
	return own.record, err
}

// replaces keeps of the version before an edit that the edit, which has a place now, replaced it.
func (in *Intake) replaces(ctx context.Context, rec *journal.Record, namespace string, body any) error {
	s := rules.SubmissionOf(body)
	if !s.Edit() {
		return nil
	}
	name := editName(namespace, s.Like(s.Replaces, ""))
	before, err := in.instance(ctx, name)
	if err != nil || before.replaced != 0 && before.replaced <= rec.Order().Seq {
		return err
	}
	before.replaced = rec.Order().Seq
	return in.keepInstance(ctx, name, before)
}

// editName is under which the journal keeps a version. A hash tells nobody which submission it is.
func editName(namespace, id string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + id))
	return "edit." + hex.EncodeToString(sum[:16])
}
