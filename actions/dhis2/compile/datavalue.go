package compile

import (
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// compileDataValue compiles dhis2.data_value.
func compileDataValue(c *compiler) planner {
	v := c.oneValue(false)
	c.importOptions()
	return v
}

// oneValue reads a single value; remove is for dhis2.delete, which needs none.
func (c *compiler) oneValue(remove bool) planner {
	if c.namedByData("data_element") || c.namedByData("data_set") {
		return c.namedValue(remove)
	}
	if c.expressionAsName("data_element") || c.expressionAsName("data_set") {
		return nil
	}
	element := c.requiredName("data_element", "data element", nil)
	n := c.name("data_set")
	if element == nil {
		return nil
	}
	var set *metadata.DataSet
	if n != nil {
		set = c.dataSet(n)
	} else {
		set = c.onlySetOf(element)
	}
	if set == nil {
		return nil
	}
	v := c.valuesOf(set)
	v.remove = remove
	v.template = newTemplate("data value of "+set.Name, set.Name, object.ImportOptions{})
	e, combos := v.element(c, element)
	if e == nil {
		return nil
	}
	cell := v.newCell(e, combos, element.Place())
	if combo := c.node("category_option_combo"); combo != nil {
		v.comboOf(c, cell, combo)
	} else if combos != c.x.DefaultCombo() && combos != "" {
		c.errorAt(element.Place(), "combo-missing", "add category_option_combo: "+diag.Known(c.comboNames(combos),
			"combinations"), "the data element %q is divided, and nothing says which combination is meant", e.Name)
	}
	if !remove {
		val := c.node("value")
		if val == nil {
			c.missing("value", "give the value")
		} else {
			v.aggregate = c.choice("aggregate")
			c.checkAggregate(v.aggregate, e)
			v.declareIDs(c)
			cell.valued = c.valued(val, e.ID, element.Value, v.cellKind(e))
		}
		v.comment = c.comment()
		v.followUp = c.valueFollowUp(v.aggregate)
	}
	v.cells = []*cellField{cell}
	return v
}

// onlySetOf finds the data set of a data element when it is in one only.
func (c *compiler) onlySetOf(n *yamlnode.Node) *metadata.DataSet {
	e, ambiguous, suggestions := c.x.DataElement(n.Value, nil)
	if !c.found(n, e != nil, metadata.DataElements, "data element", ambiguous, suggestions) {
		return nil
	}
	c.use(e.ID, n.Place())
	var sets []*metadata.DataSet
	var names []string
	for i := range c.x.Snapshot.DataSets {
		d := &c.x.Snapshot.DataSets[i]
		for _, member := range d.Elements {
			if member.DataElement.ID == e.ID {
				sets, names = append(sets, d), append(names, d.Name)
			}
		}
	}
	switch len(sets) {
	case 1:
		return sets[0]
	case 0:
		c.errorAt(n.Place(), "element-not-in-data-set", "add it to a data set in DHIS2 and sync",
			"the data element %q is in no data set", e.Name)
	default:
		c.missing("data_set", "name one of "+diag.Names(names[:min(5, len(names))], "or"))
	}
	return nil
}
