package journaltest

import (
	"pgregory.net/rapid"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// newer is what was delivered of an identity.
type newer struct {
	rule, id string
	order    actions.Order
	seq, by  int64
}

// place is that of what supersedes others.
func (n newer) place() int64 {
	if n.by != 0 {
		return n.by
	}
	return n.seq
}

// after tells whether it is newer; of two that stand for one version the later one is.
func (n newer) after(order actions.Order, seq int64) bool {
	return order.Before(n.order) || order == n.order && seq < n.place()
}

// drawDigests remembers objects; their orders only grow, as those of targets do.
func (m *machine) drawDigests(rt *rapid.T, b *journal.Batch) {
	for range rapid.IntRange(0, 3).Draw(rt, "digests") {
		d := actions.Digest{Object: name("object-", rapid.IntRange(0, 9).Draw(rt, "object")),
			Sum:  rapid.Uint64Range(0, 3).Draw(rt, "sum"),
			Mark: rapid.Uint16Range(0, 2).Draw(rt, "mark")}
		d.Order = actions.Order{Version: rapid.Int64Range(-2, 2).Draw(rt, "version of an object"),
			Seq: m.digests[d.Object].Order.Seq + rapid.Int64Range(0, 2).Draw(rt, "later")}
		b.Digests = append(b.Digests, d)
		m.digests[d.Object] = d
		if d == (actions.Digest{Object: d.Object}) {
			delete(m.digests, d.Object)
		}
	}
}

func (m *machine) drawVersions(rt *rapid.T) []journal.Version {
	var all []journal.Version
	for range rapid.IntRange(0, 2).Draw(rt, "delivered rows") {
		seq := rapid.Int64Range(1, m.last+3).Draw(rt, "place of a row")
		v := journal.Version{Rule: rulesOf.Draw(rt, "rule"), ID: name("id-", rapid.IntRange(0, 5).Draw(rt, "id")), Seq: seq,
			Order: actions.Order{Version: rapid.Int64Range(0, 5).Draw(rt, "version of a row"), Seq: seq}}
		all = append(all, v)
	}
	return all
}

// supersede settles failed records of which something newer was delivered: of several by the newest.
func (m *machine) supersede(all []newer) {
	type identity struct{ rule, id string }
	newest := map[identity]newer{}
	for _, n := range all {
		of := identity{n.rule, n.id}
		if known, ok := newest[of]; !ok || n.after(known.order, known.place()) {
			newest[of] = n
		}
	}
	for _, k := range m.records {
		n, ok := newest[identity{k.rule, k.id}]
		if !ok || k.state != journal.Failed || !n.after(k.order(), k.seq) || k.seq == n.place() {
			continue
		}
		k.state, k.by, k.touched, k.told = journal.Superseded, n.place(), m.at, false
	}
}

func (m *machine) supersedeByRows(versions []journal.Version) {
	var all []newer
	for _, v := range versions {
		all = append(all, newer{rule: v.Rule, id: v.ID, order: v.Order, seq: v.Seq})
	}
	m.supersede(all)
}
