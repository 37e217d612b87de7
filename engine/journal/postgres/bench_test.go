package postgres_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
)

const clients = 64

// BenchmarkAppend measures durable appends of single records by 64 callers at once.
func BenchmarkAppend(b *testing.B) {
	j := newPlace(b).Open(b, journal.Options{})
	var n atomic.Int64
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if _, err := j.Append(context.Background(), []*journal.Record{journaltest.Form(i)}, nil); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkCopy is what the others are measured against: the same bytes copied into a bare table,
// 64 rows with one transaction each.
func BenchmarkCopy(b *testing.B) {
	p := newPlace(b)
	p.Open(b, journal.Options{})
	conn, err := pgx.Connect(b.Context(), string(p))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(b.Context()))
	if _, err := conn.Exec(b.Context(),
		"CREATE TABLE raw (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text, key text, body bytea)"); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := 0; i < b.N; i += clients {
		_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"raw"}, []string{"id", "key", "body"},
			pgx.CopyFromSlice(clients, func(k int) ([]any, error) {
				r := journaltest.Form(int64(i + k))
				return []any{r.ID, r.Key, r.Body}, nil
			}))
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkDeliver measures claiming and settling batches of 500 records with a digest each.
func BenchmarkDeliver(b *testing.B) {
	j := newPlace(b).Open(b, journal.Options{})
	for from := int64(0); from < int64(b.N); from += 2000 {
		var records []*journal.Record
		for i := from; i < min(int64(b.N), from+2000); i++ {
			records = append(records, journaltest.Form(i))
		}
		if _, err := j.Append(context.Background(), records, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	var claiming time.Duration
	for done := 0; done < b.N; {
		began := time.Now()
		records, err := j.Claim(context.Background(), journal.Claim{Owner: "one", Limit: 500, Now: time.Now()})
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
		if err := j.Commit(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		done += len(records)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(b.N)/claiming.Seconds(), "claims/s")
}

// BenchmarkSearch measures pages for people in a journal of a million records.
func BenchmarkSearch(b *testing.B) {
	j := newPlace(b).Open(b, journal.Options{})
	journaltest.FillForSearch(b, j)
	journaltest.BenchmarkSearch(b, j)
}
