package asked

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Collections that lookups ask the server for.
const (
	people = "trackedEntities"
	events = "events"
)

// Kind compiles the lookups in people and events of a server against its snapshot.
func Kind(x *metadata.Index) rules.AskedKind { return kind{x} }

type kind struct{ x *metadata.Index }

// Collections implements rules.AskedKind.
func (a kind) Collections() []string { return []string{people, events} }

// Keys implements rules.AskedKind.
func (a kind) Keys(collection string) []settings.Field {
	program := settings.Field{Name: "program", Doc: "the program, by name, code or id"}
	cache := settings.Field{Name: "cache",
		Doc: "how long an answer may be used again, such as 10m; unless given it is asked for with every batch"}
	if collection == people {
		return []settings.Field{program,
			{Name: "type", Doc: "the tracked entity type, by name or id, where no program is meant"}, cache}
	}
	return []settings.Field{
		{Name: "of", Ref: "expression", Doc: "whose events, a lookup in trackedEntities"},
		program,
		{Name: "stage", Doc: "the program stage whose events are meant, by name or id"},
		{Name: "take", Type: settings.Word, Words: []string{"last", "first", "all"},
			Doc: "the last by date (unless given), the first, or the list of all"},
		cache,
	}
}

// Compile implements rules.AskedKind.
func (a kind) Compile(collection string, r settings.Reader, around func(string) (rules.Asked, bool)) rules.Asked {
	c := &compiler{kind: a, Reader: r}
	cache := c.cache()
	if collection == people {
		return c.people(cache)
	}
	return c.events(around, cache)
}

// compiler checks one lookup.
type compiler struct {
	kind
	settings.Reader
	failed bool
}

func (c *compiler) fault(n *yamlnode.Node, code, hint, format string, args ...any) {
	c.failed = true
	c.Wrong(n, code, fmt.Sprintf(format, args...), hint)
}

// cache is how long answers may be used again.
func (c *compiler) cache() time.Duration {
	n := c.Node("cache")
	if n == nil {
		return 0
	}
	d, err := time.ParseDuration(n.Value)
	if err != nil || d < 0 || d > 24*time.Hour {
		c.fault(n, "bad-duration", "write a number with s, m or h, such as 10m", "%q is not a time of up to 24 hours",
			n.Value)
	}
	return d
}

func (c *compiler) program() *metadata.Program {
	n := c.Node("program")
	if n == nil {
		return nil
	}
	p, ambiguous, suggestions := c.x.Program(n.Value)
	switch {
	case len(ambiguous) > 0:
		c.fault(n, "ambiguous-name", "use a code or uid: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"),
			"several programs are called %q", n.Value)
	case p == nil:
		c.fault(n, "unknown-program", diag.Suggest(n.Value, suggestions, "programs"), "there is no program %q", n.Value)
	case p.TrackedEntityType == nil:
		c.fault(n, "wrong-program-type", "name a program with registration",
			"%q is an event program: nobody is enrolled in it", p.Name)
		return nil
	}
	return p
}

// people compiles a lookup of tracked entities, of a program or of a type.
func (c *compiler) people(cache time.Duration) rules.Asked {
	q := &People{Cache: cache}
	program, typ := c.Node("program"), c.Node("type")
	switch {
	case program != nil && typ == nil:
		p := c.program()
		if p == nil {
			return nil
		}
		q.Program = p.ID
		for i := range p.Attributes {
			q.attribute(c.x.AttributeByID(p.Attributes[i].Attribute.ID))
		}
	case typ != nil && program == nil:
		t, ambiguous, suggestions := c.x.TrackedEntityType(typ.Value)
		if t == nil {
			c.fault(typ, "unknown-tracked-entity-type", diag.Suggest(typ.Value, append(ambiguous, suggestions...), "types"),
				"there is no tracked entity type %q", typ.Value)
			return nil
		}
		q.Type = t.ID
		for _, a := range t.Attributes {
			q.attribute(c.x.AttributeByID(a.Attribute.ID))
		}
	default:
		c.fault(c.Config, "lookup-where", "write program: or type:, one of the two",
			"the lookup does not say among whom to look")
		return nil
	}
	if c.failed {
		return nil
	}
	return q
}

// events compiles a lookup of the events of a person that another lookup finds.
func (c *compiler) events(around func(string) (rules.Asked, bool), cache time.Duration) rules.Asked {
	of := c.Node("of")
	if of == nil {
		c.fault(c.Config, "lookup-where", "add of: with the name of a lookup in trackedEntities",
			"the lookup does not say whose events are meant")
		return nil
	}
	q := &Events{Cache: cache, Take: c.Word("take")}
	p := c.program()
	if p == nil && !c.failed {
		around, broken := around(of.Value)
		whose, ok := around.(*People)
		switch {
		case broken:
			return nil // it has its own findings
		case ok && whose.Program != "":
			p = c.x.ProgramByID(whose.Program)
		default:
			c.fault(c.Config, "lookup-where", "add program:", "the lookup does not say of which program the events are")
		}
	}
	if p == nil || c.failed {
		return nil
	}
	q.Program = p.ID
	stages := p.Stages
	if n := c.Node("stage"); n != nil {
		s, _, _ := c.x.Stage(p, n.Value)
		if s == nil {
			var names []string
			for i := range p.Stages {
				names = append(names, p.Stages[i].Name)
			}
			c.fault(n, "unknown-stage", diag.Suggest(n.Value, names, "stages"), "%s has no stage %q", p.Name, n.Value)
			return nil
		}
		q.Stage = s.ID
		stages = []metadata.ProgramStage{*s}
	}
	for _, s := range stages {
		for _, e := range s.DataElements {
			q.element(c.x.DataElementByID(e.DataElement.ID))
		}
	}
	return q
}
