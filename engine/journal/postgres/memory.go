package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// memory is what is remembered of deliveries to one server.
type memory struct {
	s      *Store
	server string
}

// Memory implements journal.Journal.
func (s *Store) Memory(server string) actions.Memory { return memory{s, server} }

// Digests implements actions.Memory.
func (m memory) Digests(ctx context.Context, objects []string) (map[string]uint64, error) {
	hashes := make([]int64, len(objects))
	for i, o := range objects {
		hashes[i] = int64(codec.Object(m.server, o))
	}
	sums := map[int64]uint64{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		var hash int64
		var sum int32
		err := rows.Scan(&hash, &sum)
		sums[hash] = uint64(uint32(sum))
		return err
	}, "SELECT object, sum FROM digests WHERE object = ANY($1) AND sum <> 0", hashes)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", m.s.explain(err))
	}
	out := make(map[string]uint64, len(sums))
	for i, hash := range hashes {
		if sum, ok := sums[hash]; ok {
			out[objects[i]] = sum
		}
	}
	return out, nil
}

// Identities implements actions.Memory.
func (m memory) Identities(ctx context.Context, keys []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity, error) {
	types, ids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		types[i], ids[i] = clean(k.Type), clean(k.ExternalID)
	}
	out := map[actions.IdentityKey]actions.Identity{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		id, err := scanIdentity(rows)
		out[id.IdentityKey] = id
		return err
	}, `SELECT i.type, i.external_id, i.uid, i.generation, i.origin FROM unnest($2::text[], $3::text[]) u(type, external_id)
		JOIN identities i ON i.server = $1 AND i.type = u.type AND i.external_id = u.external_id`, m.server, types, ids)
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", m.s.explain(err))
	}
	return out, nil
}

// Holders implements actions.Memory.
func (m memory) Holders(ctx context.Context, uids []string) ([]actions.Identity, error) {
	var out []actions.Identity
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		id, err := scanIdentity(rows)
		out = append(out, id)
		return err
	}, "SELECT type, external_id, uid, generation, origin FROM identities WHERE uid = ANY($2) AND server = $1", m.server, uids)
	if err != nil {
		return nil, fmt.Errorf("look up who stands for people: %w", m.s.explain(err))
	}
	return out, nil
}

func scanIdentity(rows pgx.Rows) (actions.Identity, error) {
	var id actions.Identity
	err := rows.Scan(&id.Type, &id.ExternalID, &id.UID, &id.Generation, &id.Origin)
	return id, err
}

// SetIdentities implements journal.Journal: what a person says replaces whatever was there.
func (s *Store) SetIdentities(ctx context.Context, server string, ids []actions.Identity, who, why string) error {
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		err := t.batch(ctx, func(b *pgx.Batch) {
			for _, id := range ids {
				b.Queue(`INSERT INTO identities VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (server, type, external_id) DO UPDATE SET uid = excluded.uid,
					generation = excluded.generation, origin = excluded.origin`, server, clean(id.Type), clean(id.ExternalID), clean(id.UID), id.Generation, id.Origin)
			}
		})
		if err != nil {
			return err
		}
		return t.audit(ctx, who, "set identities", why, int64(len(ids)), server)
	})
	if err != nil {
		return fmt.Errorf("set identities: %w", err)
	}
	return nil
}

// ListIdentities implements journal.Journal.
func (s *Store) ListIdentities(ctx context.Context, server, externalID string, limit int) ([]actions.Identity, error) {
	var most *int
	if limit > 0 {
		most = &limit
	}
	var out []actions.Identity
	err := s.query(ctx, func(rows pgx.Rows) error {
		id, err := scanIdentity(rows)
		out = append(out, id)
		return err
	}, `SELECT type, external_id, uid, generation, origin FROM identities WHERE server = $1 AND ($2 = '' OR external_id = $2)
		ORDER BY type, external_id LIMIT $3`, server, externalID, most)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", s.explain(err))
	}
	return out, nil
}
