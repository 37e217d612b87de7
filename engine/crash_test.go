package engine

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/sources/results"
)

// The crash test kills a runner at random moments while forms and files flow, and counts
// afterwards. The runner is a child process with a real journal and a real watched folder; the
// server is the parent, which outlives it and injects faults: it refuses whole requests, single
// writes, and drops connections after it has written.

const (
	crashDir   = "CULVERT_TEST_CRASH_DIR" // set in the child
	crashURL   = "CULVERT_TEST_CRASH_URL"
	crashStore = "CULVERT_TEST_CRASH_STORE"
	// crashKills asks for more kills than the short run makes.
	crashKills = "CULVERT_TEST_KILLS"
)

// crash is one run of the test.
type crash struct {
	t      *testing.T
	dir    string
	store  string
	kills  int
	ledger *ledger
	url    string
	rows   int
	random *rand.Rand
}

func newCrash(t *testing.T, store func(dir string) string) *crash {
	t.Helper()
	c := &crash{t: t, dir: t.TempDir(), kills: 12, random: rand.New(rand.NewPCG(42, 42))}
	if n, err := strconv.Atoi(os.Getenv(crashKills)); err == nil {
		c.kills = n
	} else if testing.Short() {
		c.kills = 3
	}
	c.store = store(c.dir)
	c.ledger = newLedger(9)
	server := httptest.NewUnstartedServer(c.ledger)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.Start()
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *crash) start(env ...string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), crashDir+"="+c.dir, crashURL+"="+c.url, crashStore+"="+c.store), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = cmd.Process.Kill() }) // it outlives the test only when that fails
	return cmd
}

func (c *crash) kill(cmd *exec.Cmd) {
	c.t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = cmd.Wait()
}

// moment waits for a while: the moment of death is the input of this test.
func (c *crash) moment() { time.Sleep(time.Duration(50+c.random.IntN(450)) * time.Millisecond) }

// awake waits until a child that was started is at work.
func (c *crash) awake() {
	c.t.Helper()
	select {
	case <-c.ledger.heard: // may be of the one before
	default:
	}
	select {
	case <-c.ledger.heard:
	case <-time.After(time.Minute):
		c.t.Fatal("the child does not start")
	}
}

func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	c := newCrash(t, func(dir string) string { return "sqlite:" + filepath.Join(dir, "culvert.db") })
	for n := range c.kills {
		c.drop(n)
		cmd := c.start()
		if n%4 != 3 { // some die before they are up
			c.awake()
		}
		c.moment()
		c.kill(cmd)
	}
	c.settle(c.start())
	c.report()
}

// TestThreeRunnersKilledAndFrozen has three runners on one PostgreSQL. One after another is killed
// and replaced, or stopped for longer than the lease and woken late.
func TestThreeRunnersKilledAndFrozen(t *testing.T) {
	t.Parallel()
	c := newCrash(t, func(string) string { return postgresPlace(t) })
	runners := []*exec.Cmd{c.start(), c.start(), c.start()}
	for n := range c.kills {
		c.drop(n)
		c.moment()
		who := c.random.IntN(len(runners))
		if n%12 == 3 {
			frozen := runners[who].Process
			if err := frozen.Signal(stopSignal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(crashLease + crashLease/2)
			if err := frozen.Signal(continueSignal); err != nil {
				t.Fatal(err)
			}
			continue
		}
		c.kill(runners[who])
		runners[who] = c.start()
	}
	c.settle(runners...)
	c.report()
}

// postgresPlace is a schema of its own in the database of the tests.
func postgresPlace(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("CULVERT_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that several runners are tested with")
		}
		t.Skip("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that several runners are tested with")
	}
	place, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	schema := "culvert_crash_" + strings.ToLower(crand.Text()[:12])
	q := place.Query()
	q.Set("search_path", schema)
	place.RawQuery = q.Encode()
	first, err := pgx.Connect(t.Context(), place.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, place.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx,
			"SET client_min_messages = warning; DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE",
			pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	})
	return place.String()
}

// stuck is after how long without anything written or finished the last runners have failed.
const stuck = 2 * time.Minute

// settle lets the last runners bring everything to its end, without faults, and stops them.
func (c *crash) settle(runners ...*exec.Cmd) {
	c.t.Helper()
	l := c.ledger
	for _, one := range l.all() {
		one.mu.Lock()
		one.forms, one.quiet = one.taken+20, true
		one.mu.Unlock()
	}
	moved, before := time.Now(), -1
	for done := false; !done; {
		time.Sleep(20 * time.Millisecond)
		l.mu.Lock()
		want := l.taken + c.rows
		done = l.taken == l.forms && len(l.objects) == want && len(inboxOf(c.dir)) == 0
		got := len(l.objects)
		l.mu.Unlock()
		for _, other := range l.others {
			other.mu.Lock()
			done = done && len(other.objects) == want
			got += len(other.objects)
			other.mu.Unlock()
		}
		if left := got - len(inboxOf(c.dir)); left != before {
			moved, before = time.Now(), left
		}
		if time.Since(moved) > stuck {
			c.t.Fatalf("it never came to rest: %d of %d written, files left: %q", got, want, inboxOf(c.dir))
		}
	}
	for _, cmd := range runners {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, cmd := range runners {
		if err := cmd.Wait(); err != nil {
			c.t.Errorf("a last runner did not end well: %v", err)
		}
	}
}

// inboxOf gives the files that are not finished. A folder that a killed runner had prepared, and to
// which no file has come, is none; it is removed after an hour.
func inboxOf(dir string) []string {
	taken, _ := filepath.Glob(filepath.Join(dir, "inbox", "*", "[^.]*"))
	dropped, _ := filepath.Glob(filepath.Join(dir, "drop", "*"))
	return append(taken, dropped...)
}

// drop drops a file now and then; its rows go on numbering where those of the last one ended.
func (c *crash) drop(n int) {
	c.t.Helper()
	if n%max(4, c.kills/40) != 0 { // in a long run rarely enough for the last runners to come to an end
		return
	}
	t, dir, from := c.t, c.dir, c.rows
	c.rows += crashRows
	var b strings.Builder
	b.WriteString("id,person,n,keep\n")
	for i := range crashRows {
		fmt.Fprintf(&b, "f-%d,p%d,%d,yes\n", from+i, (from+i)%crashPeople, from+i)
	}
	folder := filepath.Join(dir, "drop")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, fmt.Sprintf("visits-%04d.csv", n))
	if err := os.WriteFile(tmp, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(folder, filepath.Base(tmp))); err != nil {
		t.Fatal(err)
	}
}

// report counts what was lost, doubled and out of order.
func (c *crash) report() {
	c.t.Helper()
	taken, rows := c.ledger.taken, c.rows
	for _, l := range c.ledger.all() {
		lost, doubled := 0, 0
		for n := range taken {
			if l.objects[fmt.Sprintf("w-%d", n)] != fmt.Sprint("p", n%crashPeople) {
				lost++
			}
		}
		for n := range rows {
			if l.objects[fmt.Sprintf("f-%d", n)] != fmt.Sprint("p", n%crashPeople) {
				lost++
			}
		}
		doubled = max(0, len(l.objects)-taken-rows) + len(l.foreign)
		c.t.Logf("%d kills, %d faults, %d records: lost %d, doubled %d, out of order %d", c.kills, l.faults, taken+rows,
			lost, doubled, len(l.disorder))
		if lost+doubled+len(l.disorder) > 0 {
			c.t.Errorf("lost %d, doubled %d, out of order %v", lost, doubled, l.disorder)
		}
	}
	c.checkJournal(taken)
}

// checkJournal holds the journal and the results against what was sent.
func (c *crash) checkJournal(forms int) {
	t, dir, rows := c.t, c.dir, c.rows
	t.Helper()
	ctx := context.Background()
	store, err := open.Journal(ctx, c.store, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	records, err := store.Select(ctx, journal.Filter{Limit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, r := range records {
		if r.State != journal.Delivered {
			t.Errorf("record %s is %s: %+v", r.ID, r.State, r.Problem)
		}
		id := r.Rule + " " + r.ID
		if ids[id]++; ids[id] > 1 {
			t.Errorf("record %s is in the journal %d times", id, ids[id])
		}
	}
	for n := range forms {
		if ids[fmt.Sprintf("visits w-%d", n)] != 1 {
			t.Errorf("form %d is not in the journal", n)
		}
	}
	for place := range c.ledger.others {
		for n := range forms + rows {
			id := fmt.Sprintf("visits@%s w-%d", place, n)
			if n >= forms {
				id = fmt.Sprintf("visits@%s f-%d", place, n-forms)
			}
			if ids[id] != 1 {
				t.Errorf("%s is not in the journal", id)
			}
		}
	}
	all, err := store.Files(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range all {
		if f.State != journal.FileFinished || f.Delivered+f.Unchanged != f.Rows || f.Failed != 0 {
			t.Errorf("file: %+v", f)
		}
		lines += resultLines(t, filepath.Join(dir, "done", strings.TrimSuffix(f.Name, ".csv")+".results.csv"))
	}
	if lines != rows {
		t.Errorf("the results name %d rows, %d were dropped", lines, rows)
	}
}

func resultLines(t *testing.T, path string) int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := map[int64]bool{}
	err = results.Read(file, func(_ int64, row results.Row) error {
		if seen[row.Record] {
			t.Errorf("%s names row %d twice", filepath.Base(path), row.Record)
		}
		seen[row.Record] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(seen)
}
