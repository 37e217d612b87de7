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
func (m memory) Digests(ctx context.Context, objects []string) (map[string]actions.Digest, error) {
	hashes := make([]int64, len(objects))
	for i, o := range objects {
		hashes[i] = int64(codec.Object(m.server, o))
	}
	found := map[int64]actions.Digest{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		var hash int64
		var sum int32
		var mark int16
		var d actions.Digest
		err := rows.Scan(&hash, &sum, &mark, &d.Order.Version, &d.Order.Seq)
		d.Sum, d.Mark = uint64(uint32(sum)), uint16(mark)
		found[hash] = d
		return err
	}, "SELECT object, sum, mark, version, seq FROM digests WHERE object = ANY($1) AND (sum <> 0 OR seq <> 0 OR "+
		"version <> 0 OR mark <> 0)", hashes)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", m.s.explain(err))
	}
	out := make(map[string]actions.Digest, len(found))
	for i, hash := range hashes {
		if d, ok := found[hash]; ok {
			d.Object = objects[i]
			out[objects[i]] = d
		}
	}
	return out, nil
}

// ShapeNumbers implements actions.Shapes.
func (m memory) ShapeNumbers(ctx context.Context, shapes []string) (map[string]uint16, error) {
	texts := make([]string, len(shapes))
	for i, fields := range shapes {
		texts[i] = clean(fields)
	}
	out, err := m.shapes(ctx, "SELECT number, fields FROM shapes WHERE server = $1 AND fields = ANY($2)", texts)
	if err != nil || len(out) == len(shapes) {
		return out, err
	}
	err = m.s.tx(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", m.s.lockID(shapeLock)); err != nil {
			return err
		}
		return t.batch(ctx, func(b *pgx.Batch) {
			for _, fields := range texts {
				b.Queue(`INSERT INTO shapes (server, fields, number) SELECT $1, $2, n
					FROM (SELECT coalesce(max(number), 0) + 1 AS n FROM shapes WHERE server = $1) s
					WHERE n <= $3 ON CONFLICT DO NOTHING`, m.server, fields, actions.MaxShape)
			}
		})
	})
	if err != nil {
		return nil, fmt.Errorf("keep sets of fields: %w", m.s.explain(err))
	}
	return m.shapes(ctx, "SELECT number, fields FROM shapes WHERE server = $1 AND fields = ANY($2)", texts)
}

// ShapeNames implements actions.Shapes.
func (m memory) ShapeNames(ctx context.Context, numbers []uint16) (map[uint16]string, error) {
	asked := make([]int32, len(numbers))
	for i, n := range numbers {
		asked[i] = int32(n)
	}
	found, err := m.shapes(ctx, "SELECT number, fields FROM shapes WHERE server = $1 AND number = ANY($2)", asked)
	out := make(map[uint16]string, len(found))
	for fields, number := range found {
		out[number] = fields
	}
	return out, err
}

func (m memory) shapes(ctx context.Context, query string, asked any) (map[string]uint16, error) {
	out := map[string]uint16{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		var number int32
		var fields string
		err := rows.Scan(&number, &fields)
		out[fields] = uint16(number)
		return err
	}, query, m.server, asked)
	if err != nil {
		return nil, fmt.Errorf("look for sets of fields: %w", m.s.explain(err))
	}
	return out, nil
}

// Identities implements actions.Memory.
func (m memory) Identities(ctx context.Context, keys []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity,
	error) {
	types, ids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		types[i], ids[i] = clean(k.Type), m.s.hide(k.ExternalID)
	}
	out := map[actions.IdentityKey]actions.Identity{}
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		id, err := m.s.scanIdentity(rows)
		out[id.IdentityKey] = id
		return err
	}, `SELECT i.type, i.external_id, i.uid, i.generation, i.origin FROM unnest($2::text[], $3::text[]) u(type,
		external_id)
		JOIN identities i ON i.server = $1 AND i.type = u.type AND i.external_id = u.external_id`, m.server, types, ids)
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", m.s.explain(err))
	}
	return out, nil
}

// Holders implements actions.Memory.
func (m memory) Holders(ctx context.Context, uids []string) ([]actions.Identity, error) {
	asked := make([]string, len(uids))
	for i, uid := range uids {
		asked[i] = clean(uid)
	}
	var out []actions.Identity
	err := m.s.query(ctx, func(rows pgx.Rows) error {
		id, err := m.s.scanIdentity(rows)
		out = append(out, id)
		return err
	}, "SELECT type, external_id, uid, generation, origin FROM identities WHERE uid = ANY($2) AND server = $1", m.server,
		asked)
	if err != nil {
		return nil, fmt.Errorf("look up who stands for people: %w", m.s.explain(err))
	}
	return out, nil
}

func (s *Store) scanIdentity(rows pgx.Rows) (actions.Identity, error) {
	var id actions.Identity
	err := rows.Scan(&id.Type, &id.ExternalID, &id.UID, &id.Generation, &id.Origin)
	if err == nil {
		err = s.sealer.ShowAll(&id.ExternalID)
	}
	return id, err
}

// SetIdentities implements journal.Journal: what a person says replaces whatever was there.
func (s *Store) SetIdentities(ctx context.Context, server string, ids []actions.Identity, who, why string) error {
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		err := t.batch(ctx, func(b *pgx.Batch) {
			for _, id := range ids {
				b.Queue(`INSERT INTO identities VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (server, type, external_id)
					DO UPDATE SET uid = excluded.uid,
					generation = excluded.generation, origin = excluded.origin`, server, clean(id.Type), s.hide(id.ExternalID),
					clean(id.UID), id.Generation, id.Origin)
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
		id, err := s.scanIdentity(rows)
		out = append(out, id)
		return err
	}, `SELECT type, external_id, uid, generation, origin FROM identities WHERE server = $1 AND ($2 = ''
		OR external_id = $2)
		ORDER BY type, external_id LIMIT $3`, server, s.hide(externalID), most)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", s.explain(err))
	}
	return out, nil
}
