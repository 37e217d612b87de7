package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// crashParts is set in a child whose rule writes to several places: after how many appends of records
// of further parts it dies; 0: it lives.
const crashParts = "CULVERT_TEST_CRASH_PARTS"

// crashPlaces are where the further parts write to: the first waits for nothing, the second for the
// national server.
var crashPlaces = []string{"regional", "hq"}

// ResultField makes the id of a visit something that the parts after it carry along.
func (v visit) ResultField() string { return "event" }

// partsProgram writes every visit to three places.
func partsProgram(t testing.TB) *program.Program {
	first := testFlow(t, fmt.Sprintf(visitRule, "visits"))
	part := func(place string) *program.Flow {
		return &program.Flow{Rule: first.Rule, Actions: first.Actions, Server: place, Part: place, After: []string{""}}
	}
	first.Beside, first.Next = []*program.Flow{part(crashPlaces[0])}, []*program.Flow{part(crashPlaces[1])}
	p := &program.Program{Rules: map[string]*program.Flow{}}
	for _, f := range append([]*program.Flow{first}, append(first.Beside, first.Next...)...) {
		p.Rules[f.Name()] = f
	}
	return p
}

// mortal is a journal whose process dies between an append of records of parts and the settlement of
// what they were made of, or right before that append.
type mortal struct {
	journal.Journal
	left   atomic.Int64
	before bool
}

func newMortal(j journal.Journal, left int) *mortal {
	m := &mortal{Journal: j, before: left%4 == 1}
	m.left.Store(int64(left))
	return m
}

func (m *mortal) Append(ctx context.Context, records []*journal.Record, c *sources.Cursor) ([]bool, error) {
	last := strings.Contains(records[0].Rule, "@") && m.left.Add(-1) == 0 // not those of an acceptance
	if last && m.before {
		die()
	}
	known, err := m.Journal.Append(ctx, records, c)
	if last {
		die()
	}
	return known, err
}

func die() {
	me, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = me.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // it is a matter of moments
}

// newPartsCrash is a crash test of a rule that writes to three places.
func newPartsCrash(t *testing.T, store func(dir string) string) *crash {
	t.Helper()
	c := newCrash(t, store)
	c.kills = (c.kills + 1) / 2
	c.ledger.others = map[string]*ledger{}
	for n, place := range crashPlaces {
		c.ledger.others[place] = newLedger(uint64(n))
	}
	return c
}

// dying starts a child that dies after some appends of parts.
func (c *crash) dying() *exec.Cmd {
	c.t.Helper()
	return c.start(crashParts + "=" + strconv.Itoa(1+c.random.IntN(25)))
}

// died waits until a child has died of itself.
func (c *crash) died(cmd *exec.Cmd) {
	c.t.Helper()
	overdue := time.AfterFunc(time.Minute, func() {
		c.t.Error("the child lives on")
		_ = cmd.Process.Kill()
	})
	defer overdue.Stop()
	if err := cmd.Wait(); err == nil {
		c.t.Error("the child came to an end")
	}
}

// TestKilledBetweenParts has the process die right after records of further parts are in the journal,
// before what they come from is settled: all is made once more, and each place has each record once.
func TestKilledBetweenParts(t *testing.T) {
	t.Parallel()
	c := newPartsCrash(t, func(dir string) string { return "sqlite:" + filepath.Join(dir, "culvert.db") })
	for n := range c.kills {
		c.drop(n)
		c.died(c.dying())
	}
	c.settle(c.start(crashParts + "=0"))
	c.report()
}

// TestRunnersKilledBetweenParts has two runners on one PostgreSQL die so, in turn.
func TestRunnersKilledBetweenParts(t *testing.T) {
	t.Parallel()
	c := newPartsCrash(t, func(string) string { return postgresPlace(t) })
	living := c.start(crashParts + "=0")
	for n := range c.kills {
		c.drop(n)
		c.died(c.dying())
	}
	c.settle(living)
	c.report()
}

// idle is an action that has nothing to do.
type idle struct{}

func (idle) Key() *rules.Expr                           { return nil }
func (idle) Plan(*rules.Scope) ([]actions.Write, error) { return nil, nil }

// TestPartsOfARecordWithoutAnID has a record come while its rule is broken, so that nobody knows its id: once the rule
// is right it reaches the further places under its own id, also where there is nothing to do at the first one.
func TestPartsOfARecordWithoutAnID(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]actions.Action{"at all places": nil, "at the further ones": {idle{}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			valid, broken := partsProgram(t), partsProgram(t)
			if first != nil {
				valid.Rules["visits"].Actions = first
			}
			for _, f := range broken.Rules {
				f.Invalid = &journal.Problem{Problem: diag.Problem{Code: "unknown-stage", Message: "the stage is gone"}}
			}
			w := newWorld(t, broken)
			others := map[string]*target{}
			for _, place := range crashPlaces {
				others[place] = newTarget(t)
				w.config.Servers[place] = dispatch.Server{Target: others[place]}
			}
			w.run()
			w.accept(item("visits", "a", "p", 1))
			if s := w.states(); s[journal.Held] != 1 {
				t.Fatalf("states: %v", s)
			}
			w.runner.Swap(valid)
			w.until("all is delivered", func() bool { return w.states()[journal.Delivered] == 3 })
			for place, g := range others {
				if got := g.delivered("p"); len(got) != 1 || g.objects["a"] != "1" {
					t.Errorf("%s got %v of %v", place, got, g.objects)
				}
			}
		})
	}
}
