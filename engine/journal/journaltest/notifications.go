package journaltest

import (
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// tellable makes a record whose source wants to know of its outcome.
func tellable(rule, id string) *journal.Record {
	r := record(rule, id, id)
	r.Notify = true
	return r
}

func pendingOf(t testing.TB, j journal.Journal, at time.Time, want string) []*journal.Record {
	t.Helper()
	got, err := j.PendingNotifications(t.Context(), "anc", at, 10)
	must(t, err)
	wantIDs(t, "what the source does not know", got, want)
	return got
}

func notificationOf(r *journal.Record, again time.Time) journal.Notification {
	return journal.Notification{Seq: r.Seq, Settled: r.Settled, RetryAt: again}
}

// testNotifications keeps what sources do not know of their records until they were told, through
// restarts, replays and erasure.
func testNotifications(t *testing.T, p Place) {
	c := &clock{at: start}
	o := journal.Options{Now: c.now}
	j := p.Open(t, o)
	skipped, failed := tellable("anc", "skipped"), tellable("anc", "refused")
	skipped.State, failed.State, failed.Problem = journal.Skipped, journal.Failed,
		&journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no id"}}
	silent := record("anc", "silent", "silent")
	appendAll(t, j, tellable("anc", "a"), tellable("anc", "b"), silent, skipped, failed, tellable("pnc", "other"))
	got := pendingOf(t, j, c.at, "skipped refused")
	if len(got[0].Body) == 0 || got[0].State != journal.Skipped || got[1].Problem == nil || got[1].Problem.Code != "E1" {
		t.Errorf("they came as %+v and %+v", got[0], got[1])
	}
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	must(t, j.Close())
	j = p.Open(t, o)
	got = pendingOf(t, j, c.at, "a b skipped refused")
	again := c.at.Add(time.Hour)
	must(t, j.Notified(t.Context(), []journal.Notification{notificationOf(got[0], time.Time{}),
		notificationOf(got[1], again),
		notificationOf(got[2], time.Time{})}))
	pendingOf(t, j, c.at, "refused")
	pendingOf(t, j, again, "b refused")
	if got, err := j.PendingNotifications(t.Context(), "anc", c.at, 0); err != nil || len(got) != 0 {
		t.Errorf("none was asked for, and %d came: %v", len(got), err)
	}

	// Pending again it is not known how it ends; then it is told of anew, though somebody is late with
	// the earlier outcome.
	c.advance(time.Minute)
	_, err := j.Replay(t.Context(), journal.Filter{ID: "refused"}, "me", "", false)
	must(t, err)
	pendingOf(t, j, again, "b")
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	must(t, j.Notified(t.Context(), []journal.Notification{notificationOf(got[3], time.Time{})}))
	got = pendingOf(t, j, again, "b refused")
	if !got[1].Notify || got[1].State != journal.Delivered {
		t.Errorf("it came as %+v", got[1])
	}

	_, err = j.Forget(t.Context(), "b", "me", "")
	must(t, err)
	c.advance(time.Hour)
	_, err = j.Expire(t.Context(), journal.Retention{Payloads: time.Minute, Delivered: time.Minute, Failed: time.Minute},
		c.at)
	must(t, err)
	for _, r := range pendingOfAny(t, j, again) {
		if len(r.Body) > 0 {
			t.Errorf("record %s was erased and has a body", r.ID)
		}
	}
	check(t, j)
}

func pendingOfAny(t testing.TB, j journal.Journal, at time.Time) []*journal.Record {
	t.Helper()
	got, err := j.PendingNotifications(t.Context(), "anc", at, 10)
	must(t, err)
	return got
}
