package tree

import (
	"bytes"
	"fmt"
)

// maxSampleDepth bounds how deep samples nest.
const maxSampleDepth = 64

// Records decodes a sample into records, at most limit of them: one JSON object, a list of them, or one on each line.
func Records(text []byte, limit int) ([]any, error) {
	v, err := JSON(text, Limits{Depth: maxSampleDepth})
	if err == nil {
		if list, ok := v.([]any); ok {
			return list[:min(len(list), limit)], nil
		}
		return []any{v}, nil
	}
	lines := bytes.Split(text, []byte("\n"))
	var out []any
	for i, line := range lines {
		if len(out) == limit {
			break
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		v, lineErr := JSON(line, Limits{Depth: maxSampleDepth})
		if lineErr != nil && len(out) == 0 {
			return nil, err // it was not meant as lines
		}
		if lineErr != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, lineErr)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}
