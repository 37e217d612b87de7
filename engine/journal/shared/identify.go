package shared

import (
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Identified is a record under its new name, sealed for it.
type Identified struct {
	Record   *journal.Record // as it will be
	Ident    int64           // that it had
	Chain    int64
	Prepared Prepared
}

// Identify seals records anew under their new names, in the order of their Seqs: what is sealed for a record can
// be opened for it alone. records are as they stand, with their bodies; those whose id is another by now are left out.
func Identify(sealer *codec.Sealer, records []*journal.Record, names []journal.Identification) ([]Identified, error) {
	by := make(map[int64]journal.Identification, len(names))
	for _, n := range names {
		by[n.Seq] = n
	}
	var out []Identified
	for _, r := range records {
		n := by[r.Seq]
		if r.ID != codec.Clean(n.From) && r.ID != n.From || r.Rule != n.Rule || n.ID == r.ID && n.Key == r.Key ||
			!Identifiable(r.State) {
			continue
		}
		one := Identified{Record: r, Ident: sealer.Ident(r.Rule, n.From), Chain: sealer.Chain(r.Key)}
		r.ID, r.Key = n.ID, n.Key
		if n.Version != 0 {
			r.Version = n.Version
		}
		var err error
		if one.Prepared, err = Prepare(sealer, r); err != nil {
			return nil, fmt.Errorf("record %d: %w", r.Seq, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// Identifiable tells whether something is to come of a record, so that its name matters still.
func Identifiable(s journal.State) bool {
	return s == journal.Pending || s == journal.Held || s == journal.Failed
}
