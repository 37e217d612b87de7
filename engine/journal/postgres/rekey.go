package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// resealed are what is sealed for a record: read with its identity, in order of seq, and written.
var resealed = []struct{ purpose, read, write string }{
	{codec.PurposeBody, "SELECT p.seq, r.ident, p.body FROM payloads p JOIN records r ON r.seq = p.seq WHERE p.seq > " +
		"$1 ORDER BY p.seq LIMIT $2",
		"UPDATE payloads t SET body = u.sealed FROM unnest($1::bigint[], $2::bytea[]) u(seq, sealed) WHERE t.seq = u.seq"},
	{codec.PurposeOrigin, "SELECT seq, ident, origin FROM records WHERE seq > $1 AND origin IS NOT NULL ORDER BY seq " +
		"LIMIT $2",
		"UPDATE records t SET origin = u.sealed FROM unnest($1::bigint[], $2::bytea[]) u(seq, sealed) WHERE t.seq = u.seq"},
	{codec.PurposeProblem, `SELECT o.seq, r.ident, o.private FROM outcomes o JOIN records r ON r.seq = o.seq
		WHERE o.seq > $1 AND o.private IS NOT NULL
		ORDER BY o.seq LIMIT $2`, "UPDATE outcomes t SET private = u.sealed FROM unnest($1::bigint[], $2::bytea[]) " +
		"u(seq, sealed) WHERE t.seq = u.seq"},
}

// Encryption implements journal.Reader.
func (s *Store) Encryption(ctx context.Context) (journal.Encryption, error) {
	note, err := s.Meta(ctx, keyCheck)
	return codec.Encryption(note), err
}

// Rekey implements journal.Maintenance. Nobody else opens the journal or writes
// into it meanwhile.
func (s *Store) Rekey(ctx context.Context) (count int64, err error) {
	if !s.sealer.Sealing() {
		return 0, shared.ErrNoKey
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("encrypt the journal anew: %w", s.explain(err))
	}
	defer conn.Release()
	err = s.idle(ctx, conn.Conn())
	alone := false
	if err == nil {
		alone, err = s.shut(ctx, conn.Conn())
	}
	if alone {
		defer func() {
			_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", s.lockID(moveLock))
		}()
		err = s.idle(ctx, conn.Conn()) // a runner may have come in the meantime
	}
	if err == nil && !alone {
		err = &journal.ErrInUse{Place: s.place}
	}
	if err != nil {
		return 0, fmt.Errorf("encrypt the journal anew: %w", s.explain(err))
	}
	if to := s.sealer.Renew(); to != nil {
		if count, err = s.rename(ctx, conn.Conn(), to); err != nil {
			err = fmt.Errorf("encrypt the journal anew: %w", s.explain(err))
		}
		return count, err
	}
	for _, r := range resealed {
		for after := int64(0); after >= 0; {
			err := s.beginTx(ctx, func(ctx context.Context, t *tx) error {
				n, last, err := t.reseal(ctx, r.purpose, r.read, r.write, after)
				t.then(func() { count, after = count+n, last })
				return err
			})
			if err != nil {
				return count, fmt.Errorf("encrypt the journal anew: %w", err)
			}
		}
	}
	err = s.beginTx(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.resealShares(ctx)
		if err != nil {
			return err
		}
		t.then(func() { count += n })
		_, err = t.Exec(ctx, setMeta, keyCheck, s.sealer.HiddenNote())
		return err
	})
	if err != nil {
		return count, fmt.Errorf("encrypt the journal anew: %w", err)
	}
	return count, nil
}

// reseal seals some payloads of one kind anew and gives the last record that it looked at, -1 when there are no more.
func (t *tx) reseal(ctx context.Context, purpose, read, write string, after int64) (count, last int64, err error) {
	var seqs []int64
	var fresh [][]byte
	last = -1
	err = each(ctx, t, func(rows pgx.Rows) error {
		var ident int64
		var stored []byte
		if err := rows.Scan(&last, &ident, &stored); err != nil {
			return err
		}
		sealed, changed, err := t.s.sealer.Reseal(purpose, ident, stored)
		if changed {
			seqs, fresh = append(seqs, last), append(fresh, sealed)
		}
		return err
	}, read, after, shared.ChangeSize)
	if err == nil && len(seqs) > 0 {
		_, err = t.Exec(ctx, write, seqs, fresh)
	}
	return int64(len(seqs)), last, err
}

// resealShares seals what records give to aggregate values anew.
func (t *tx) resealShares(ctx context.Context) (int64, error) {
	var servers, contributors, fresh []string
	err := each(ctx, t, func(rows pgx.Rows) error {
		var server, contributor, slot, stored string
		if err := rows.Scan(&server, &contributor, &slot, &stored); err != nil {
			return err
		}
		sealed, changed, err := t.s.sealer.ResealShare(server, slot, stored)
		if changed {
			servers, contributors, fresh = append(servers, server), append(contributors, contributor), append(fresh, sealed)
		}
		return err
	}, "SELECT server, contributor, slot, value FROM contributions")
	if err == nil && len(fresh) > 0 {
		_, err = t.Exec(ctx, `UPDATE contributions c SET value = u.value
			FROM unnest($1::text[], $2::text[], $3::text[]) u(server, contributor, value)
			WHERE c.server = u.server AND c.contributor = u.contributor`, servers, contributors, fresh)
	}
	return int64(len(fresh)), err
}
