package shared

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Table is a part of a journal as it goes from one store to another. Both stores give and take the
// same columns in the same order; a value is nil, an int64, a float64, a string or a []byte. What a
// store derives from these, such as counters and heads of keys, is not in any.
type Table struct {
	Name    string
	Columns []string
}

// Tables are all parts of a journal.
var Tables = []Table{
	{"meta", []string{"name", "value"}},
	{"rules", []string{"id", "name", "last_received", "last_delivered"}},
	{"records", []string{"seq", "state", "attempts", "flags", "next_try", "touched", "received", "rule", "ident", "chain",
		"content", "id", "key", "file", "row",
		"origin", "version", "rank", "cause"}},
	{"payloads", []string{"seq", "body"}},
	{"outcomes", []string{"seq", "class", "code", "cause", "hint", "object", "field", "place", "private", "objects",
		"superseded_by"}},
	{"files", []string{"id", "rule", "path", "name", "folder", "size", "sha256", "received", "state", "next", "offset",
		"rows", "delivered", "unchanged",
		"skipped", "failed", "finished", "place", "places", "records_delivered", "records_skipped", "superseded",
		"records_superseded", "results"}},
	{"identities", []string{"server", "type", "external_id", "uid", "generation", "origin"}},
	{"digests", []string{"object", "sum", "mark", "version", "seq"}},
	{"shapes", []string{"server", "fields", "number"}},
	{"contributions", []string{"server", "contributor", "slot", "value", "number", "at"}},
	{"contributions_left", []string{"server", "contributor", "slot"}},
	{"terms", []string{"hash", "seq"}},
	{"untold", []string{"seq", "rule", "settled", "due"}},
	{"row_changes", []string{"seq", "touched"}},
	{"figures", []string{"width", "start", "rule", "server", "received", "delivered", "failed", "skipped", "superseded",
		"lag_sum", "lag_max"}},
	{"audit", []string{"at", "who", "did", "why", "count", "subject"}},
}

// Source is a journal that is read as a whole, as it was at one moment.
type Source interface {
	// Dump gives the rows of a table: digests in order of object, the audit trail and records in order of time and Seq.
	Dump(ctx context.Context, t Table, f func(row []any) error) error
	// Moved notes in the journal that it lies somewhere else now; nobody opens it any more.
	Moved(ctx context.Context, to string) error
	Close() error
}

// Target is a journal that is filled as a whole. Until Finish nobody else can open it.
type Target interface {
	Source
	// Loaded gives the tables that were loaded before the last stop, with what was in them.
	Loaded(ctx context.Context) (map[string]Digest, error)
	// Load puts rows into a table in place of all that it holds, in one transaction, and notes it as loaded.
	Load(ctx context.Context, t Table, rows iter.Seq2[[]any, error], done func() Digest) error
	// Finish derives what a store needs besides the tables, and lets it be opened.
	Finish(ctx context.Context) error
}

// Digest says what a table holds, whatever the order of its rows.
type Digest struct {
	Rows int64  `json:"rows"`
	Sum  uint64 `json:"sum"`
}

// Add takes a row in.
func (d *Digest) Add(row []any) error {
	h := fnv.New64a()
	for _, v := range row {
		var text []byte
		switch v := v.(type) {
		case nil:
			text = append(text, 'n')
		case int64:
			text = binary.BigEndian.AppendUint64(append(text, 'i'), uint64(v))
		case float64:
			text = binary.BigEndian.AppendUint64(append(text, 'f'), math.Float64bits(v))
		case string:
			v = codec.Clean(v)
			text = append(binary.BigEndian.AppendUint64(append(text, 's'), uint64(len(v))), v...)
		case []byte:
			text = append(binary.BigEndian.AppendUint64(append(text, 'b'), uint64(len(v))), v...)
		default:
			return fmt.Errorf("a journal holds no %T", v)
		}
		_, _ = h.Write(text) // a hash takes everything
	}
	sum := h.Sum64()
	sum ^= sum >> 31
	d.Sum += sum * 0x9e3779b97f4a7c15
	d.Rows++
	return nil
}

// DigestOf reads a table.
func DigestOf(ctx context.Context, s Source, t Table) (d Digest, err error) {
	err = s.Dump(ctx, t, d.Add)
	if err != nil {
		return d, fmt.Errorf("read %s: %w", t.Name, err)
	}
	return d, nil
}

// Move copies a journal table by table. What was loaded before a stop, and is in the source as it
// was, is not copied again. In the end both hold the same. progress is told of each table.
func Move(ctx context.Context, from Source, to Target, progress func(t Table, d Digest)) error {
	loaded, err := to.Loaded(ctx)
	if err != nil {
		return err
	}
	for _, t := range Tables {
		d, err := moveTable(ctx, from, to, t, loaded)
		if err != nil {
			return err
		}
		progress(t, d)
	}
	return to.Finish(ctx)
}

func moveTable(ctx context.Context, from Source, to Target, t Table, loaded map[string]Digest) (Digest, error) {
	if before, ok := loaded[t.Name]; ok {
		now, err := DigestOf(ctx, from, t)
		if err != nil || now == before {
			return now, err
		}
	}
	var d Digest
	rows := func(yield func([]any, error) bool) {
		err := from.Dump(ctx, t, func(row []any) error {
			if err := d.Add(row); err != nil {
				return err
			}
			if !yield(row, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
	if err := to.Load(ctx, t, rows, func() Digest { return d }); err != nil {
		return d, fmt.Errorf("copy %s: %w", t.Name, err)
	}
	kept, err := DigestOf(ctx, to, t)
	if err == nil && kept != d {
		err = fmt.Errorf("copy %s: there are %d rows and %d were copied, or they are not the same: nothing is lost, the "+
			"old store is as it was", t.Name, kept.Rows, d.Rows)
	}
	return d, err
}

var errStopped = errors.New("stopped")

// What a journal notes of a move, under names of its own.
const (
	MetaMoving = "journal.moving" // into it, unfinished: which tables are loaded
	MetaMoved  = "journal.moved"  // away from it: where it lies now
	MetaKey    = "journal.key"    // the only one of the journal's own names that goes along
)

// Moves tells whether a name in the meta table goes along.
func Moves(name string) bool {
	return len(name) < 8 || name[:8] != "journal." || name == MetaKey
}

// CheckMoved refuses a journal that lies somewhere else now, or that was not filled to the end.
func CheckMoved(place, moved, moving string) error {
	switch {
	case moved != "":
		return &journal.ErrMoved{Place: place, To: moved}
	case moving != "":
		return fmt.Errorf("%s was not filled to the end: run `culvert migrate-store` or `culvert restore` again", place)
	}
	return nil
}
