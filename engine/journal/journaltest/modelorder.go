package journaltest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// waits tells whether a record that came to a state waits for its parent.
func waits(s journal.State, p *journal.Problem) bool {
	return s == journal.Pending && p != nil && p.Class == actions.ClassParent
}

// free tells whether a record may be claimed: nothing of its key is in flight, and nothing of its key comes before it.
func (m *machine) free(k *known) bool {
	if m.keys[k.key] != "" {
		return false
	}
	for _, other := range m.records {
		if other.key == k.key && other.claimed != "" {
			return false
		}
	}
	return m.first(k.key) == k
}

// first gives the unsettled record of a key that comes next: the first that neither waits for its
// parent nor stands behind another record of its rule that does, or of those that wait the one that is due
// first.
func (m *machine) first(key string) *known {
	var waiting []*known
	for _, k := range m.records {
		switch {
		case k.key != key || !k.unsettled():
		case k.waits:
			waiting = append(waiting, k)
		case !slices.ContainsFunc(waiting, func(w *known) bool { return w.rule == k.rule && w.id != k.id }):
			return k
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	return slices.MinFunc(waiting, func(a, b *known) int {
		// pending before held
		return cmp.Or(-strings.Compare(string(a.state), string(b.state)), a.next.Compare(b.next), cmp.Compare(a.seq, b.seq))
	})
}
