package journaltest

import (
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
)

func (m *machine) takeKeys(rt *rapid.T) {
	owner := ownersOf.Draw(rt, "owner")
	var keys []journal.RowKey
	for _, key := range rapid.SliceOfN(keysOf, 1, 3).Draw(rt, "keys") {
		keys = append(keys, journal.RowKey{Key: key, Seq: rapid.Int64Range(0, m.last+1).Draw(rt, "place")})
	}
	want := make([]bool, len(keys))
	asked := map[string]bool{}
	for i, key := range keys {
		want[i] = m.keys[key.Key] == "" && !asked[key.Key] && !slices.ContainsFunc(m.records, func(k *known) bool {
			return k.key == key.Key && (k.claimed != "" || k.unsettled() && (key.Seq == 0 || k.seq < key.Seq))
		})
		asked[key.Key] = true
		if want[i] {
			m.keys[key.Key] = owner
		}
	}
	got, err := m.j.ClaimKeys(m.ctx(), owner, keys)
	m.ok(err)
	m.same("keys given", got, want)
}

// keptPlace is a place that a file took for one of its rows.
type keptPlace struct {
	seq      int64
	received time.Time
}

func (m *machine) file(rt *rapid.T) {
	m.files++
	f := file(name("file-", m.files), "anc", name("sum-", m.files))
	f.Places, f.Received = rapid.Int64Range(0, 3).Draw(rt, "rows"), m.at
	duplicate, err := m.j.AddFile(m.ctx(), f)
	m.ok(err)
	m.same("a file that is known", duplicate, false)
	if f.Places > 0 && f.Place < m.last {
		m.rt.Fatalf("a file stands at %d, and %d was given out before", f.Place, m.last)
	}
	for row := int64(1); row <= f.Places; row++ {
		m.kept = append(m.kept, keptPlace{f.Seq(row), m.at})
		m.last = max(m.last, f.Seq(row))
	}
}

func (m *machine) freeKeys(rt *rapid.T) {
	owner := ownersOf.Draw(rt, "owner")
	keys := rapid.SliceOfN(keysOf, 0, 2).Draw(rt, "keys")
	m.ok(m.j.ReleaseKeys(m.ctx(), owner, keys))
	maps.DeleteFunc(m.keys, func(key, o string) bool { return o == owner && slices.Contains(keys, key) })
}
