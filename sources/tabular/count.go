package tabular

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
)

// shortestRow is how many bytes a row of a table or list has at least: one sign and what ends it.
const shortestRow = 2

// MostRows gives how many rows a file of this name and size can have at most, without reading it.
func MostRows(name string, size int64) int64 {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl":
	default: // packed, or what is in it is found out by reading
		size = min(size*ratioLimit, DefaultMaxUnpacked)
	}
	return size/shortestRow + 1
}

// Count gives how many rows a file has, bad ones included, without making bodies of them. A file
// that cannot be read to its end gives the rows before the break and no error: reading it for real
// says what is wrong.
func Count(ctx context.Context, path string, f Format) (int64, error) {
	r, err := Open(ctx, path, f)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // only read
	for {
		err := r.step(r.source.skip)
		var bad *RowError
		var broken *FileError
		switch {
		case err == nil || errors.As(err, &bad):
		case errors.Is(err, io.EOF) || errors.As(err, &broken):
			return int64(r.number), nil
		default:
			return int64(r.number), err
		}
	}
}
