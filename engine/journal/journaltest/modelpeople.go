package journaltest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

func (m *machine) hold(rt *rapid.T) {
	rule := rulesOf.Draw(rt, "rule")
	n, err := m.j.Hold(m.ctx(), rule, &journal.Problem{Problem: diag.Problem{Code: "held",
		Message: "the rule is invalid"}})
	m.ok(err)
	m.same("held", n, m.change(func(k *known) bool {
		return k.rule == rule && k.state == journal.Pending &&
			k.claimed == ""
	}, func(k *known) {
		k.state, k.code, k.next, k.by = journal.Held, "held", time.Time{}, 0
	}))
}

func (m *machine) unhold(rt *rapid.T) {
	rule := rulesOf.Draw(rt, "rule")
	n, err := m.j.Unhold(m.ctx(), rule)
	m.ok(err)
	m.same("unheld", n, m.change(func(k *known) bool { return k.rule == rule && k.state == journal.Held }, func(k *known) {
		k.state, k.code, k.by = journal.Pending, "", 0
	}))
}

// change changes the records for which the condition holds and counts them.
func (m *machine) change(when func(*known) bool, how func(*known)) int64 {
	n := int64(0)
	for _, k := range m.records {
		if when(k) {
			how(k)
			k.touched = m.at
			n++
		}
	}
	return n
}

func (m *machine) replay(rt *rapid.T) {
	f := journal.Filter{Code: rapid.SampledFrom([]string{"", "E1"}).Draw(rt, "code")}
	f.States = []journal.State{rapid.SampledFrom([]journal.State{journal.Failed, journal.Failed, journal.Delivered,
		journal.Dismissed, journal.Superseded}).Draw(rt, "state")}
	force := rapid.Bool().Draw(rt, "force")
	n, err := m.j.Replay(m.ctx(), f, "asha", "because", force)
	m.ok(err)
	m.same("replayed", n, m.change(func(k *known) bool {
		return k.state == f.States[0] && (f.Code == "" || k.code == f.Code) && k.body != ""
	}, func(k *known) {
		k.state, k.attempts, k.next, k.force, k.told = journal.Pending, 0, time.Time{}, force, false
	}))
}

func (m *machine) dismiss(rt *rapid.T) {
	f := journal.Filter{Rule: rulesOf.Draw(rt, "rule"),
		States: []journal.State{journal.Failed, journal.Held, journal.Pending}}
	n, err := m.j.Dismiss(m.ctx(), f, "asha", "because")
	m.ok(err)
	m.same("dismissed", n, m.change(func(k *known) bool {
		return k.rule == f.Rule && slices.Contains(f.States, k.state) && k.claimed == ""
	}, func(k *known) {
		k.state, k.next, k.told, k.waits = journal.Dismissed, time.Time{}, false, false
	}))
}

// correct puts a new version in the place of a failed record.
func (m *machine) correct(rt *rapid.T) {
	for _, k := range m.records {
		if k.state != journal.Failed || m.correctionWaits(k) {
			continue
		}
		seq, err := m.j.Correct(m.ctx(), k.seq, []byte(`{"edited":true}`), "asha", "because")
		m.ok(err)
		k.state, k.touched, k.by = journal.Superseded, m.at, seq
		k.told = false
		next := &known{seq: seq, rule: k.rule, id: k.id, key: k.key, content: k.content, state: journal.Pending,
			received: m.at, touched: m.at, notify: k.notify,
			edited: true, body: `{"edited":true}`, version: k.version, rank: k.order().Seq}
		m.records, m.last = append(m.records, next), max(m.last, seq)
		return
	}
	rt.Skip("nothing failed")
}

func (m *machine) correctionWaits(k *known) bool {
	return slices.ContainsFunc(m.records, func(o *known) bool {
		return o.unsettled() && o.edited && o.rule == k.rule && o.id == k.id && o.rank == k.order().Seq
	})
}

func (m *machine) forget(rt *rapid.T) {
	if rapid.IntRange(0, 4).Draw(rt, "really") > 0 {
		rt.Skip("rarely")
	}
	key := keysOf.Draw(rt, "key")
	if len(m.claimed("one"))+len(m.claimed("two")) > 0 {
		rt.Skip("the model does not follow records that are forgotten in flight")
	}
	_, err := m.j.Forget(m.ctx(), key, "asha", "asked for")
	m.ok(err)
	for _, k := range m.records {
		if k.key != key {
			continue
		}
		if k.unsettled() || k.state == journal.Failed {
			k.state, k.next, k.touched, k.code, k.told, k.waits = journal.Dismissed, time.Time{}, m.at, "forgotten", false, false
			k.by = 0
		}
		k.key, k.body = "(forgotten)", ""
	}
}

func (m *machine) expire(rt *rapid.T) {
	age := time.Duration(rapid.IntRange(1, 5).Draw(rt, "minutes")) * time.Minute
	out, err := m.j.Expire(m.ctx(), journal.Retention{Payloads: age}, m.at)
	m.ok(err)
	want := journal.Expired{}
	last := len(m.records) - 1
	// The store need not look at records as young as the first that was received after the age.
	for i, k := range m.records {
		old := k.state != journal.Failed && !k.unsettled() && k.touched.Before(m.at.Add(-age)) &&
			k.received.Before(m.at.Add(-age))
		if old && k.body != "" && i < last {
			want.Payloads++
			k.body = ""
		}
	}
	m.same("expired", out, want)
}

func (m *machine) wait(rt *rapid.T) {
	m.at = m.at.Add(time.Duration(rapid.IntRange(1, 3).Draw(rt, "minutes")) * time.Minute)
	m.clock.Store(m.at.UnixNano())
}

func (m *machine) restart(rt *rapid.T) {
	if rapid.IntRange(0, 2).Draw(rt, "really") > 0 {
		rt.Skip("rarely")
	}
	m.ok(m.j.Close())
	m.open()
	for _, k := range m.records {
		k.claimed = ""
	}
	clear(m.keys)
}

func (m *machine) view(r *journal.Record) known {
	k := known{seq: r.Seq, rule: r.Rule, id: r.ID, key: r.Key, content: r.Content, state: r.State, next: r.NextTry,
		received: r.Received, attempts: r.Attempts,
		force: r.Force, edited: r.Edited, notify: r.Notify, body: string(r.Body),
		version: r.Version, rank: r.Rank, by: r.SupersededBy}
	if r.Problem != nil {
		k.code = r.Problem.Code
	}
	for _, known := range m.records {
		if known.seq == r.Seq {
			k.touched, k.claimed, k.told = known.touched, known.claimed, known.told
			if !known.unsettled() && !r.Settled.Equal(known.touched) {
				m.rt.Fatalf("record %d was settled at %s, the model says %s", r.Seq, r.Settled, known.touched)
			}
		}
	}
	return k
}
