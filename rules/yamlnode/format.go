package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/rules/diag"
)

// Format lays a YAML file out evenly: two blanks of indent, no trailing blanks, single empty lines
// where the author left some, comments where they were. What the file says does not change; when
// that cannot be made sure the file is refused.
func Format(path string, text []byte) ([]byte, error) {
	out, err := format(path, text, "")
	for range maxLayouts { // comments below a nested mapping move once more
		if err != nil {
			return nil, err
		}
		before := out
		if out, err = format(path, before, ""); err == nil && bytes.Equal(before, out) {
			return out, nil
		}
	}
	return out, err
}

// maxLayouts bounds how often a file is laid out until laying it out once more changes nothing.
const maxLayouts = 4

// FormatBlock is Format that also lays the list under a top-level key out as a block, and each of
// its items, so that lines can be put into them.
func FormatBlock(path string, text []byte, key string) ([]byte, error) {
	return format(path, text, key)
}

func format(path string, text []byte, block string) ([]byte, error) {
	var list diag.List
	doc := Parse(path, text, &list)
	if list.HasErrors() {
		return nil, fmt.Errorf("%s: %w", list[0].String(), ErrBroken)
	}
	if doc == nil || doc.Root == nil {
		return text, nil
	}
	var before yaml.Node
	if err := yaml.Unmarshal(text, &before); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if block != "" {
		asBlock(&before, block)
	}
	out, err := encode(&before)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var after yaml.Node
	if err := yaml.Unmarshal(out, &after); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out, laid := refolded(text, out, &before, &after)
	if !same(&before, laid) {
		return nil, fmt.Errorf("%s could not be laid out without changing what it says: leave it as it is", path)
	}
	return spaced(text, out, &before, laid), nil
}

// asBlock takes the braces and brackets off a list under a top-level key and off its items.
func asBlock(doc *yaml.Node, key string) {
	for _, root := range doc.Content {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if list := root.Content[i+1]; root.Content[i].Value == key {
				list.Style &^= yaml.FlowStyle
				for _, item := range list.Content {
					item.Style &^= yaml.FlowStyle
				}
			}
		}
	}
}

// ErrBroken says that a file is not YAML that can be laid out.
var ErrBroken = errors.New("fix the file first")

// same tells whether two trees say the same, comments included.
func same(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) ||
		a.HeadComment != b.HeadComment || a.LineComment != b.LineComment || a.FootComment != b.FootComment {
		return false
	}
	for i := range a.Content {
		if !same(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// spaced puts empty lines back where the author had some before a key or item.
func spaced(old, fresh []byte, before, after *yaml.Node) []byte {
	oldLines := strings.Split(string(old), "\n")
	freshLines := strings.Split(string(fresh), "\n")
	wanted := map[int]bool{} // lines of fresh, from 1, that an empty one comes before
	var walk func(a, b *yaml.Node)
	walk = func(a, b *yaml.Node) {
		// YAML ends lines at a lone carriage return too, of which there may be more than of these.
		if top := above(oldLines, a.Line); top > 1 && top-2 < len(oldLines) && strings.TrimSpace(oldLines[top-2]) == "" {
			wanted[above(freshLines, b.Line)] = true
		}
		for i := range a.Content {
			if a.Kind == yaml.MappingNode && i%2 == 1 && a.Content[i].Kind == yaml.ScalarNode {
				continue
			}
			walk(a.Content[i], b.Content[i])
		}
	}
	walk(before, after)
	var out bytes.Buffer
	for i, line := range freshLines {
		if wanted[i+1] && i > 0 && strings.TrimSpace(freshLines[i-1]) != "" {
			out.WriteByte('\n')
		}
		out.WriteString(line)
		if i < len(freshLines)-1 {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// above gives the first line of the comment that stands directly over a line, or the line itself.
func above(lines []string, line int) int {
	for line > 1 && line-2 < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[line-2]), "#") {
		line--
	}
	return line
}
