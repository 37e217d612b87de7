package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// resealed are what is sealed for a record: read with its identity, in order of seq, and written.
var resealed = []struct{ purpose, read, write string }{
	{codec.PurposeBody, "SELECT p.seq, r.ident, p.body FROM payloads p CROSS JOIN records r ON r.seq = p.seq WHERE " +
		"p.seq > ? ORDER BY p.seq LIMIT ?",
		"UPDATE payloads SET body = ? WHERE seq = ?"},
	{codec.PurposeOrigin, "SELECT seq, ident, origin FROM records WHERE seq > ? AND origin IS NOT NULL ORDER BY seq " +
		"LIMIT ?", "UPDATE records SET origin = ? WHERE seq = ?"},
	{codec.PurposeProblem, `SELECT o.seq, r.ident, o.private FROM outcomes o CROSS JOIN records r ON r.seq = o.seq
		WHERE o.seq > ? AND o.private IS NOT NULL
		ORDER BY o.seq LIMIT ?`, "UPDATE outcomes SET private = ? WHERE seq = ?"},
}

// Encryption implements journal.Reader.
func (s *Store) Encryption(ctx context.Context) (journal.Encryption, error) {
	note, err := s.Meta(ctx, keyCheck)
	return codec.Encryption(note), err
}

// Rekey implements journal.Maintenance.
func (s *Store) Rekey(ctx context.Context) (int64, error) {
	if !s.sealer.Sealing() {
		return 0, shared.ErrNoKey
	}
	if err := s.own(ctx); err != nil {
		return 0, err
	}
	if to := s.sealer.Renew(); to != nil {
		count, err := s.rename(ctx, to)
		if err != nil {
			return count, fmt.Errorf("encrypt the journal anew: %w", err)
		}
		return count, s.scrub(ctx)
	}
	var count int64
	for _, r := range resealed {
		for after := int64(0); after >= 0; {
			err := s.writer.change(ctx, shared.ChangeSize, func(t *tx) error {
				n, last, err := s.reseal(t, r.purpose, r.read, r.write, after)
				t.then(func() { count, after = count+n, last })
				return err
			})
			if err != nil {
				return count, fmt.Errorf("encrypt the journal anew: %w", err)
			}
		}
	}
	err := s.writer.change(ctx, shared.ChangeSize, func(t *tx) error {
		n, err := s.resealShares(t)
		if err != nil {
			return err
		}
		t.then(func() { count += n })
		return t.exec(setMeta, keyCheck, s.sealer.HiddenNote())
	})
	if err != nil {
		return count, fmt.Errorf("encrypt the journal anew: %w", err)
	}
	return count, s.scrub(ctx)
}

// reseal seals some payloads of one kind anew and gives the last record that it looked at, -1 when there are no more.
func (s *Store) reseal(t *tx, purpose, read, write string, after int64) (count, last int64, err error) {
	fresh := map[int64][]byte{}
	last = -1
	rows, err := t.query(read, after, shared.ChangeSize)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq, ident int64
		var stored []byte
		if err := rows.Scan(&seq, &ident, &stored); err != nil {
			return err
		}
		last = seq
		sealed, changed, err := s.sealer.Reseal(purpose, ident, stored)
		if changed {
			fresh[seq] = sealed
		}
		return err
	})
	for seq, sealed := range fresh {
		err = errors.Join(err, t.exec(write, sealed, seq))
	}
	return int64(len(fresh)), last, err
}

// resealShares seals what records give to aggregate values anew.
func (s *Store) resealShares(t *tx) (int64, error) {
	type of struct{ server, contributor string }
	fresh := map[of]string{}
	rows, err := t.query("SELECT server, contributor, slot, value FROM contributions")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var o of
		var slot, stored string
		if err := rows.Scan(&o.server, &o.contributor, &slot, &stored); err != nil {
			return err
		}
		sealed, changed, err := s.sealer.ResealShare(o.server, slot, stored)
		if changed {
			fresh[o] = sealed
		}
		return err
	})
	for o, sealed := range fresh {
		err = errors.Join(err, t.exec("UPDATE contributions SET value = ? WHERE server = ? AND contributor = ?", sealed,
			o.server, o.contributor))
	}
	return int64(len(fresh)), err
}
