package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
)

// An edited submission of ODK or KoboToolbox has a new instance id and names the one before. Where
// a rule knows records by that id, an edit is the next version of the record that it edits, not a
// second one: the journal keeps which first version the id of an edit belongs to.

// asFirstVersion gives an edited submission the id of its first version, where its id is the one
// that every edit changes.
func (in *Intake) asFirstVersion(ctx context.Context, rec *journal.Record, namespace string, body any) error {
	s := rules.SubmissionOf(body)
	if !s.Edit() || !s.Is(rec.ID) {
		return nil
	}
	first, err := in.Journal.Meta(ctx, editName(namespace, s.Like(s.Replaces, "")))
	if err != nil {
		return fmt.Errorf("look up an edited submission: %w", err)
	}
	if first == "" {
		first = s.Replaces
	}
	own := rec.ID
	if err := in.Journal.SetMeta(ctx, editName(namespace, s.Like(own, "")), first); err != nil {
		return fmt.Errorf("keep an edited submission: %w", err)
	}
	if rec.ID = s.Like(first, own); s.Is(rec.Key) {
		rec.Key = rec.ID
	}
	return nil
}

// editName is under which the journal keeps the first version of an edit. A hash tells nobody which submission it is.
func editName(namespace, id string) string {
	sum := sha256.Sum256([]byte(namespace + "\x00" + id))
	return "edit." + hex.EncodeToString(sum[:16])
}
