package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

const clients = 64

// BenchmarkAppend measures durable appends of single records by 64 callers at once.
func BenchmarkAppend(b *testing.B) { clearAndSealed(b, benchmarkAppend) }

// clearAndSealed measures a journal in clear and one that is encrypted.
func clearAndSealed(b *testing.B, run func(b *testing.B, o journal.Options)) {
	b.Helper()
	b.Run("clear", func(b *testing.B) { run(b, journal.Options{}) })
	b.Run("sealed", func(b *testing.B) { run(b, journal.Options{Key: []byte("the key of a sealed benchmark")}) })
}

func benchmarkAppend(b *testing.B, o journal.Options) {
	s := newPlace(b).open(b, o)
	var n atomic.Int64
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				began := time.Now()
				if _, err := s.Append(context.Background(), []*journal.Record{journaltest.Form(i)}, nil); err != nil {
					b.Error(err)
					return
				}
				took[i-1] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkRawInsert is what BenchmarkAppend is measured against: the same bytes in a bare table,
// 64 rows with one transaction and one statement each.
func BenchmarkRawInsert(b *testing.B) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(),
		"raw.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	exec := func(q string) {
		if _, err := conn.ExecContext(context.Background(), q); err != nil {
			b.Fatal(err)
		}
	}
	exec("CREATE TABLE raw (seq INTEGER PRIMARY KEY, id TEXT, key TEXT, body BLOB)")
	insert, err := conn.PrepareContext(b.Context(), "INSERT INTO raw (id, key, body) VALUES (?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	b.ResetTimer()
	for i := 0; i < b.N; i += clients {
		exec("BEGIN IMMEDIATE")
		for k := range clients {
			r := journaltest.Form(int64(i + k))
			if _, err := insert.ExecContext(context.Background(), r.ID, r.Key, r.Body); err != nil {
				b.Fatal(err)
			}
		}
		exec("COMMIT")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkDeliver measures claiming and settling batches of 500 records with a digest each.
func BenchmarkDeliver(b *testing.B) { clearAndSealed(b, benchmarkDeliver) }

func benchmarkDeliver(b *testing.B, o journal.Options) {
	s := newPlace(b).open(b, o)
	fill(b, s, int64(b.N))
	b.ResetTimer()
	var claiming, committing time.Duration
	for done := 0; done < b.N; {
		began := time.Now()
		records, err := s.Claim(context.Background(), journal.Claim{Owner: "one", Limit: 500, Now: time.Now()})
		if err != nil || len(records) == 0 {
			b.Fatal(len(records), err)
		}
		claiming += time.Since(began)
		batch := &journal.Batch{Owner: "one", Server: "national"}
		for _, r := range records {
			batch.Settlements = append(batch.Settlements, journal.Settlement{Seq: r.Seq, State: journal.Delivered, Attempts: 1,
				Objects: []string{"event " + r.ID[:11]}})
			batch.Digests = append(batch.Digests, actions.Digest{Object: "event " + r.ID, Sum: r.Content})
		}
		began = time.Now()
		if err := s.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		committing += time.Since(began)
		done += len(records)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(b.N)/claiming.Seconds(), "claims/s")
	b.ReportMetric(float64(b.N)/committing.Seconds(), "settlements/s")
}

func fill(b testing.TB, s *sqlite.Store, n int64) {
	b.Helper()
	for from := int64(0); from < n; from += 5000 {
		var records []*journal.Record
		for i := from; i < min(n, from+5000); i++ {
			records = append(records, journaltest.Form(i))
		}
		if _, err := s.Append(context.Background(), records, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBacklog measures what a backlog of a million records costs: starting, claiming, and accepting more.
func BenchmarkBacklog(b *testing.B) {
	const backlog = 1_000_000
	p := newPlace(b)
	s := p.open(b, journal.Options{})
	fill(b, s, backlog)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		s := p.open(b, journal.Options{})
		records, err := s.Claim(context.Background(), journal.Claim{Owner: "one", Limit: 500, Now: time.Now()})
		if err != nil || len(records) != 500 {
			b.Fatal(len(records), err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "start-ms")
		began = time.Now()
		for range 20 {
			if records, err = s.Claim(context.Background(),
				journal.Claim{Owner: "one", Limit: 500, Now: time.Now()}); err != nil || len(records) != 500 {
				b.Fatal(len(records), err)
			}
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/20/1000, "claim-500-ms")
		began = time.Now()
		var batch []*journal.Record
		for k := range int64(1000) {
			batch = append(batch, journaltest.Form(backlog+int64(i)*1000+k))
		}
		if _, err := s.Append(context.Background(), batch, nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "append-1000-ms")
		began = time.Now()
		if _, err := s.Summary(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "summary-ms")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDigests measures remembering and looking up digests of objects, and how much of the file each takes.
func BenchmarkDigests(b *testing.B) {
	const batch = 5000
	p := newPlace(b)
	s := p.open(b, journal.Options{})
	each := func(do func(objects []string, digests []actions.Digest)) {
		for from := 0; from < b.N; from += batch {
			objects := make([]string, min(batch, b.N-from))
			digests := make([]actions.Digest, len(objects))
			for i := range objects {
				objects[i] = fmt.Sprintf("event nightly %d", from+i)
				digests[i] = actions.Digest{Object: objects[i], Sum: uint64(from+i) + 1}
			}
			do(objects, digests)
		}
	}
	b.ResetTimer()
	began := time.Now()
	each(func(_ []string, digests []actions.Digest) {
		if err := s.Commit(context.Background(), &journal.Batch{Owner: "one", Server: "national",
			Digests: digests}); err != nil {
			b.Fatal(err)
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "remembered/s")
	began = time.Now()
	each(func(objects []string, digests []actions.Digest) {
		sums, err := s.Memory("national").Digests(context.Background(), objects)
		if err != nil || len(sums) != len(objects) || sums[objects[0]].Sum != digests[0].Sum {
			b.Fatal(len(sums), err)
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "looked-up/s")
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(string(p))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/object")
}

// BenchmarkSearch measures pages for people in a journal of a million records.
func BenchmarkSearch(b *testing.B) {
	s := newPlace(b).open(b, journal.Options{})
	journaltest.FillForSearch(b, s)
	journaltest.BenchmarkSearch(b, s)
}

// BenchmarkRekey measures taking a key into use in a journal that was kept in clear.
func BenchmarkRekey(b *testing.B) {
	p := newPlace(b)
	s := p.open(b, journal.Options{})
	fill(b, s, int64(b.N))
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	s = p.open(b, journal.Options{Key: []byte("the key of a sealed benchmark")})
	b.ResetTimer()
	if _, err := s.Rekey(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
