package postgres_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/postgres"
)

// TestKeyedRunnersBeginAtOnce starts several runners with one key on an empty database, as a deployment
// does the first time: all of them open the journal, and each reads what the others take.
func TestKeyedRunnersBeginAtOnce(t *testing.T) {
	t.Parallel()
	const runners = 5
	p := newPlace(t)
	key := bytes.Repeat([]byte{7}, 32)
	var wg sync.WaitGroup
	stores := make([]*postgres.Store, runners)
	for n := range runners {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), string(p), journal.Options{Key: key})
			if err != nil {
				t.Errorf("runner %d: %v", n, err)
				return
			}
			stores[n] = s
			r := journaltest.Form(int64(n))
			r.ID, r.Key = fmt.Sprint("amina-", n), fmt.Sprint("amina-", n)
			if _, err := s.Append(t.Context(), []*journal.Record{r}, nil); err != nil {
				t.Errorf("runner %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	for n, s := range stores {
		if s == nil {
			continue
		}
		records, err := s.Select(t.Context(), journal.Filter{WithBody: true, Limit: 100})
		if err != nil || len(records) != runners {
			t.Errorf("runner %d sees %d records of %d: %v", n, len(records), runners, err)
		}
	}
	if s := stores[0]; s != nil {
		got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 100, Now: time.Now()})
		if err != nil || len(got) != runners {
			t.Errorf("claimed %d records of %d: %v", len(got), runners, err)
		}
	}
	for _, s := range stores {
		if s == nil {
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"amina-0", fmt.Sprint("amina-", runners-1)} {
		if bytes.Contains(p.Bytes(t), []byte(text)) {
			t.Errorf("%s stands in clear in the database", text)
		}
	}
}
