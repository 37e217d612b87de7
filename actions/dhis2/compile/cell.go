package compile

import (
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// element finds a data element of the data set, and the category combination by which it is divided there.
func (v *valuesPlan) element(c *compiler, n *yamlnode.Node) (*metadata.DataElement, string) {
	among := make([]string, len(v.set.Elements))
	for i, e := range v.set.Elements {
		among[i] = e.DataElement.ID
	}
	e, ambiguous, suggestions := c.x.DataElement(n.Value, among)
	if e == nil && len(ambiguous) == 0 {
		if elsewhere, _, _ := c.x.DataElement(n.Value, nil); elsewhere != nil {
			c.errorAt(n.Place(), "element-not-in-data-set", diag.Known(c.elementNames(among), "data elements"),
				"the data element %q is not one of the data set %q", n.Value, v.set.Name)
			return nil, ""
		}
	}
	if !c.found(n, e != nil, metadata.DataElements, "data element", ambiguous, suggestions) {
		return nil, ""
	}
	c.use(e.ID, n.Place())
	return e, combosOf(v.set, e)
}

// combosOf gives the category combination by which a data element is divided in a data set.
func combosOf(set *metadata.DataSet, e *metadata.DataElement) string {
	combos := comboID(e.CategoryCombo)
	for _, member := range set.Elements {
		if member.DataElement.ID == e.ID && member.CategoryCombo != nil {
			combos = member.CategoryCombo.ID
		}
	}
	return combos
}

func (v *valuesPlan) newCell(e *metadata.DataElement, combos string, place diag.Place) *cellField {
	cell := &cellField{element: e, combos: combos, rulePlace: place}
	if combos == "" || combos == v.x.DefaultCombo() {
		cell.combos, cell.combo = v.x.DefaultCombo(), v.x.DefaultOptionCombo()
	}
	cell.label = newTemplate("data value "+e.Name, e.Name, object.ImportOptions{})
	return cell
}

// comboOf reads which combination of a data element is meant.
func (v *valuesPlan) comboOf(c *compiler, cell *cellField, n *yamlnode.Node) {
	f := c.fieldOf("category_option_combo", n)
	switch {
	case f == nil:
	case f.From != nil:
		cell.comboOf = f
		c.checkCombos(f, []string{cell.combos})
	default:
		v.fixCombo(c, cell, literalNode(n))
	}
}

func (v *valuesPlan) fixCombo(c *compiler, cell *cellField, n *yamlnode.Node) {
	if cell.combos == "" || cell.combos == c.x.DefaultCombo() {
		if n.Value != "default" {
			c.errorAt(n.Place(), "unknown-category-option-combo", "leave the combination out",
				"the data element %q is not divided, so it has no combination %q", cell.element.Name, n.Value)
		}
		return
	}
	if combo := c.literalCombo(cell.combos, n, "category option combo"); combo != nil {
		cell.combo, cell.comboIs = combo.ID, combo.Name
	}
}

func (c *compiler) comboNames(combos string) []string {
	var names []string
	for _, o := range c.x.CombosOf(combos) {
		names = append(names, o.Name)
	}
	return names
}

// longForm tells a value in its long form from a mapping of combinations to values.
func longForm(n *yamlnode.Node) bool {
	if n.Kind != yamlnode.Mapping {
		return true
	}
	for _, key := range []string{"from", "value"} {
		if n.Get(key) != nil {
			return true
		}
	}
	return false
}

// readCells compiles the key values.
func (v *valuesPlan) readCells(c *compiler, n *yamlnode.Node) {
	seen := map[string]*yamlnode.Node{}
	defer func() { v.readColumns(c, seen) }()
	for _, pair := range n.Pairs() {
		e, combos := v.element(c, pair.Key)
		if e == nil {
			continue
		}
		if first := seen[e.ID]; first != nil {
			c.errorAt(pair.Key.Place(), "set-twice", "keep one of them", "the data element %q is set twice; as %q before",
				e.Name, first.Value)
			continue
		}
		seen[e.ID] = pair.Key
		c.checkAggregate(v.aggregate, e)
		divided := combos != "" && combos != c.x.DefaultCombo()
		if longForm(pair.Value) {
			if divided {
				c.errorAt(pair.Key.Place(), "combo-missing",
					"give each combination its own line below it: "+diag.Known(c.comboNames(combos), "combinations"),
					"the data element %q is divided, and nothing says which combination is meant", e.Name)
				continue
			}
			cell := v.newCell(e, combos, pair.Key.Place())
			if cell.valued = c.valued(pair.Value, e.ID, pair.Key.Value,
				v.cellKind(e)); cell.valued != nil {
				v.cells = append(v.cells, cell)
			}
			continue
		}
		v.divided(c, e, combos, pair)
	}
}

// divided compiles the values of one data element by combination.
func (v *valuesPlan) divided(c *compiler, e *metadata.DataElement, combos string, pair yamlnode.Pair) {
	seen := map[string]bool{}
	for _, part := range pair.Value.Pairs() {
		cell := v.newCell(e, combos, part.Key.Place())
		v.fixCombo(c, cell, part.Key)
		if cell.combo != "" && seen[cell.combo] {
			c.errorAt(part.Key.Place(), "set-twice", "keep one of them", "the combination %q of %q is set twice",
				part.Key.Value, e.Name)
			continue
		}
		seen[cell.combo] = true
		cell.valued = c.valued(part.Value, e.ID, pair.Key.Value+", "+part.Key.Value,
			v.cellKind(e))
		if cell.valued != nil {
			v.cells = append(v.cells, cell)
		}
	}
}

// readColumns compiles the key columns: a CSV file that says for columns of the record which data
// element and combination they are for, as wide files of hundreds of columns need it. What values
// sets, columns may not set again.
func (v *valuesPlan) readColumns(c *compiler, values map[string]*yamlnode.Node) {
	n := c.mapping("columns")
	if n == nil {
		return
	}
	for _, pair := range n.Pairs() {
		if pair.Key.Value != "file" {
			c.errorAt(pair.Key.Place(), "unknown-key", diag.Suggest(pair.Key.Value, []string{"file"}, "keys"),
				"columns has no key %q", pair.Key.Value)
		}
	}
	file := n.Get("file")
	if file == nil {
		c.errorAt(n.Place(), "missing-key", "write columns: {file: maps/NAME.csv}", "columns does not say which file")
		return
	}
	seen := map[string]*yamlnode.Node{}
	samples := c.spec.Samples()
	for _, row := range c.spec.Table(file, "the file of columns", "column", "data_element", "category_option_combo?") {
		column, element, combo := row["column"], row["data_element"], row["category_option_combo"]
		if column == nil || element == nil {
			continue // a column that is left out on purpose
		}
		e, combos := v.element(c, element)
		if e == nil {
			continue
		}
		c.checkAggregate(v.aggregate, e)
		cell := v.newCell(e, combos, element.Place())
		switch divided := combos != "" && combos != c.x.DefaultCombo(); {
		case combo != nil:
			v.fixCombo(c, cell, combo)
			if cell.combo == "" {
				continue
			}
		case divided:
			c.errorAt(element.Place(), "combo-missing", diag.Known(c.comboNames(combos), "combinations"),
				"the data element %q is divided, and nothing says which combination is meant", e.Name)
			continue
		}
		first := seen[e.ID+"/"+cell.combo]
		if first == nil {
			first = values[e.ID]
		}
		if first != nil {
			c.errorAt(element.Place(), "set-twice", "keep one of them", "the data element %q is set twice; as %q before",
				e.Name, first.Value)
			continue
		}
		seen[e.ID+"/"+cell.combo] = element
		expr := yamlnode.Made(columnExpr(column.Value, samples), column.Place())
		name := e.Name
		if combo != nil {
			name += ", " + combo.Value
		}
		if cell.valued = c.valued(expr, e.ID, name, v.cellKind(e)); cell.valued != nil {
			v.cells = append(v.cells, cell)
		}
	}
}

// columnExpr is the expression that reads a column: by its whole name, or by its parts between dots
// where the samples show that it was parted.
func columnExpr(column string, samples []any) string {
	whole := "trigger" + step(column)
	for _, sample := range samples {
		if row, ok := sample.(map[string]any); ok {
			if _, ok := row[column]; ok {
				return whole
			}
		}
	}
	parts := strings.Split(column, ".")
	for _, sample := range samples {
		value, found := sample, len(parts) > 1
		for _, part := range parts {
			row, ok := value.(map[string]any)
			if ok {
				value, ok = row[part]
			}
			found = found && ok
		}
		if found {
			expr := "trigger"
			for _, part := range parts {
				expr += step(part)
			}
			return expr
		}
	}
	return whole
}

func step(name string) string {
	return `["` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"]`
}

// cellKind says what values of a cell must be: a value that many records make together is no file.
func (v *valuesPlan) cellKind(e *metadata.DataElement) value.Kind {
	kind := contributionKind(v.aggregate, v.elementKind(e, true))
	kind.Files = v.aggregate == ""
	return kind
}
