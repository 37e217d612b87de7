package tabular

import (
	"context"
	"errors"
	"io"

	"github.com/culvert/culvert/sources/tree"
)

// describedRows are enough to tell the types of columns.
const describedRows = 1000

// Describe reads the beginning of a file and tells what its records hold, sorted by name. Bad rows are passed over.
func Describe(ctx context.Context, path string, f Format) ([]tree.Field, error) {
	r, err := Open(ctx, path, f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var bodies []any
	for range describedRows {
		row, err := r.Next()
		var bad *RowError
		switch {
		case err == io.EOF:
			return tree.Describe(bodies), nil
		case errors.As(err, &bad):
		case err != nil:
			return nil, err
		default:
			bodies = append(bodies, row.Body)
		}
	}
	return tree.Describe(bodies), nil
}
