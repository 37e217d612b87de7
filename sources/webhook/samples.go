package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/tabular"
	"github.com/culvert/culvert/sources/tree"
)

// Sample decodes a sample into record bodies as a request with it would, at most limit of them.
func (Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	route := read(t, func(diag.Diagnostic) {})
	if route.Table != nil {
		return tabular.Sample(path, text, route.Table.Format, limit)
	}
	header := http.Header{}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		header.Set("Content-Type", "application/json")
	case ".xml":
		header.Set("Content-Type", "application/xml")
	case ".ndjson", ".jsonl":
		return sampleLines(text, limit)
	}
	v, err := decode(header, text, tree.Limits{Depth: DefaultMaxDepth, Once: true}, route.Encoding, route.Attachments)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	route.Limits = route.Limits.withDefaults()
	items, err := route.items(v)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	return items[:min(len(items), limit)], nil
}

// sampleLines reads a sample of one record on each line.
func sampleLines(text []byte, limit int) ([]any, error) {
	var bodies []any
	for n, line := range bytes.Split(text, []byte("\n")) {
		if len(bodies) == limit {
			break
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, err := tree.JSON(line, tree.Limits{Depth: DefaultMaxDepth, Once: true})
		if err != nil {
			return nil, fmt.Errorf("sample, line %d: %w", n+1, err)
		}
		bodies = append(bodies, v)
	}
	return bodies, nil
}
