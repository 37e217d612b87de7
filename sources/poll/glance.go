package poll

import (
	"context"
	"errors"

	"github.com/culvert/culvert/sources"
)

// glance is a Sink that keeps the bodies of the first records and then ends the pull. It knows no place: a pull
// begins where the rule says.
type glance struct {
	limit  int
	bodies []any
}

var errSeen = errors.New("enough records were seen")

// Accept implements sources.Sink.
func (g *glance) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	receipts := make([]sources.Receipt, len(b.Records))
	for _, r := range b.Records {
		if len(g.bodies) < g.limit && !r.Origin.Deleted {
			g.bodies = append(g.bodies, r.Body)
		}
	}
	if len(g.bodies) >= g.limit {
		return nil, errSeen
	}
	return receipts, nil
}

// AcceptFile implements sources.Sink: whoever takes files is not glanced at.
func (*glance) AcceptFile(context.Context, sources.File) (bool, error) {
	return false, errors.New("files are not taken here")
}

// Cursor implements sources.Sink.
func (*glance) Cursor(context.Context, string) (string, error) { return "", nil }

// Glance gives the bodies of the first records that a pull hands over, at most limit, and ends it then. Nothing is kept.
func Glance(ctx context.Context, limit int, once func(context.Context, sources.Sink) error) ([]any, error) {
	g := &glance{limit: limit}
	if err := once(ctx, g); err != nil && !errors.Is(err, errSeen) {
		return nil, err
	}
	return g.bodies, nil
}
