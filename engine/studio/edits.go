package studio

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// edit is one change of a rule file, or of the file of a value map.
type edit struct {
	Do   string   `json:"do"`
	Path []string `json:"path"` // of the entry
	Key  string   `json:"key"`  // of what is added to it
	Text string   `json:"text"`
	File string   `json:"file"` // of a value map
}

// edits are the changes that there are.
var edits = map[string]func(file string, text []byte, e edit) ([]byte, error){
	"text": setText, "part": setPart, "literal": toggleLiteral,
	"remove": func(file string, text []byte, e edit) ([]byte, error) {
		return yamlnode.RemoveEntry(file, text, e.Path)
	},
	"lookup": addLookup, "map": addMap,
}

// apply makes a change.
func apply(file string, text []byte, e edit) ([]byte, error) {
	if e.Do == "row" {
		return appendRow(text, e.Key, e.Text)
	}
	do, ok := edits[e.Do]
	if !ok {
		return nil, fmt.Errorf("there is no change %q", e.Do)
	}
	if len(e.Path) == 0 || len(e.Path) > yamlnode.MaxDepth {
		return nil, errors.New("the change does not say what it is of")
	}
	return do(file, text, e)
}

func nodeAt(file string, text []byte, at []string) *yamlnode.Node {
	var list diag.List
	doc := yamlnode.Parse(file, text, &list)
	if doc == nil {
		return nil
	}
	return doc.Root.At(at)
}

func below(path []string, key string) []string { return append(path[:len(path):len(path)], key) }

// setText makes an entry say a text; one that is not there is added, unless the text is empty.
func setText(file string, text []byte, e edit) ([]byte, error) {
	if nodeAt(file, text, e.Path) != nil {
		return yamlnode.SetText(file, text, e.Path, e.Text)
	}
	if e.Text == "" {
		return text, nil
	}
	last := len(e.Path) - 1
	return yamlnode.AddText(file, text, e.Path[:last], e.Path[last], e.Text)
}

// setPart sets map, format, default or blank of a field, whose expression becomes its from: if it stands alone yet. An
// empty text takes the part away.
func setPart(file string, text []byte, e edit) ([]byte, error) {
	n := nodeAt(file, text, e.Path)
	switch {
	case n == nil:
		return nil, yamlnode.ErrUneditable
	case n.Kind == yamlnode.Scalar && e.Text == "":
		return text, nil
	case n.Kind == yamlnode.Scalar:
		return yamlnode.SetYAML(file, text, e.Path, braced("from", n.Value, e.Key, e.Text))
	case e.Text == "" && n.Get(e.Key) == nil:
		return text, nil
	case e.Text == "" && len(n.Pairs()) == 2 && n.Get("from") != nil && n.Flow():
		return yamlnode.SetYAML(file, text, e.Path, yamlnode.Text(n.Get("from").Value))
	case e.Text == "":
		return yamlnode.RemoveEntry(file, text, below(e.Path, e.Key))
	case n.Get(e.Key) != nil && n.Get(e.Key).Kind != yamlnode.Scalar:
		return yamlnode.SetYAML(file, text, below(e.Path, e.Key), yamlnode.FlowText(e.Text))
	}
	return setText(file, text, edit{Path: below(e.Path, e.Key), Text: e.Text})
}

// toggleLiteral makes a fixed value of an expression, or the other way about.
func toggleLiteral(file string, text []byte, e edit) ([]byte, error) {
	n := nodeAt(file, text, e.Path)
	switch {
	case n == nil && e.Text != "":
		last := len(e.Path) - 1
		return yamlnode.AddEntry(file, text, e.Path[:last], e.Path[last], braced("value", e.Text))
	case n == nil:
		return nil, yamlnode.ErrUneditable
	case n.Kind == yamlnode.Scalar:
		return yamlnode.SetYAML(file, text, e.Path, braced("value", n.Value))
	case n.Get("value") != nil && len(n.Pairs()) == 1:
		return yamlnode.SetYAML(file, text, e.Path, yamlnode.Text(n.Get("value").Value))
	}
	return nil, errors.New("it has a map or a format, which a fixed value has not: take that away first")
}

// addLookup adds a lookup: path is its name, key what is searched by, text the collection and the expression.
func addLookup(file string, text []byte, e edit) ([]byte, error) {
	collection, expr, ok := strings.Cut(e.Text, "\n")
	if !ok || e.Key == "" {
		return nil, errors.New("a lookup needs a collection, what it is searched by, and an expression")
	}
	return addTop(file, text, "lookups", e.Path[len(e.Path)-1], braced("in", collection, e.Key, expr))
}

// addMap adds a value map: path is its name; each line of the text is a value and what it becomes, with a tab between.
func addMap(file string, text []byte, e edit) ([]byte, error) {
	var pairs []string
	for line := range strings.SplitSeq(e.Text, "\n") {
		if in, out, _ := strings.Cut(line, "\t"); in != "" {
			pairs = append(pairs, in, out)
		}
	}
	if len(pairs) == 0 {
		return nil, errors.New("a value map needs a value to begin with")
	}
	return addTop(file, text, "maps", e.Path[len(e.Path)-1], braced(pairs...))
}

// braced writes keys and values as a mapping of one line.
func braced(pairs ...string) string {
	var parts []string
	for i := 0; i+1 < len(pairs); i += 2 {
		parts = append(parts, yamlnode.FlowText(pairs[i])+": "+yamlnode.FlowText(pairs[i+1]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// addTop adds an entry to lookups or maps, which are put before the actions where the file has none yet.
func addTop(file string, text []byte, top, key, raw string) ([]byte, error) {
	if n := nodeAt(file, text, []string{top}); n != nil {
		return yamlnode.AddEntry(file, text, []string{top}, key, raw)
	}
	n := nodeAt(file, text, nil)
	if n == nil {
		return nil, yamlnode.ErrUneditable
	}
	for _, before := range []string{"maps", "defaults", "actions", "tests"} {
		k := n.Key(before)
		if k == nil || before == top {
			continue
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		at := k.Place().Range.Start.Line - 1
		if at > len(lines) {
			break
		}
		end := "\n"
		if bytes.Contains(text, []byte("\r\n")) {
			end = "\r\n"
		}
		fresh := top + ":" + end + "  " + yamlnode.Text(key) + ": " + raw + end
		out := bytes.Join(append(append(append([][]byte{}, lines[:at]...), []byte(fresh)), lines[at:]...), nil)
		if nodeAt(file, out, []string{top, key}) != nil && nodeAt(file, out, []string{before}) != nil {
			return out, nil
		}
		break
	}
	return yamlnode.AddEntry(file, text, []string{top}, key, raw)
}

// appendRow adds a value to the CSV file of a map, with the separator that its first line has.
func appendRow(text []byte, in, out string) ([]byte, error) {
	first, _, _ := strings.Cut(string(text), "\n")
	comma := ','
	for _, other := range []rune{';', '\t'} {
		if strings.ContainsRune(first, other) && !strings.ContainsRune(first, ',') {
			comma = other
		}
	}
	end := "\n"
	if strings.HasSuffix(first, "\r") {
		end = "\r\n"
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = comma, end == "\r\n"
	if err := w.Write([]string{in, out}); err != nil {
		return nil, fmt.Errorf("write the row: %w", err)
	}
	w.Flush()
	fresh := append([]byte(nil), text...)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		fresh = append(fresh, end...)
	}
	return append(fresh, b.Bytes()...), nil
}

// fileOf gives the file that a change is of.
func fileOf(e edit, rule string) (string, error) {
	if e.Do != "row" {
		return rule, nil
	}
	if path.Ext(e.File) != ".csv" {
		return "", fmt.Errorf("%q is not the CSV file of a map", e.File)
	}
	return e.File, editable(e.File)
}
