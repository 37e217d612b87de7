// Package postgres keeps the journal in PostgreSQL, for several runners at once. Every change of a
// key's records locks the key's row, so that two runners never have one key in flight.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

const (
	defaultSchema = "culvert"
	keyCheck      = "journal.key"
	cursorPrefix  = "cursor:"
	minConns      = 8
	tries         = 5
)

// The locks that runners share; each store has its own set.
const (
	migrationLock = iota + 1
	appendLock
	leaderLock
	shapeLock
	moveLock
)

// Store is the journal in one schema of a database.
type Store struct {
	log    *slog.Logger
	place  string // for people, without the password
	schema string
	now    func() time.Time
	lease  time.Duration
	sealer *codec.Sealer
	pool   *pgxpool.Pool
	wake   chan struct{}

	appends chan *appendOp
	stop    context.CancelFunc
	life    context.Context
	ended   sync.WaitGroup
	closing sync.Once

	mu       sync.Mutex
	rules    map[string]int32
	seen     map[string]time.Time // owners of this process, when they last gave a sign of life
	evicted  time.Time
	notified time.Time
	leading  *pgxpool.Conn // holds the leader's lock
	leader   string
	keyNote  string // of the journal, as it was found to fit last
	self     string // the first owner of this process, in whose name locks are held

	lockMu sync.Mutex
	locks  map[int64]int // names that this process has locked, and how often
}

var _ journal.Journal = (*Store)(nil)

// Open opens the journal in the database that a postgres:// URL names, in the schema of its
// search_path or in "culvert", and brings it up to date. A journal of a newer version is refused
// with *journal.ErrNewer, a missing or wrong key with journal.ErrKeyMissing or ErrKeyWrong.
func Open(ctx context.Context, dsn string, o journal.Options) (*Store, error) {
	s, err := connect(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	if err := s.setUp(ctx); err != nil {
		s.pool.Close()
		return nil, err
	}
	s.life, s.stop = context.WithCancel(context.Background())
	for _, run := range []func(context.Context){s.appendLoop, s.watch} {
		s.ended.Go(func() { run(s.life) })
	}
	return s, nil
}

// connect makes a store of which nothing runs yet.
func connect(ctx context.Context, dsn string, o journal.Options) (*Store, error) {
	o = o.WithDefaults()
	sealer, err := codec.NewSealer(o.Key, o.OldKeys...)
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("store: the address of PostgreSQL cannot be read: write " +
			"postgres://user:password@host:5432/database")
	}
	s := &Store{
		log: o.Logger, place: placeOf(cfg), schema: schemaOf(cfg), now: o.Now, lease: o.Lease, sealer: sealer,
		wake:    make(chan struct{}, 1),
		appends: make(chan *appendOp, maxGather), rules: map[string]int32{}, seen: map[string]time.Time{},
		locks: map[int64]int{},
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open the journal: %w", s.explain(err))
	}
	return s, nil
}

// placeOf names the database without its password.
func placeOf(cfg *pgxpool.Config) string {
	c := cfg.ConnConfig
	return (&url.URL{Scheme: "postgres", Host: fmt.Sprintf("%s:%d", c.Host, c.Port), Path: c.Database}).String()
}

// schemaOf gives the schema and sets what every session needs: a runner that freezes inside a
// transaction must not hold up the others for longer than a lease, and one whose machine is gone
// must be noticed.
func schemaOf(cfg *pgxpool.Config) string {
	params := cfg.ConnConfig.RuntimeParams
	schema := strings.TrimSpace(strings.Split(params["search_path"], ",")[0])
	if !strings.HasPrefix(schema, `"`) {
		schema = strings.ToLower(schema) // as PostgreSQL reads it
	}
	if schema = strings.Trim(schema, `"`); schema == "" {
		schema = defaultSchema
	}
	params["search_path"] = pgx.Identifier{schema}.Sanitize()
	for name, value := range map[string]string{
		"application_name": "culvert", "idle_in_transaction_session_timeout": "5s", "client_min_messages": "warning",
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "synchronous_commit": "on",
	} {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
	cfg.MaxConns = max(cfg.MaxConns, minConns)
	return schema
}

func (s *Store) setUp(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if err := s.checkMoved(ctx); err != nil {
		return err
	}
	note, want, err := s.note(ctx, s.pool)
	if err != nil || note == want {
		return err
	}
	if want, err = s.takeKey(ctx, codec.Hidden(want) && !codec.Hidden(note)); err != nil {
		return err
	}
	_, err = s.sealer.Checks(want)
	return err
}

// takeKey notes a key that is new and gives the note. Of two runners that begin at once, the first
// decides; the second has to agree. Where names are hidden from now on, nobody may write anything in
// clear meanwhile.
func (s *Store) takeKey(ctx context.Context, hides bool) (want string, err error) {
	note := ""
	err = pgx.BeginFunc(ctx, s.pool, func(t pgx.Tx) error {
		locks := []int{migrationLock}
		if hides {
			locks = append(locks, moveLock)
		}
		for _, lock := range locks { // the second only where the note is not right yet, for it keeps all others from writing
			if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", s.lockID(lock)); err != nil {
				return err
			}
			if note, want, err = s.note(ctx, t); err != nil || note == want {
				return err
			}
		}
		_, err := t.Exec(ctx, setMeta, keyCheck, want)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("begin to encrypt the journal: %w", s.explain(err))
	}
	if note != want {
		s.log.Info(shared.BeginsToEncrypt(want))
	}
	return want, nil
}

// note reads the journal's note about its keys, and gives it as it is to be from now on.
func (s *Store) note(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (note, want string, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce((SELECT value FROM meta WHERE name = $1), '')", keyCheck).Scan(&note)
	if err != nil {
		return "", "", fmt.Errorf("open the journal: %w", s.explain(err))
	}
	if want, err = s.sealer.Checks(note); err != nil {
		return "", "", fmt.Errorf("open %s: %w", s.place, err)
	}
	if !s.sealer.Sealing() || codec.Hidden(want) {
		return note, want, nil
	}
	var empty bool
	if err := q.QueryRow(ctx, shared.IsEmpty).Scan(&empty); err != nil {
		return "", "", fmt.Errorf("open the journal: %w", s.explain(err))
	}
	if empty {
		want = s.sealer.HiddenNote()
	}
	return note, want, nil
}

// lockID makes an advisory lock of this schema's own.
func (s *Store) lockID(kind int) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "culvert %s %d", s.schema, kind)
	return int64(h.Sum64())
}

// Close implements journal.Journal. What this process had in flight is given to others at once.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.ended.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), s.lease)
		defer cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.resign()
		for owner := range s.seen {
			if err := s.leave(ctx, owner); err != nil {
				s.log.Warn("give back what was in flight; others take it over after the lease", "owner", owner, "error",
					s.explain(err))
			}
		}
		s.pool.Close()
	})
	return nil
}

// Cursor implements journal.Journal.
func (s *Store) Cursor(ctx context.Context, name string) (string, error) {
	return s.Meta(ctx, cursorPrefix+name)
}

// Meta implements journal.Journal.
func (s *Store) Meta(ctx context.Context, name string) (string, error) {
	var value string
	err := s.pool.QueryRow(ctx, "SELECT value FROM meta WHERE name = $1", clean(name)).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err == nil && shared.OwnName(name) == nil {
		value, err = s.sealer.Show(value)
	}
	if err != nil {
		return "", fmt.Errorf("read %q from the journal: %w", name, s.explain(err))
	}
	return value, nil
}

const setMeta = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

// SetMeta implements journal.Journal.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	if err := shared.OwnName(name); err != nil {
		return err
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, setMeta, clean(name), s.hide(value))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep %q in the journal: %w", name, err)
	}
	return nil
}

// ChangeMeta implements journal.Journal.
func (s *Store) ChangeMeta(ctx context.Context, name string, entry journal.AuditEntry,
	change func(string) (string, error)) error {
	if err := shared.OwnName(name); err != nil {
		return err
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		// The row is made first, so that there is one to lock: two who change a new name come one after the other, too.
		if _, err := t.Exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, '') ON CONFLICT DO NOTHING",
			clean(name)); err != nil {
			return err
		}
		value := ""
		if err := t.QueryRow(ctx, "SELECT value FROM meta WHERE name = $1 FOR UPDATE", clean(name)).Scan(&value); err != nil {
			return err
		}
		value, err := s.sealer.Show(value)
		if err == nil {
			value, err = change(value)
		}
		if err != nil {
			return err
		}
		if _, err := t.Exec(ctx, setMeta, clean(name), s.hide(value)); err != nil {
			return err
		}
		return t.audit(ctx, entry.Who, entry.Did, entry.Why, entry.Count, entry.Subject)
	})
	if err != nil {
		return fmt.Errorf("keep %q in the journal: %w", name, err)
	}
	return nil
}

// clean makes a text one that PostgreSQL takes.
func clean(text string) string { return codec.Clean(text) }

// hide gives what is stored of a text that is hidden once there is a key.
func (s *Store) hide(text string) string { return s.sealer.Hide(clean(text)) }

// rule gives the number of a rule, making it known when it is new.
func (s *Store) rule(ctx context.Context, name string) (int32, error) {
	s.mu.Lock()
	id, ok := s.rules[name]
	s.mu.Unlock()
	if ok {
		return id, nil
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, "INSERT INTO rules (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", name); err != nil {
			return err
		}
		return t.QueryRow(ctx, "SELECT id FROM rules WHERE name = $1", name).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("make a rule known: %w", err)
	}
	s.mu.Lock()
	s.rules[name] = id
	s.mu.Unlock()
	return id, nil
}
