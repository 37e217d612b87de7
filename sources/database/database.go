// Package database makes records of the rows of a query, which is run again and again from where it
// was, and writes back how they were settled where a rule asks for it. PostgreSQL, MySQL and
// MariaDB, SQLite and SQL Server are read, each in a read-only transaction where it has them.
package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/poll"
)

// Rule is one rule's poll.
type Rule struct {
	Rule       string
	Connection string
	Query      Query
	Every      time.Duration
	WriteBack  *WriteBack // nil: outcomes are not written back
}

// Config is what a Source needs.
type Config struct {
	Rules []Rule
	// Connect gives a connection by its name. It is asked when a rule begins, and again after it
	// failed: a secret may be missing for a while.
	Connect func(name string) (Connection, error)
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Source polls for all rules that use the trigger.
type Source struct {
	poll.Bells
	c         Config
	databases *Pool
	writers   *Pool
}

// New makes a source. It connects when it runs.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{c: c, databases: NewPool(c.Connect), writers: NewPool(func(name string) (Connection, error) {
		connection, err := c.Connect(name)
		connection.Write = true
		return connection, err
	})}
}

// Run polls until ctx ends.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	defer s.databases.Close()
	defer s.writers.Close()
	var wg sync.WaitGroup
	for _, r := range s.c.Rules {
		log := s.c.Log.With("rule", r.Rule, "connection", r.Connection)
		wg.Go(func() {
			subject := poll.Subject{Sink: sink, Name: "database poll of rule " + r.Rule, Bell: s.Hang(r.Rule)}
			poll.Loop(ctx, r.Every, subject, log, func(ctx context.Context) error { return s.once(ctx, r, sink, log) })
		})
		if r.WriteBack != nil {
			wg.Go(func() { s.tell(ctx, r, sink) })
		}
	}
	wg.Wait()
	return nil
}

func (s *Source) once(ctx context.Context, r Rule, sink sources.Sink, log *slog.Logger) error {
	d, err := s.databases.Get(r.Connection)
	if err != nil {
		return err
	}
	return d.Poll(ctx, r.Query, Delivery{Rule: r.Rule, Trigger: Kind{}.Name(), Cursor: "database/" + r.Rule, Sink: sink,
		Log: log, Now: s.c.Now})
}

// Pool keeps one open database for every connection that is used.
type Pool struct {
	connect func(name string) (Connection, error)
	mu      sync.Mutex
	open    map[string]*Database
}

// NewPool makes an empty pool; connect gives a connection by its name.
func NewPool(connect func(name string) (Connection, error)) *Pool {
	return &Pool{connect: connect, open: map[string]*Database{}}
}

// Get gives the database of a connection, opened when it is asked for the first time.
func (p *Pool) Get(name string) (*Database, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d, ok := p.open[name]; ok {
		return d, nil
	}
	c, err := p.connect(name)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", name, err)
	}
	d, err := Open(c)
	if err != nil {
		return nil, err
	}
	p.open[name] = d
	return d, nil
}

// Close closes every database.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, d := range p.open {
		_ = d.Close() // transactions have ended, so nothing can be lost
		delete(p.open, name)
	}
}

// Delivery says for whom rows are read and where they go.
type Delivery struct {
	Rule    string
	Trigger string // as records name it
	Cursor  string // name under which the place is saved
	Sink    sources.Sink
	Log     *slog.Logger
	Now     func() time.Time
}

// Poll reads what came since the saved cursor, page by page, and hands every page over together
// with the cursor behind it.
func (d *Database) Poll(ctx context.Context, q Query, to Delivery) error {
	text, err := to.Sink.Cursor(ctx, to.Cursor)
	if err != nil {
		return fmt.Errorf("read the saved cursor: %w", err)
	}
	saved, known, err := decodeCursor(text, q)
	if err != nil {
		return err
	}
	if !known && text != "" {
		to.Log.Warn("cursor or start of the query changed; it is read from its start, and rows that were seen before are " +
			"recognised")
	}
	at, err := begin(q, saved, known)
	if err != nil {
		return err
	}
	saved.Columns, saved.Start = q.Cursor, q.Start
	rows, fresh := 0, 0
	for limit := q.Batch; ; {
		p, err := d.page(ctx, q, at, limit)
		if err != nil {
			return err
		}
		if p.more {
			p.cut()
		}
		switch {
		case len(p.rows) == 0 && !p.more:
			d.report(to, rows, fresh)
			return nil
		case len(p.rows) == 0 && limit >= maxGroup:
			return &diag.Problem{Message: fmt.Sprintf("more than %d rows share one place of the cursor, or one row is larger "+
				"than "+
				"%d MiB", maxGroup, maxPageBytes>>20), Hint: "name a unique second column: cursor: [updated_at, id]"}
		case len(p.rows) == 0:
			limit = min(4*limit, maxGroup)
			continue
		}
		last := p.keys[len(p.keys)-1]
		// Rows read again lie before the saved place, which must not go back with them.
		if len(saved.Values) == 0 || !last[0].before(saved.Values[0]) {
			saved.Values = last
		}
		n, err := d.handOver(ctx, to, p.rows, &saved)
		if err != nil {
			return err
		}
		rows, fresh = rows+len(p.rows), fresh+n
		if !p.more {
			d.report(to, rows, fresh)
			return nil
		}
		at, limit = position{after: last}, q.Batch
	}
}

// begin gives where a poll begins.
func begin(q Query, saved cursor, known bool) (position, error) {
	if !known {
		if q.Start == "" {
			return position{}, nil
		}
		return position{from: []value{{typeStart, q.Start}}}, nil
	}
	from, moved, err := saved.Values[0].earlier(q.Overlap)
	if err != nil {
		return position{}, err
	}
	if moved {
		return position{from: []value{from}}, nil
	}
	return position{after: saved.Values}, nil
}

func (d *Database) handOver(ctx context.Context, to Delivery, rows []map[string]any, c *cursor) (int, error) {
	b := sources.Batch{Records: make([]sources.Record, len(rows))}
	now := to.Now()
	for i, row := range rows {
		b.Records[i] = sources.Record{Rule: to.Rule, Received: now,
			Origin: sources.Origin{Trigger: to.Trigger, Query: d.Name}, Body: row}
	}
	if c != nil {
		text, err := c.encode()
		if err != nil {
			return 0, err
		}
		b.Cursor = &sources.Cursor{Name: to.Cursor, Value: text}
	}
	receipts, err := poll.Accept(ctx, to.Sink, b, to.Log)
	if err != nil {
		return 0, fmt.Errorf("hand over rows: %w", err)
	}
	return poll.New(receipts), nil
}

func (d *Database) report(to Delivery, rows, fresh int) {
	if fresh > 0 {
		to.Log.Info("rows read", "rows", rows, "new", fresh)
		return
	}
	to.Log.Debug("rows read", "rows", rows, "new", 0)
}

// All reads every row of a query once, in one statement, and hands the rows over in batches. No place is saved.
func (d *Database) All(ctx context.Context, q Query, to Delivery) error {
	q.Cursor = nil
	rows, fresh, bytes := 0, 0, 0
	var batch []map[string]any
	flush := func() error {
		n, err := d.handOver(ctx, to, batch, nil)
		rows, fresh, batch = rows+len(batch), fresh+n, nil
		return err
	}
	var refused error
	err := d.read(ctx, q, func(columns []string) (string, []any, error) {
		return d.dialect.whole(q, columns), nil, nil
	}, func(columns []column, values []any, size int) (bool, error) {
		batch = append(batch, bodyOf(columns, values))
		if len(batch) < q.Batch && size-bytes < maxPageBytes {
			return true, nil
		}
		bytes = size
		refused = flush()
		return refused == nil, nil
	})
	if err := errors.Join(refused, err); err != nil {
		return err
	}
	if len(batch) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	d.report(to, rows, fresh)
	return nil
}
