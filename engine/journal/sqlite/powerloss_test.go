package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// sector is what a disk writes as a whole.
const sector = 512

// disk is what is left of a file when the power goes.
type disk struct {
	durable []byte
	pending []event // since the last sync
}

func (d *disk) apply(e event, length int) {
	if e.kind == truncated {
		if e.at < int64(len(d.durable)) {
			d.durable = d.durable[:e.at]
		}
		return
	}
	if end := e.at + int64(length); end > int64(len(d.durable)) {
		d.durable = append(d.durable, make([]byte, end-int64(len(d.durable)))...)
	}
	copy(d.durable[e.at:], e.data[:length])
}

// cut gives the files as a power loss behind some events may leave them: what was synced is there;
// of the rest each write may be there, or a part of it.
func cut(events []event, random *rand.Rand) map[string][]byte {
	disks := map[string]*disk{"": {}, "-wal": {}}
	for _, e := range events {
		d := disks[e.file]
		switch e.kind {
		case synced:
			for _, p := range d.pending {
				d.apply(p, len(p.data))
			}
			d.pending = nil
		case wrote, truncated:
			d.pending = append(d.pending, e)
		}
	}
	files := map[string][]byte{}
	chance := random.IntN(3) // of a pending write to have reached the disk: none, about half, most
	for name, d := range disks {
		for _, p := range d.pending {
			length := len(p.data)
			switch {
			case random.IntN(10) >= []int{0, 5, 9}[chance]:
				continue
			case random.IntN(4) == 0:
				length = min(length, random.IntN(length/sector+1)*sector)
			}
			d.apply(p, length)
		}
		files[name] = d.durable
	}
	return files
}

// work appends, claims, settles and remembers, and notes what was acknowledged when.
func work(t *testing.T, s *sqlite.Store, r *recorder, records int) {
	t.Helper()
	var writers sync.WaitGroup
	const hands = 4
	for n := range int64(hands) {
		writers.Go(func() {
			for i := n; i < int64(records); i += hands {
				rec := journaltest.Form(i)
				rec.Key = fmt.Sprintf("key-%d", i%97)
				if _, err := s.Append(context.Background(), []*journal.Record{rec}, nil); err != nil {
					t.Error(err)
					return
				}
				r.note(event{kind: acked, said: acknowledged{seq: rec.Seq}})
			}
		})
	}
	settled := 0
	for settled < records/2 && !t.Failed() {
		claimed, err := s.Claim(context.Background(), journal.Claim{Owner: "one", Limit: 7, Now: time.Now()})
		if err != nil {
			t.Error(err)
			break
		}
		b := &journal.Batch{Owner: "one", Server: "national"}
		for _, c := range claimed {
			b.Settlements = append(b.Settlements, journal.Settlement{Seq: c.Seq, State: journal.Delivered, Attempts: 1,
				Objects: []string{"abcdefghijk"}})
			b.Digests = append(b.Digests, actions.Digest{Object: "event " + c.ID, Sum: uint64(c.Seq)})
		}
		if err := s.Commit(context.Background(), b); err != nil {
			t.Error(err)
			break
		}
		for _, c := range claimed {
			r.note(event{kind: acked, said: acknowledged{seq: c.Seq, settled: true}})
		}
		settled += len(claimed)
	}
	writers.Wait()
}

// survives opens what a power loss left and compares it with what was acknowledged before.
func survives(t *testing.T, events []event, random *rand.Rand) error {
	t.Helper()
	p := place(filepath.Join(t.TempDir(), "culvert.db"))
	for end, content := range cut(events, random) {
		if err := os.WriteFile(string(p)+end, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlite.Open(t.Context(), string(p), journal.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.Check(t.Context()); err != nil {
		return err
	}
	all, err := s.Select(t.Context(), journal.Filter{})
	if err != nil {
		return err
	}
	states := map[int64]journal.State{}
	for _, r := range all {
		states[r.Seq] = r.State
	}
	for _, e := range events {
		state, ok := states[e.said.seq]
		switch {
		case e.kind != acked:
		case !ok:
			return fmt.Errorf("record %d was acknowledged and is lost", e.said.seq)
		case e.said.settled && state != journal.Delivered:
			return fmt.Errorf("record %d was settled and is %s", e.said.seq, state)
		}
	}
	return nil
}

// recorded runs a journal with a recorder beside it. Checkpoints come often, so that cuts meet them too.
func recorded(t *testing.T, records int) []event {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := place(filepath.Join(dir, "culvert.db"))
	r := record(t, string(p))
	s := p.open(t, journal.Options{})
	if err := s.Pragma(t.Context(), "wal_autocheckpoint = 40"); err != nil {
		t.Fatal(err)
	}
	work(t, s, r, records)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)]
}

// TestPowerLoss lets the power go at random moments of a journal's life. What was acknowledged is
// there afterwards, though every write that was not synced may be missing, torn, or there without
// those before it. CULVERT_TEST_CUTS says how often.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	records, cuts := 400, 50
	if text := os.Getenv("CULVERT_TEST_CUTS"); text != "" {
		var err error
		if cuts, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		records = max(records, 5*cuts)
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	events := recorded(t, records)
	count := map[eventKind]int{}
	first := len(events)
	for i, e := range events {
		count[e.kind]++
		if e.kind == acked && first == len(events) {
			first = i
		}
	}
	if count[acked] < records || count[synced] < 20 || first == len(events) {
		t.Fatalf("too little happened: %d acknowledged, %d writes, %d syncs", count[acked], count[wrote], count[synced])
	}
	for n := range cuts {
		at := first + random.IntN(len(events)-first) + 1
		if err := survives(t, events[:at], random); err != nil {
			t.Fatalf("power lost at %d of %d events (cut %d, seed %d): %v", at, len(events), n, seed, err)
		}
	}
	t.Logf("%d cuts of %d events: %d acknowledged, %d writes, %d syncs", cuts, len(events), count[acked], count[wrote],
		count[synced])
}

// TestPowerLossIsNoticed has the same cuts find what is lost when the log is not synced before a
// record is acknowledged.
func TestPowerLossIsNoticed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	events := slices.DeleteFunc(recorded(t, 200), func(e event) bool { return e.kind == synced && e.file == "-wal" })
	for range 60 {
		if survives(t, events[:len(events)/4+random.IntN(len(events)*3/4)], random) != nil {
			return
		}
	}
	t.Error("without a single sync of the log nothing is lost: the cuts find nothing")
}
