package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal/journaltest"
)

func TestCorrectionsPassOfEarlierFormats(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	journaltest.CorrectionsPassOfEarlierFormats(t, p, func() {
		conn, err := pgx.Connect(t.Context(), string(p))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(t.Context()) }()
		if _, err := conn.Exec(t.Context(), `UPDATE keys k SET seq = r.seq, rule = r.rule, due = r.next_try, state = r.state
			FROM records r WHERE r.flags & 8 <> 0 AND r.chain = k.chain; UPDATE journal_format SET version = 13`,
			pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	})
}
