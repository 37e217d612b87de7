package status

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
)

// Lister finds records and files.
type Lister interface {
	Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error)
	Files(ctx context.Context, state journal.FileState) ([]journal.File, error)
}

// SupersededBy names what superseded a record, for people; empty when nothing did or it is not known.
func SupersededBy(ctx context.Context, j Lister, rec *journal.Record) (string, error) {
	if rec.SupersededBy == 0 {
		return "", nil
	}
	found, err := j.Select(ctx, journal.Filter{Seq: rec.SupersededBy, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		if o := found[0].Origin; o.File != "" {
			return fmt.Sprintf("row %d of %s (record %d)", o.Row, o.File, rec.SupersededBy), nil
		}
		return fmt.Sprintf("record %d", rec.SupersededBy), nil
	}
	list, err := j.Files(ctx, "")
	if err != nil {
		return "", err
	}
	byID := make(map[string]*journal.File, len(list))
	for i := range list {
		byID[list[i].ID] = &list[i]
	}
	return RowAt(byID, rec.SupersededBy), nil
}

// RowAt names the row of a file at a place in the order of acceptance.
func RowAt(list map[string]*journal.File, seq int64) string {
	for _, f := range list {
		if f.Place < seq && seq <= f.Place+f.Places {
			return fmt.Sprintf("data row %d of %s", seq-f.Place, f.Name)
		}
	}
	return "a newer record"
}
