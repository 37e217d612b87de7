package compile

import (
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// attributeUse is an attribute that an action may set.
type attributeUse struct {
	attribute *metadata.TrackedEntityAttribute
	mandatory bool
	future    bool
}

// attributes compiles the key attributes against those that the program or type has.
func (c *compiler) attributes(uses []attributeUse, of string) []*valued {
	n := c.mapping("attributes")
	among := make([]string, len(uses))
	for i, u := range uses {
		among[i] = u.attribute.ID
	}
	var list []*valued
	seen := map[string]*yamlnode.Node{}
	for _, pair := range n.Pairs() {
		a, ambiguous, suggestions := c.x.TrackedEntityAttribute(pair.Key.Value, among)
		if a == nil && len(ambiguous) == 0 {
			if elsewhere, _, _ := c.x.TrackedEntityAttribute(pair.Key.Value, nil); elsewhere != nil {
				c.errorAt(pair.Key.Place(), "attribute-not-in-program", c.attributeHint(uses), "the attribute %q is not one of %s",
					pair.Key.Value, of)
				continue
			}
		}
		if !c.found(pair.Key, a != nil, metadata.TrackedEntityAttributes, "attribute", ambiguous, suggestions) {
			continue
		}
		c.use(a.ID, pair.Key.Place())
		if first := seen[a.ID]; first != nil {
			c.errorAt(pair.Key.Place(), "set-twice", "keep one of them", "the attribute %q is set twice; as %q before", a.Name,
				first.Value)
			continue
		}
		seen[a.ID] = pair.Key
		use := uses[indexOfAttribute(uses, a.ID)]
		if a.Generated {
			c.warnAt(pair.Key.Place(), "generated-attribute",
				"leave it out: Culvert has DHIS2 reserve a value for everybody whom it creates",
				"DHIS2 generates the values of %q itself, and refuses those that do not fit its pattern", a.Name)
		}
		if v := c.valued(pair.Value, a.ID, pair.Key.Value, c.attributeKind(a, use.future)); v != nil {
			v.LeaveInvalid = v.LeaveInvalid && !use.mandatory
			list = append(list, v)
		}
	}
	c.mandatoryAttributes(uses, seen, of, n)
	return list
}

func (c *compiler) attributeHint(uses []attributeUse) string {
	var names []string
	for _, u := range uses {
		names = append(names, u.attribute.Name)
	}
	return diag.Known(names, "attributes")
}

func indexOfAttribute(uses []attributeUse, id string) int {
	for i, u := range uses {
		if u.attribute.ID == id {
			return i
		}
	}
	return 0
}

func (c *compiler) mandatoryAttributes(uses []attributeUse, seen map[string]*yamlnode.Node, of string,
	n *yamlnode.Node) {
	if c.spec.Kind == KindEnroll {
		return // the person may have them already
	}
	place := c.spec.Place
	if key := c.spec.Body.Key("attributes"); n != nil && key != nil {
		place = key.Place()
	}
	var missing []string
	for _, u := range uses {
		if u.mandatory && seen[u.attribute.ID] == nil && !u.attribute.Generated {
			missing = append(missing, u.attribute.Name)
		}
	}
	switch {
	case len(missing) == 0 || c.update:
	case c.spec.Kind == KindTrackedEntity && c.spec.Body.Get("when_absent").IsNull():
		// DHIS2 wants them of whom it creates, and takes a change of any attribute of whom it has.
		c.update = true
		c.warnAt(place, "updates-only",
			"if that is meant, say when_absent: wait; to register people too, set every mandatory attribute",
			"nothing sets %s, mandatory for %s, so the action changes people who are in DHIS2 and registers nobody",
			diag.Names(missing, "and"), of)
	default:
		c.errorAt(place, "mandatory-attribute", "add it, or make it optional in DHIS2 and sync",
			"nothing sets %s, mandatory for %s", diag.Names(missing, "and"), of)
	}
}

// usesOf lists the attributes of a type and, when given, a program.
func (c *compiler) usesOf(t *metadata.TrackedEntityType, p *metadata.Program) []attributeUse {
	var uses []attributeUse
	at := map[string]int{}
	if t != nil {
		for _, a := range t.Attributes {
			if attribute := c.x.AttributeByID(a.Attribute.ID); attribute != nil {
				at[attribute.ID] = len(uses)
				uses = append(uses, attributeUse{attribute, a.Mandatory, p == nil})
			}
		}
	}
	if p == nil {
		return uses
	}
	for _, a := range p.Attributes {
		attribute := c.x.AttributeByID(a.Attribute.ID)
		if attribute == nil {
			continue
		}
		if i, ok := at[attribute.ID]; ok {
			uses[i].mandatory = uses[i].mandatory || a.Mandatory
			uses[i].future = a.AllowFutureDate
			continue
		}
		uses = append(uses, attributeUse{attribute, a.Mandatory, a.AllowFutureDate})
	}
	return uses
}

// attributeValues gives the values of attributes on one record, and the files and people among them.
func attributeValues(fields []*valued, s *rules.Scope, c *value.Context) ([]client.AttributeValue, object.Files,
	object.Associates, error) {
	values, files, people := make([]client.AttributeValue, 0, len(fields)), object.Files{}, object.Associates{}
	for _, v := range fields {
		out, st, err := v.evalFile(s, c)
		if err != nil {
			return nil, nil, nil, err
		}
		if st != stateOmit {
			values = append(values, client.AttributeValue{Attribute: v.uid, Value: out.Text})
			files.Add(v.uid, out.File)
			people.Add(v.uid, v.named(out, st))
		}
	}
	return values, files, people, nil
}

// generated lists the attributes whose values DHIS2 generates and that the rule does not set.
func generated(uses []attributeUse, set []*valued) []*metadata.TrackedEntityAttribute {
	var list []*metadata.TrackedEntityAttribute
	for _, u := range uses {
		if !u.attribute.Generated || u.attribute.Pattern == "" {
			continue
		}
		found := false
		for _, v := range set {
			found = found || v.uid == u.attribute.ID
		}
		if !found {
			list = append(list, u.attribute)
		}
	}
	return list
}
