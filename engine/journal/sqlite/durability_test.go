package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// childEnv makes the test binary a process that works on a journal until it is killed.
const childEnv = "CULVERT_TEST_JOURNAL_CHILD"

// TestChild is not a test of its own: TestKill runs it in processes of its own and kills them.
func TestChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("only run by TestKill, in a process of its own")
	}
	s, err := sqlite.OpenSmall(context.Background(), path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseInt(os.Getenv(childEnv+"_FIRST"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	say := func(what string, seq int64, id string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %d %s\n", what, seq, id)
	}
	for n := range int64(4) {
		go func() {
			for i := first + n; ; i += 4 {
				r := journaltest.Form(i)
				r.Key = fmt.Sprintf("key-%d", i%17)
				if _, err := s.Append(context.Background(), []*journal.Record{r}, nil); err != nil {
					t.Error(err)
					return
				}
				say("kept", r.Seq, r.ID)
			}
		}()
	}
	for {
		records, err := s.Claim(context.Background(), journal.Claim{Owner: "child", Limit: 5, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		b := &journal.Batch{Owner: "child", Server: "national"}
		for _, r := range records {
			b.Settlements = append(b.Settlements, journal.Settlement{Seq: r.Seq, State: journal.Delivered, Attempts: 1,
				Objects: []string{r.ID}})
		}
		if err := s.Commit(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			say("settled", r.Seq, r.ID)
		}
	}
}

// TestKill kills a process that appends, claims and settles at random moments. Whatever it said is
// done is done, and the journal is sound.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 12
	if testing.Short() {
		kills = 4
	}
	p := newPlace(t)
	kept, settled := map[int64]string{}, map[int64]bool{}
	for n := range kills {
		runChild(t, p, int64(n)*1_000_000, time.Duration(20+rand.IntN(250))*time.Millisecond,
			func(what string, seq int64, id string) {
				if what == "kept" {
					kept[seq] = id
				} else {
					settled[seq] = true
				}
			})
		s := smallPlace(p).Open(t, journal.Options{})
		if err := s.Check(t.Context()); err != nil {
			t.Fatalf("after kill %d: %v", n+1, err)
		}
		all, err := s.Select(t.Context(), journal.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[int64]*journal.Record{}
		for _, r := range all {
			found[r.Seq] = r
		}
		for seq, id := range kept {
			if found[seq] == nil || found[seq].ID != id {
				t.Fatalf("after kill %d: record %d was accepted and is lost", n+1, seq)
			}
		}
		for seq := range settled {
			if found[seq].State != journal.Delivered {
				t.Fatalf("after kill %d: record %d was settled and is %s", n+1, seq, found[seq].State)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(kept) == 0 || len(settled) == 0 {
		t.Fatalf("nothing was tried: %d kept, %d settled", len(kept), len(settled))
	}
	t.Logf("%d kills, %d records kept, %d settled", kills, len(kept), len(settled))
}

func runChild(t *testing.T, p place, first int64, life time.Duration, said func(what string, seq int64, id string)) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(p), childEnv+"_FIRST="+strconv.FormatInt(first, 10))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var killer *time.Timer
	for lines.Scan() {
		var what, id string
		var seq int64
		if n, _ := fmt.Sscanf(lines.Text(), "%s %d %s", &what, &seq, &id); n != 3 {
			continue
		}
		// Its life begins with the first word, however long the start took.
		if killer == nil {
			killer = time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
		}
		said(what, seq, id)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the process ended by itself: %v", err)
	}
}
