package store

import (
	"sort"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// MetadataChanges gives what was written after the start, in the order of uids.
func (st *Store) MetadataChanges() []*catalog.Change {
	out := make([]*catalog.Change, 0, len(st.Metadata))
	for _, ch := range st.Metadata {
		out = append(out, ch)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].UID < out[j].UID })
	return out
}
