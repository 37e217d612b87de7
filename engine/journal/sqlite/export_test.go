package sqlite

import (
	"context"

	"github.com/culvert/culvert/engine/journal"
)

// OpenSmall opens a journal that merges what it keeps in memory after a few records, as a usual one does after many.
func OpenSmall(ctx context.Context, path string, o journal.Options) (*Store, error) {
	return open(ctx, path, o, sizes{generation: 5, slice: 2, log: 3, pages: 1})
}
