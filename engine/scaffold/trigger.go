package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// Way is a way in which the records of a new rule may come.
type Way struct {
	Name       string // what people choose it by
	Doc        string
	Connection string // the kind of connection that it needs; empty: none
	Kind       string // of the trigger
	Rows       bool   // its records are rows of files
	example    string // of the trigger, on one line
}

// variants are ways that are no kind of trigger of their own.
var variants = []Way{
	{
		Name:    "openrosa",
		Kind:    "webhook",
		Doc:     "Records are submissions of ODK Collect or KoboCollect, sent straight to Culvert.",
		example: "webhook: {path: /openrosa/submission}",
	},
	{Name: "http", Kind: "schedule", Doc: "Records are what a web API answers, asked for at fixed times.",
		example: "schedule: {every: 1h, http: {url: \"https://api.example.org/records\"}}"},
}

// Ways lists how the records of a new rule may come: by each kind of trigger, and its variants.
func Ways(kinds []sources.Kind) []Way {
	var list []Way
	for _, k := range kinds {
		spec := k.Settings()
		w := Way{Name: k.Name(), Kind: k.Name(), Doc: spec.Doc, Rows: sources.TriggerKind(k).Tables, example: spec.Example}
		if c, ok := k.(sources.Connected); ok && strings.Contains(spec.Example, "connection:") {
			w.Connection = c.Connection().Name
		}
		list = append(list, w)
		for _, v := range variants {
			if v.Kind == k.Name() {
				list = append(list, v)
			}
		}
	}
	return list
}

// WayNamed gives a way by its name. The error names those that there are.
func WayNamed(ways []Way, name string) (Way, error) {
	names := make([]string, len(ways))
	for i, w := range ways {
		if names[i] = w.Name; w.Name == name {
			return w, nil
		}
	}
	return Way{}, fmt.Errorf("there is no trigger %q: %s", name, diag.Suggest(name, names, "triggers"))
}

// exampleOf gives the keys of an example of a trigger, which is YAML on one line.
func exampleOf(text string) []yamlnode.Pair {
	var none diag.List
	root := yamlnode.Parse("example", []byte(text), &none).Root
	if root == nil || len(root.Pairs()) == 0 {
		return nil
	}
	return root.Pairs()[0].Value.Pairs()
}

// fromExample writes a trigger of which the example says which keys it needs; those of it that nobody has given stand
// there as in the example, for a person to put right.
func (w *writer) fromExample() {
	w.line("  %s:", w.Way.Kind)
	given := map[string]string{"connection": w.Connection, "folder": w.Address, "path": w.Address}
	var keys []string
	for _, p := range exampleOf(w.Way.example) {
		key := p.Key.Value
		keys = append(keys, key)
		if text := given[key]; text != "" {
			w.line("    %s: %s", key, yamlnode.Text(text))
			continue
		}
		w.line("    %s: %s # an example: write your own", key, flow(p.Value))
	}
	if w.Address != "" && w.Way.Rows && !slices.Contains(keys, "folder") {
		w.line("    folder: %s", yamlnode.Text(w.Address))
	}
}

// flow writes a value on one line.
func flow(n *yamlnode.Node) string {
	switch n.Kind {
	case yamlnode.Mapping:
		var parts []string
		for _, p := range n.Pairs() {
			parts = append(parts, yamlnode.FlowText(p.Key.Value)+": "+flow(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yamlnode.Sequence:
		var parts []string
		for _, item := range n.Items() {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return yamlnode.FlowText(n.Value)
}
