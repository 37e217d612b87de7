package journaltest

import (
	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
)

// untold gives what the model knows to be settled and not told of, of one rule.
func (m *machine) pendingOf(rule string) []*known {
	var out []*known
	for _, k := range m.records {
		if k.rule == rule && k.notify && !k.told && !k.unsettled() {
			out = append(out, k)
		}
	}
	return out
}

// notify tells a source of some outcomes.
func (m *machine) notify(rt *rapid.T) {
	rule := rulesOf.Draw(rt, "rule")
	known := m.pendingOf(rule)
	limit := rapid.IntRange(0, 3).Draw(rt, "limit")
	got, err := m.j.PendingNotifications(m.ctx(), rule, m.at, limit)
	m.ok(err)
	var notifications []journal.Notification
	for i, k := range known[:min(limit, len(known))] {
		if i >= len(got) || got[i].Seq != k.seq {
			m.rt.Fatalf("of %d records that rule %s's source does not know, %d came, and not record %d", len(known), rule,
				len(got), k.seq)
		}
		notifications = append(notifications, journal.Notification{Seq: k.seq, Settled: got[i].Settled})
		k.told = true
	}
	m.ok(m.j.Notified(m.ctx(), notifications))
}

func (m *machine) compareNotifications() {
	for _, rule := range []string{"anc", "pnc"} {
		var want, got []int64
		for _, k := range m.pendingOf(rule) {
			want = append(want, k.seq)
		}
		records, err := m.j.PendingNotifications(m.ctx(), rule, m.at, 1000)
		m.ok(err)
		for _, r := range records {
			got = append(got, r.Seq)
		}
		m.same("what the source of "+rule+" does not know", got, want)
	}
}
