package files

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/culvert/culvert/rules"
)

// Sample decodes a sample file into record bodies, at most limit of them. path names the file, relative to the project folder or absolute; text is
// its content, nil when the file itself is to be read. A sample that is one JSON document is one record, or a list of them.
func (Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	r, err := openSample(path, text, FormatOf(t))
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
		return nil, &FileError{Place: filepath.Base(path), Message: "the sample has no rows", Hint: "keep at least one row of a real export in it"}
	}
	return bodies, nil
}

func openSample(path string, text []byte, f Format) (*Reader, error) {
	ctx := context.Background()
	if text == nil {
		return Open(ctx, path, f)
	}
	// A declared format is that of dropped files; a sample may be kept in another one.
	if kind := kindByName(path); kind != Auto && kind != f.Kind {
		f.Kind, f.Delimiter = kind, 0
	}
	return OpenBytes(ctx, filepath.Base(path), text, f)
}

// OpenBytes reads rows from content in memory, as Open does from a file with that name.
func OpenBytes(ctx context.Context, name string, text []byte, f Format) (*Reader, error) {
	return openBlob(ctx, memoryBlob(name, text), f.withDefaults())
}
