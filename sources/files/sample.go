package files

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/tabular"
)

// Sample decodes a sample file into record bodies, at most limit of them. path names the file,
// relative to the project folder or absolute; text is its content, nil when the file itself is to
// be read. A sample that is one JSON document is one record, or a list of them.
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
		return nil, &tabular.FileError{Place: filepath.Base(path), Message: "the sample has no rows",
			Hint: "keep at least one row of a real export in it"}
	}
	return bodies, nil
}

func openSample(path string, text []byte, f tabular.Format) (*tabular.Reader, error) {
	ctx := context.Background()
	if text == nil {
		return tabular.Open(ctx, path, f)
	}
	// A declared format is that of dropped files; a sample may be kept in another one.
	if kind := tabular.KindByName(path); kind != tabular.Auto && kind != f.Kind {
		f.Kind, f.Delimiter = kind, 0
	}
	return tabular.OpenBytes(ctx, filepath.Base(path), text, f)
}
