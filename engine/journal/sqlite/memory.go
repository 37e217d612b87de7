package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

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
	d, err := m.s.currentDigests(ctx)
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", explain(err, m.s.place))
	}
	hashes := make([]uint64, len(objects))
	for i, o := range objects {
		hashes[i] = codec.Object(m.server, o)
	}
	found, err := d.lookup(hashes, pagesOf(func(query string, args ...any) (*sql.Rows,
		error) {
		return m.s.read.query(ctx, query, args...)
	}))
	if err != nil {
		return nil, fmt.Errorf("read digests: %w", explain(err, m.s.place))
	}
	out := make(map[string]actions.Digest, len(objects))
	for i, e := range found {
		if e != (entry{}) {
			out[objects[i]] = e.digest(objects[i])
		}
	}
	return out, nil
}

// currentDigests gives the digests as they are in memory. A process that is not the runner reads
// them from the file each time.
func (s *Store) currentDigests(ctx context.Context) (*digests, error) {
	s.owning.Lock()
	owned := s.owned
	s.owning.Unlock()
	if owned {
		return s.digests, nil
	}
	d := newDigests(s.digests.sizes)
	return d, d.load(func(query string, args ...any) (*sql.Rows, error) { return s.read.query(ctx, query, args...) })
}

// Identities implements actions.Memory.
func (m memory) Identities(ctx context.Context, keys []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity,
	error) {
	pairs := make([][2]string, len(keys))
	for i, k := range keys {
		pairs[i] = [2]string{k.Type, m.s.sealer.Hide(k.ExternalID)}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", err)
	}
	out := map[actions.IdentityKey]actions.Identity{}
	rows, err := m.s.read.query(ctx, `SELECT i.type, i.external_id, i.uid, i.generation, i.origin FROM json_each(?) j
		CROSS JOIN identities i ON i.server = ? AND i.type = j.value ->> 0 AND i.external_id = j.value ->> 1`, string(text),
		m.server)
	err = scan(rows, err, func(rows *sql.Rows) error {
		id, err := m.s.scanIdentity(rows)
		out[id.IdentityKey] = id
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up identities: %w", explain(err, m.s.place))
	}
	return out, nil
}

// Holders implements actions.Memory.
func (m memory) Holders(ctx context.Context, uids []string) ([]actions.Identity, error) {
	text, err := json.Marshal(uids)
	if err != nil {
		return nil, fmt.Errorf("look up who stands for people: %w", err)
	}
	var out []actions.Identity
	rows, err := m.s.read.query(ctx, `SELECT i.type, i.external_id, i.uid, i.generation, i.origin FROM json_each(?) j
		CROSS JOIN identities i INDEXED BY identity_objects ON i.uid = j.value AND i.server = ?`, string(text), m.server)
	err = scan(rows, err, func(rows *sql.Rows) error {
		id, err := m.s.scanIdentity(rows)
		out = append(out, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up who stands for people: %w", explain(err, m.s.place))
	}
	return out, nil
}

func (s *Store) scanIdentity(rows *sql.Rows) (id actions.Identity, err error) {
	if err = rows.Scan(&id.Type, &id.ExternalID, &id.UID, &id.Generation, &id.Origin); err == nil {
		err = s.sealer.ShowAll(&id.ExternalID)
	}
	return id, err
}

// saveIdentities keeps what was learned. A generation never goes back, for a runner that was taken
// over may come late with an older one, and what a person entered gives way only to a new
// generation.
func (t *tx) saveIdentities(server string, ids []actions.Identity) error {
	for _, id := range ids {
		if err := t.exec(`INSERT INTO identities (server, type, external_id, uid, generation, origin)
			VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (server, type, external_id) DO UPDATE SET uid = excluded.uid, generation = excluded.generation,
			origin = excluded.origin WHERE excluded.generation > identities.generation
				OR excluded.generation = identities.generation AND identities.origin <> 'manual'`,
			server, id.Type, t.w.sealer.Hide(id.ExternalID), id.UID, id.Generation, id.Origin); err != nil {
			return fmt.Errorf("keep an identity: %w", err)
		}
	}
	return nil
}

// SetIdentities implements journal.Journal: what a person says replaces whatever was there.
func (s *Store) SetIdentities(ctx context.Context, server string, ids []actions.Identity, who, why string) error {
	err := s.writer.change(ctx, len(ids), func(t *tx) error {
		for _, id := range ids {
			if err := t.exec("INSERT OR REPLACE INTO identities (server, type, external_id, uid, generation, origin) VALUES "+
				"(?, ?, ?, ?, ?, ?)",
				server, id.Type, s.sealer.Hide(id.ExternalID), id.UID, id.Generation, id.Origin); err != nil {
				return err
			}
		}
		return s.audit(t, who, "set identities", why, int64(len(ids)), server)
	})
	if err != nil {
		return fmt.Errorf("set identities: %w", err)
	}
	return nil
}

// ListIdentities implements journal.Journal.
func (s *Store) ListIdentities(ctx context.Context, server, externalID string, limit int) ([]actions.Identity, error) {
	if limit <= 0 {
		limit = -1
	}
	externalID = s.sealer.Hide(externalID)
	rows, err := s.read.query(ctx, `SELECT type, external_id, uid, generation, origin FROM identities
		WHERE server = ? AND (? = '' OR external_id = ?) ORDER BY type, external_id LIMIT ?`, server, externalID, externalID,
		limit)
	var out []actions.Identity
	err = scan(rows, err, func(rows *sql.Rows) error {
		id, err := s.scanIdentity(rows)
		out = append(out, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", explain(err, s.place))
	}
	return out, nil
}
