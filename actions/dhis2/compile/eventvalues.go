package compile

import (
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// dataValues compiles the key data_values against the data elements of a stage.
func (c *compiler) dataValues(stage *metadata.ProgramStage, status string) []*valued {
	n := c.mapping("data_values")
	among := make([]string, len(stage.DataElements))
	for i, e := range stage.DataElements {
		among[i] = e.DataElement.ID
	}
	var list []*valued
	seen := map[string]*yamlnode.Node{}
	for _, pair := range n.Pairs() {
		e, ambiguous, suggestions := c.x.DataElement(pair.Key.Value, among)
		if e == nil && len(ambiguous) == 0 {
			if elsewhere, _, _ := c.x.DataElement(pair.Key.Value, nil); elsewhere != nil {
				c.errorAt(pair.Key.Place(), "element-not-in-stage", diag.Known(c.elementNames(among), "data elements"),
					"the data element %q is not one of the stage %q", pair.Key.Value, stage.Name)
				continue
			}
		}
		if !c.found(pair.Key, e != nil, metadata.DataElements, "data element", ambiguous, suggestions) {
			continue
		}
		c.use(e.ID, pair.Key.Place())
		if first := seen[e.ID]; first != nil {
			c.errorAt(pair.Key.Place(), "set-twice", "keep one of them", "the data element %q is set twice; as %q before",
				e.Name, first.Value)
			continue
		}
		seen[e.ID] = pair.Key
		kind := c.elementKind(e, futureIn(stage, e.ID))
		kind.Files, kind.People = true, true
		if v := c.valued(pair.Value, e.ID, pair.Key.Value, kind); v != nil {
			list = append(list, v)
		}
	}
	if n != nil && object.NotYetHeld(status) {
		c.errorAt(c.spec.Body.Key("data_values").Place(), "values-of-planned-event",
			"leave data_values out, or use another status", "an event with the status %s cannot hold values", status)
	}
	c.compulsory(stage, seen, status, n)
	return list
}

func futureIn(stage *metadata.ProgramStage, element string) bool {
	for _, e := range stage.DataElements {
		if e.DataElement.ID == element {
			return e.AllowFutureDate
		}
	}
	return true
}

func (c *compiler) elementNames(ids []string) []string {
	var names []string
	for _, id := range ids {
		if e := c.x.DataElementByID(id); e != nil {
			names = append(names, e.Name)
		}
	}
	return names
}

// compulsory reports compulsory data elements that nothing sets, where DHIS2 checks them: on every
// write, or on completion (E1303).
func (c *compiler) compulsory(stage *metadata.ProgramStage, seen map[string]*yamlnode.Node, status string,
	n *yamlnode.Node) {
	if object.NotYetHeld(status) || stage.ValidationStrategy != "ON_UPDATE_AND_INSERT" && status != "COMPLETED" {
		return
	}
	var missing []string
	for _, e := range stage.DataElements {
		if e.Compulsory && seen[e.DataElement.ID] == nil {
			missing = append(missing, c.elementNames([]string{e.DataElement.ID})...)
		}
	}
	if len(missing) == 0 {
		return
	}
	place := c.spec.Place
	if n != nil {
		place = c.spec.Body.Key("data_values").Place()
	}
	c.errorAt(place, "compulsory-element", "add it, or make it optional in DHIS2 and sync",
		"nothing sets %s, compulsory in the stage %q", diag.Names(missing, "and"), stage.Name)
}
