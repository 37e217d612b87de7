package tabular

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// Taker is a kind of trigger that takes files of rows.
type Taker interface {
	// FileFormat gives how the files of a trigger are read; the zero format where it takes none.
	FileFormat(t *rules.Trigger) Format
}

// Sample decodes a sample of a table into record bodies, at most limit of them. text is its content,
// nil when the file at path is to be read.
func Sample(path string, text []byte, f Format, limit int) ([]any, error) {
	r, err := openSample(path, text, f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var bodies []any
	for len(bodies) < limit {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
		}
		bodies = append(bodies, row.Body)
	}
	if len(bodies) == 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: filepath.Base(path)},
			Message: "the sample has no rows",
			Hint:    "keep at least one row of a real export in it"}}
	}
	return bodies, nil
}

func openSample(path string, text []byte, f Format) (*Reader, error) {
	ctx := context.Background()
	if text == nil {
		return Open(ctx, path, f)
	}
	// A declared format is that of dropped files; a sample may be kept in another one.
	if kind := KindByName(path); kind != Auto && kind != f.Kind {
		f.Kind, f.Delimiter = kind, 0
	}
	return OpenBytes(ctx, filepath.Base(path), text, f)
}

// HeaderRow guesses in which row of a sample the names of the columns stand: below a title, where the
// first row has one cell and another one of the first rows has more; 1 for all others.
func HeaderRow(path string, text []byte) int {
	width := func(row int) int {
		r, err := openSample(path, text, Format{Header: row})
		if err != nil {
			return 0
		}
		defer r.Close()
		named := 0
		for _, name := range r.source.header() {
			if name != "" {
				named++
			}
		}
		return named
	}
	if !isSheet(path) || width(1) > 1 {
		return 1
	}
	for row := 2; row <= headerRows; row++ {
		if width(row) > 1 {
			return row
		}
	}
	return 1
}
