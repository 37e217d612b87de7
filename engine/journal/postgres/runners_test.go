package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/postgres"
	"github.com/culvert/culvert/internal/await/awaittest"
)

// flights notes which keys are in flight anywhere, and in which order their records came.
type flights struct {
	mu   sync.Mutex
	keys map[string]string
	last map[string]int64
	bad  []string
}

func (f *flights) begin(owner string, r *journal.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other := f.keys[r.Key]; other != "" {
		f.bad = append(f.bad, fmt.Sprintf("%s got key %s, which %s has in flight", owner, r.Key, other))
	}
	if r.Seq < f.last[r.Key] {
		f.bad = append(f.bad, fmt.Sprintf("record %d of key %s came after %d", r.Seq, r.Key, f.last[r.Key]))
	}
	f.keys[r.Key], f.last[r.Key] = owner, r.Seq
}

func (f *flights) end(r *journal.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, r.Key)
}

// TestRunners lets several runners accept, claim, retry and settle at once: no key is ever in
// flight twice, its order holds, and nothing is left over.
func TestRunners(t *testing.T) {
	t.Parallel()
	const runners, records, keys = 3, 600, 40
	p := newPlace(t)
	f := &flights{keys: map[string]string{}, last: map[string]int64{}}
	var done sync.Map
	var wg sync.WaitGroup
	for n := range runners {
		j := p.Open(t, journal.Options{})
		owner := fmt.Sprintf("runner-%d", n)
		wg.Go(func() {
			for i := range records / runners {
				r := journaltest.Form(int64(n*records + i))
				r.Key = fmt.Sprintf("key-%d", rand.IntN(keys))
				if _, err := j.Append(t.Context(), []*journal.Record{r}, nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() { work(t, j, owner, f, &done, records) })
	}
	wg.Wait()
	for _, bad := range f.bad {
		t.Error(bad)
	}
	j := p.Open(t, journal.Options{})
	sum, err := j.Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(sum.Rules) != 1 || sum.Rules[0].Delivered != records {
		t.Errorf("not all was delivered: %+v", sum.Rules)
	}
	if err := j.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func work(t *testing.T, j journal.Journal, owner string, f *flights, done *sync.Map, want int) {
	deadline := time.Now().Add(2 * time.Minute)
	for n := 0; n < want; {
		n = 0
		done.Range(func(any, any) bool { n++; return true })
		if time.Now().After(deadline) {
			t.Errorf("%s: only %d records are done", owner, n)
			return
		}
		records, err := j.Claim(t.Context(), journal.Claim{Owner: owner, Limit: 7, Now: time.Now()})
		if err != nil {
			t.Error(err)
			return
		}
		if len(records) == 0 {
			select {
			case <-j.Wake():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		b := &journal.Batch{Owner: owner, Server: "national"}
		for _, r := range records {
			f.begin(owner, r)
			s := journal.Settlement{Seq: r.Seq, State: journal.Delivered, Attempts: r.Attempts + 1}
			if r.Attempts == 0 && rand.IntN(4) == 0 {
				s.State, s.NextTry = journal.Pending, time.Now().Add(time.Millisecond)
			} else {
				done.Store(r.Seq, true)
			}
			b.Settlements = append(b.Settlements, s)
		}
		for _, r := range records {
			f.end(r)
		}
		if err := j.Commit(t.Context(), b); err != nil {
			t.Error(err)
			return
		}
	}
}

// TestKeysOfRunners lets runners take keys of file rows at once: each goes to one of them.
func TestKeysOfRunners(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%d", i)
	}
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for n := range 4 {
		j := p.Open(t, journal.Options{})
		wg.Go(func() {
			mine := slices.Clone(keys)
			rand.Shuffle(len(mine), func(a, b int) { mine[a], mine[b] = mine[b], mine[a] })
			given, err := j.ClaimKeys(t.Context(), fmt.Sprintf("runner-%d", n), rowKeys(mine))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, ok := range given {
				if ok {
					got[mine[i]]++
				}
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if got[key] != 1 {
			t.Errorf("%s was given %d times", key, got[key])
		}
	}
}

// TestLeaderTakenOver has a leader that is frozen: its connection lives, but it gives no sign of
// life. Another one leads soon, and the first one, woken up, knows that it does not lead any more.
func TestLeaderTakenOver(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	lease := journal.Options{Lease: 400 * time.Millisecond}
	frozen, other := p.Open(t, lease), p.Open(t, lease)
	lead := func(j journal.Journal, owner string) bool {
		t.Helper()
		ok, err := j.Lead(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !lead(frozen, "frozen") || lead(other, "other") {
		t.Fatal("the first does not lead")
	}
	awaittest.Until(t, "the lead is taken over", func() bool { return lead(other, "other") })
	if lead(frozen, "frozen") {
		t.Error("two runners lead")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if !lead(frozen, "frozen") {
		t.Error("nobody leads after the leader left")
	}
}

// TestLostConnections ends all connections of a journal: the calls that follow work again by themselves.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	j := p.Open(t, journal.Options{})
	if _, err := j.Append(t.Context(), []*journal.Record{journaltest.Form(1)}, nil); err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.WithoutCancel(t.Context()))
	dsn, err := url.Parse(string(p))
	if err != nil {
		t.Fatal(err)
	}
	var ended int
	err = admin.QueryRow(t.Context(),
		"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1",
		dsn.Query().Get("application_name")).Scan(&ended)
	if err != nil || ended < 2 {
		t.Fatalf("%d connections were ended: %v", ended, err)
	}
	awaittest.UntilNoError(t, "records are taken again", func() error {
		_, err := j.Append(t.Context(), []*journal.Record{journaltest.Form(2)}, nil)
		if _, gone := errors.AsType[*journal.ErrUnavailable](err); err != nil && !gone {
			t.Fatalf("a lost connection is told as %v", err)
		}
		return err
	})
	got, err := j.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 10, Now: time.Now()})
	if err != nil || len(got) != 2 {
		t.Errorf("claimed %d records: %v", len(got), err)
	}
}

func TestOpenRefusals(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	key := []byte("0123456789abcdef")
	if err := p.Open(t, journal.Options{Key: key}).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), string(p), journal.Options{}); !errors.Is(err, journal.ErrKeyMissing) {
		t.Errorf("without the key: %v", err)
	}
	if _, err := postgres.Open(t.Context(), string(p), journal.Options{Key: []byte("another key of 16")}); !errors.Is(err,
		journal.ErrKeyWrong) {
		t.Errorf("with another key: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), string(p))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "UPDATE journal_format SET version = 99"); err != nil {
		t.Fatal(err)
	}
	var newer *journal.ErrNewer
	if _, err := postgres.Open(t.Context(), string(p), journal.Options{Key: key}); !errors.As(err, &newer) ||
		newer.Found != 99 {
		t.Errorf("a newer journal: %v", err)
	}
}

func TestOpenUnreachable(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ dsn, want string }{
		"nobody listens": {"postgres://someone:secret@127.0.0.1:1/culvert", "cannot be reached"},
		"not an address": {"postgres://someone:secret@[::1:5432/x", "cannot be read"},
	} {
		_, err := postgres.Open(t.Context(), c.dsn, journal.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func rowKeys(keys []string) []journal.RowKey {
	out := make([]journal.RowKey, len(keys))
	for i, key := range keys {
		out[i] = journal.RowKey{Key: key}
	}
	return out
}

// TestLiveOwners knows whose lease has not ended.
func TestLiveOwners(t *testing.T) {
	t.Parallel()
	const lease = 200 * time.Millisecond
	j := newPlace(t).Open(t, journal.Options{Lease: lease})
	live := func() []string {
		owners, err := j.(*postgres.Store).LiveOwners(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return owners
	}
	if err := j.Heartbeat(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if owners := live(); !slices.Equal(owners, []string{"a"}) {
		t.Errorf("alive are %v", owners)
	}
	for limit := time.Now().Add(30 * time.Second); len(live()) > 0; time.Sleep(lease / 4) {
		if time.Now().After(limit) {
			t.Fatal("an owner that says nothing more is alive for ever")
		}
	}
}
