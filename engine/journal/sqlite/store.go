// Package sqlite keeps the journal in one SQLite file, for one runner at a time. Other processes
// may read it and act on failed records meanwhile.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

const (
	busyTimeout = 10 * time.Second
	readers     = 4
	keyCheck    = "journal.key"
	watchEvery  = time.Second
)

// sizes are how much is kept in memory and merged at once; tests make them small to see merging.
type sizes struct {
	generation int   // records in memory before they are indexed in the file
	slice      int   // of them with one transaction
	questions  int   // to their index before it is read which hashes it has
	presence   int64 // bits for that at least
	log        int   // digests in memory before they are merged into pages
	pages      int   // written anew with one transaction
	terms      int   // of records in the log before they are merged into their table
	termSlice  int   // of them with one transaction
}

// Of the log, 200,000 fill 256 of the tables of 1,024 places that Go's maps are made of by four
// fifths; a few more would take twice as many tables.
var usualSizes = sizes{generation: 1 << 15, slice: 1024, questions: 1 << 14, presence: 1 << 20, log: 200_000,
	pages: 64, terms: 1 << 16, termSlice: 2048}

// Store is the journal in a file.
type Store struct {
	log    *slog.Logger
	place  string // as it was named, for people
	path   string
	now    func() time.Time
	lease  time.Duration
	sealer *codec.Sealer

	writing *sql.DB
	read    reader
	writer  *writer
	finder  *finder
	digests *digests
	claims  *claims
	leader  string // guarded by claims.mu
	wake    chan struct{}

	owning    sync.Mutex
	owned     bool
	lock      *sql.DB // holds the right to be the one runner
	stopOwned context.CancelFunc
	watching  sync.WaitGroup
	closing   sync.Once
	closeErr  error
}

var _ journal.Journal = (*Store)(nil)

// Open opens the journal in the file at path, making it when it is missing, and brings it up to
// date. A file of a newer version is refused with *journal.ErrNewer, a missing or wrong key with
// journal.ErrKeyMissing or ErrKeyWrong.
func Open(ctx context.Context, path string, o journal.Options) (*Store, error) {
	return open(ctx, path, o, usualSizes)
}

func open(ctx context.Context, path string, o journal.Options, size sizes) (*Store, error) {
	o = o.WithDefaults()
	sealer, err := codec.NewSealer(o.Key, o.OldKeys...)
	if err != nil {
		return nil, err
	}
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	s := &Store{
		log: o.Logger, place: path, path: path, now: o.Now, lease: o.Lease, sealer: sealer,
		finder: newFinder(size), digests: newDigests(size), claims: newClaims(), wake: make(chan struct{}, 1),
	}
	s.writing, err = sql.Open("sqlite", dsn(path,
		"auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(full)", "cache_size(-4000)", "secure_delete(on)",
		"journal_size_limit(67108864)"))
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	s.writing.SetMaxOpenConns(1)
	if err := s.setUp(ctx); err != nil {
		_ = s.writing.Close()
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, "query_only(1)", "cache_size(-2000)"))
	if err != nil {
		_ = s.writing.Close()
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	s.read = reader{db: db, stmts: map[string]*sql.Stmt{}, mu: &sync.Mutex{}}
	s.writer = &writer{
		log: s.log, place: s.place, open: s.writing.Conn, ops: make(chan *op, maxOps), stop: make(chan struct{}),
		gone:    make(chan struct{}),
		inserts: map[inserting]string{}, rules: map[string]int64{}, finder: s.finder, digests: s.digests,
		terms: &terms{most: size.terms, slice: size.termSlice}, sealer: s.sealer, now: s.now,
		appended: s.appendRows, settled: s.notify,
		batchDelay: usualBatchDelay,
	}
	s.finder.table.fill = s.fill
	if s.writer.at, err = placeAt(path, s.log); err != nil {
		return nil, errors.Join(err, db.Close(), s.writing.Close())
	}
	keepPrivate(path, s.log)
	go s.writer.loop()
	return s, nil
}

// dsn names the file with what every connection to it sets first.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...)}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

// checkPlace finds what SQLite would only call "unable to open".
func checkPlace(path string) error {
	if path == "" || path == ":memory:" {
		return errors.New("the journal needs a file: write store: sqlite:state/culvert.db")
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file for the journal in store", path)
	case err == nil:
		return checkWritable(path)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("open the journal: %w: check that the program's user may read it", err)
	}
	dir := filepath.Dir(path)
	info, err = os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the journal's folder: %w: check that the program's user may write there", err)
		}
		return makePrivate(path)
	}
	if err != nil {
		return fmt.Errorf("open the journal's folder: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder: the journal cannot lie in it", dir)
	}
	return makePrivate(path)
}

// checkWritable also gives a clear answer for a file without rights, which SQLite would open for reading only.
func checkWritable(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the journal: %w: check that the program's user may read and write it", err)
	}
	return f.Close()
}

// setUp brings the file up to our format and checks the key.
func (s *Store) setUp(ctx context.Context) error {
	conn, err := s.writing.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open the journal: %w", explain(err, s.place))
	}
	defer conn.Close()
	if err := migrate(ctx, conn, s.place); err != nil {
		return err
	}
	if err := movedAway(ctx, conn, s.place); err != nil {
		return err
	}
	return s.takeKey(ctx, conn)
}

// takeKey compares the key with the journal's note, and notes a key that is new.
func (s *Store) takeKey(ctx context.Context, conn *sql.Conn) (err error) {
	note, want, err := s.note(ctx, conn)
	if err != nil || note == want {
		return err
	}
	exec := func(query string, args ...any) {
		if err == nil {
			_, err = conn.ExecContext(ctx, query, args...)
		}
	}
	exec("BEGIN IMMEDIATE")
	if err != nil {
		return fmt.Errorf("begin to encrypt the journal: %w", explain(err, s.place))
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	// Another process may have begun while this one waited for the lock.
	if note, want, err = s.note(ctx, conn); err != nil {
		return err
	}
	exec(setMeta, keyCheck, want)
	exec("COMMIT")
	if err != nil {
		return fmt.Errorf("begin to encrypt the journal: %w", explain(err, s.place))
	}
	if note != want {
		s.log.Info(shared.BeginsToEncrypt(want))
	}
	_, err = s.sealer.Checks(want)
	return err
}

// note reads the journal's note about its keys, and gives it as it is to be from now on.
func (s *Store) note(ctx context.Context, conn *sql.Conn) (note, want string, err error) {
	err = conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", keyCheck).Scan(&note)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", "", fmt.Errorf("open the journal: %w", explain(err, s.place))
	}
	if want, err = s.sealer.Checks(note); err != nil {
		return "", "", fmt.Errorf("open %s: %w", s.place, err)
	}
	if !s.sealer.Sealing() || codec.Hidden(want) {
		return note, want, nil
	}
	var empty bool
	if err := conn.QueryRowContext(ctx, shared.IsEmpty).Scan(&empty); err != nil {
		return "", "", fmt.Errorf("open the journal: %w", explain(err, s.place))
	}
	if empty {
		want = s.sealer.HiddenNote()
	}
	return note, want, nil
}

// watch wakes the engine when another process changed the file, and when a record becomes due.
func (s *Store) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	conn, err := s.read.db.Conn(ctx)
	if err != nil {
		return
	}
	defer conn.Close()
	var last int64
	for {
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err == nil && version != last {
			last = version
			s.notify()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if s.someDue(ctx) {
				s.notify()
			}
		}
	}
}

// someDue tells whether a record waits whose time has come.
func (s *Store) someDue(ctx context.Context) bool {
	var due bool
	rows, err := s.read.query(ctx, `SELECT EXISTS (SELECT 1 FROM rules n WHERE n.pending > 0 AND EXISTS (SELECT 1
		FROM records INDEXED BY work
		WHERE state = 0 AND head = 1 AND rule = n.id AND next_try > 0 AND next_try <= ?))`, codec.Micros(s.now()))
	if err := scan(rows, err, func(r *sql.Rows) error { return r.Scan(&due) }); err != nil && ctx.Err() == nil {
		s.log.Warn("look for records that became due", "error", err)
	}
	return due
}

// notify wakes the engine; it never blocks.
func (s *Store) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake implements journal.Journal.
func (s *Store) Wake() <-chan struct{} { return s.wake }

// Close implements journal.Journal. Changes that callers wait for are answered with
// journal.ErrClosed unless they are durable already.
func (s *Store) Close() error {
	s.closing.Do(func() {
		close(s.writer.stop)
		<-s.writer.gone
		s.finder.table.drop()
		s.owning.Lock()
		if s.owned {
			s.stopOwned()
		}
		s.owning.Unlock()
		s.watching.Wait()
		errs := []error{s.read.close(), s.writing.Close()}
		if s.lock != nil {
			errs = append(errs, s.lock.Close())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}
