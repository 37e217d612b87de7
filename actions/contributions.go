package actions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// Contribution is what one item of one record gives to an aggregate value. The same contributor
// gives to one cell at a time.
type Contribution struct {
	Contributor string // the item, as ContributorOf names it: stable for a record, however often it is corrected
	Cell        string // the aggregate value that it gives to; empty when it gives nothing any more
	Value       string // a number, or for the last value any text
	At          string // orders the contributions of a cell: the later text is the later contribution
}

// ContributorOf names an item of a record, without telling which record that is: a hash stands for
// its rule and id, and is kept when the person is forgotten, so that aggregates stay what they are.
func ContributorOf(rule, recordID, item string) string {
	sum := sha256.Sum256([]byte(rule + "/" + recordID))
	return hex.EncodeToString(sum[:16]) + "/" + item
}

// CellTotal is what all contributors of a cell give together.
type CellTotal struct {
	Cell  string
	Count int
	Sum   float64 // of the values that are numbers
	Last  string  // the value with the latest At; of several the one whose contributor comes last in the alphabet
}

// Contributions is what records gave to aggregate values of one server. A Memory that implements it
// makes aggregation possible.
//
// Every method is durable when it returns. Two runners may call it at once: a total is of one
// moment, and whoever sends it asks again afterwards.
type Contributions interface {
	// Contribute puts what the contributors give in the place of what they gave before. It tells for
	// each contributor the cells that it has left since the last Settle, which have to be sent anew
	// too.
	Contribute(ctx context.Context, list []Contribution) (left map[string][]string, err error)
	// Totals gives what the cells come to; one that nobody gives to has Count 0.
	Totals(ctx context.Context, cells []string) (map[string]CellTotal, error)
	// Settle forgets which cells the contributors have left, once those were sent.
	Settle(ctx context.Context, contributors []string) error
}
