package shared

import (
	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Corrected is a record in whose place a corrected one stands. What failed of it at further places of its rule is
// settled with it: what comes of the correction there counts.
type Corrected struct {
	Rule, ID string
	Order    actions.Order
	By       int64 // the correction
}

// Idents gives the hashes of the records that further parts of the rule, of these names, have of it.
func (c Corrected) Idents(sealer *codec.Sealer, parts []string) []int64 {
	idents := make([]int64, len(parts))
	for i, name := range parts {
		idents[i] = sealer.Ident(name, c.ID)
	}
	return idents
}

// Concerns tells whether a failed record of a further part is of the corrected version, or an older one.
func (c Corrected) Concerns(order actions.Order, seq int64) bool {
	return seq != c.By && !c.Order.Before(order)
}

// PartsPrefix is how the names of a rule's further parts begin.
func PartsPrefix(rule string) string { return rule + journal.PartSign }
