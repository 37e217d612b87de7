package yamlnode

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// Marshal writes maps, lists and scalars as block YAML, two blanks deep. Keys named in first come
// first, the others in order. Text that would read back as something else is quoted.
func Marshal(v any, first []string) ([]byte, error) {
	return encode(build(v, first))
}

func encode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return b.Bytes(), nil
}

func build(v any, first []string) *yaml.Node {
	switch x := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range ordered(slices.Collect(maps.Keys(x)), first) {
			n.Content = append(n.Content, build(k, nil), build(x[k], first))
		}
		return n
	case map[string]string:
		m := make(map[string]any, len(x))
		for k, s := range x {
			m[k] = s
		}
		return build(m, first)
	case []map[string]any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, m := range x {
			n.Content = append(n.Content, build(m, first))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, m := range x {
			n.Content = append(n.Content, build(m, first))
		}
		return n
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	}
	n := &yaml.Node{}
	n.SetString(fmt.Sprint(v))
	return n
}

func ordered(keys, first []string) []string {
	rank := func(k string) int {
		if i := slices.Index(first, k); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.Sort(keys)
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}
