package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// notes is a journal that keeps named values only.
type notes struct {
	mu     sync.Mutex
	values map[string]string
	fails  error
}

func (n *notes) Cursor(context.Context, string) (string, error) { return "", nil }

func (n *notes) ChangeMeta(context.Context, string, journal.AuditEntry, func(string) (string, error)) error {
	return errors.ErrUnsupported
}

func newNotes() *notes { return &notes{values: map[string]string{}} }

func (n *notes) Meta(_ context.Context, name string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[name], nil
}

func (n *notes) SetMeta(_ context.Context, name, value string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fails == nil {
		n.values[name] = value
	}
	return n.fails
}

var quietly = Options{Log: slog.New(slog.DiscardHandler)}

// TestUnitSync holds that a server is synced once its org units are left alone, at last while they
// are not, by whichever runner leads then, and not twice.
func TestUnitSync(t *testing.T) {
	ctx, j := t.Context(), newNotes()
	writer, leader := newUnitSync(j, quietly), newUnitSync(j, quietly)
	now := time.Now()
	check := func(what string, u *unitSync, at time.Time, want bool) {
		t.Helper()
		if due, err := u.due(ctx, "national", at); err != nil || due != want {
			t.Errorf("%s: due %v, %v", what, due, err)
		}
	}
	check("nothing was written", leader, now, false)
	writer.changed.set(ctx, "national", now)
	check("at once", leader, now, false)
	check("after a while", leader, now.Add(unitsQuiet), true)
	check("after a restart", newUnitSync(j, quietly), now.Add(unitsQuiet), true)

	leader.done("national", now.Add(unitsQuiet), false)
	check("the sync failed a moment ago", leader, now.Add(unitsQuiet+time.Second), false)
	check("the sync failed a while ago", leader, now.Add(unitsQuiet+unitsAtMost), true)

	leader.done("national", now.Add(unitsQuiet), true)
	leader.synced.set(ctx, "national", now.Add(unitsQuiet))
	check("it is synced", leader, now.Add(time.Hour), false)
	check("another leads", newUnitSync(j, quietly), now.Add(time.Hour), false)

	later := now.Add(time.Hour)
	for k := range int(unitsAtMost / unitsQuiet * 2) {
		writer.changed.set(ctx, "national", later.Add(time.Duration(k)*unitsQuiet/2))
		check("while it goes on", leader, later.Add(time.Duration(k)*unitsQuiet/2), false)
	}
	writer.changed.set(ctx, "national", later.Add(unitsAtMost))
	check("changes without an end", leader, later.Add(unitsAtMost), true)
}

// TestMarks holds that a mark that could not be kept is kept later.
func TestMarks(t *testing.T) {
	ctx, j := t.Context(), newNotes()
	m := marks{prefix: "units-changed/", journal: j, log: quietly.Log}
	now := time.Now()
	j.fails = context.DeadlineExceeded
	m.set(ctx, "national", now)
	j.fails = nil
	m.flush(ctx)
	other := marks{prefix: "units-changed/", journal: j, log: quietly.Log}
	if at, err := other.at(ctx, "national"); err != nil || !at.Equal(now) {
		t.Errorf("%v, %v", at, err)
	}
	m.set(ctx, "national", now.Add(time.Second)) // so soon it is not written
	if at, _ := other.at(ctx, "national"); !at.Equal(now) {
		t.Errorf("written twice within %s", markEvery)
	}
	m.flush(ctx)
	if at, _ := other.at(ctx, "national"); !at.Equal(now.Add(time.Second)) {
		t.Error("what came last is not kept")
	}
}
