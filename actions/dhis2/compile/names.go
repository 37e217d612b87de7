package compile

import (
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// found reports a name that fits no object or several. It is true when exactly one fits; a former
// name is then a warning with its fix.
func (c *compiler) found(n *yamlnode.Node, ok bool, collection, what string, ambiguous, suggestions []string) bool {
	switch {
	case ok:
		if _, now, renamed := c.x.Renamed(collection, n.Value); renamed {
			c.spec.Report(diag.Diagnostic{
				Severity: diag.Warning, Problem: diag.Problem{Code: "renamed", Place: n.Place(),
					Message: what + ` "` + n.Value + `" is now called "` + now + `"`,
					Hint:    "culvert validate --fix-names writes the new name"},
				Fix: &diag.Fix{Place: n.Place(), Text: now},
			})
		}
		return true
	case len(ambiguous) > 0:
		c.errorAt(n.Place(), "ambiguous-name", "use a code or uid: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"),
			"several objects are called %q as a %s", n.Value, what)
	default:
		hint := "run culvert sync when it is new"
		if len(suggestions) > 0 {
			hint = "did you mean " + diag.Names(suggestions[:min(5, len(suggestions))], "or") + "?"
		}
		c.errorAt(n.Place(), "unknown-"+strings.ReplaceAll(what, " ", "-"), hint, "there is no %s %q", what, n.Value)
	}
	return false
}

// program reads the key program and checks that the syncing user may write its data. nil when there is no usable one.
func (c *compiler) program() *metadata.Program {
	n := c.requiredName("program", "program", c.programNames)
	if n == nil {
		return nil
	}
	p, ambiguous, suggestions := c.x.Program(n.Value)
	if !c.found(n, p != nil, metadata.Programs, "program", ambiguous, suggestions) {
		return nil
	}
	c.use(p.ID, n.Place())
	if c.x.Snapshot.User.ID != "" && !p.Access.Data.Write && !c.superuser() {
		c.warnAt(n.Place(), "no-write-access",
			"give the user data write access in the program's sharing settings, then sync",
			"the user %q may not write data of the program %q", c.x.Snapshot.User.Username, p.Name)
	}
	return p
}

// trackerProgram is program for actions about people.
func (c *compiler) trackerProgram() *metadata.Program {
	p := c.program()
	if p != nil && p.Type == metadata.WithoutRegistration {
		c.errorAt(c.spec.Body.Get("program").Place(), "wrong-program-type",
			"use dhis2.event for it, or name a program with registration", "%q is an event program: nobody is enrolled in it",
			p.Name)
		return nil
	}
	if p != nil && (p.TrackedEntityType == nil || c.x.TrackedEntityTypeByID(p.TrackedEntityType.ID) == nil) {
		c.errorAt(c.spec.Body.Get("program").Place(), "no-tracked-entity-type",
			"give the program a type in DHIS2 and share it with the syncing user, then sync",
			"the type of tracked entity of %q is not in the metadata", p.Name)
		return nil
	}
	return p
}

// entityType gives the type of the people of a program.
func (c *compiler) entityType(p *metadata.Program) *metadata.TrackedEntityType {
	if p == nil || p.TrackedEntityType == nil {
		return nil
	}
	return c.x.TrackedEntityTypeByID(p.TrackedEntityType.ID)
}

// typeNamed reads the key tracked_entity_type.
func (c *compiler) typeNamed(key string) *metadata.TrackedEntityType {
	n := c.name(key)
	if n == nil {
		return nil
	}
	t, ambiguous, suggestions := c.x.TrackedEntityType(n.Value)
	if !c.found(n, t != nil, metadata.TrackedEntityTypes, "tracked entity type", ambiguous, suggestions) {
		return nil
	}
	c.use(t.ID, n.Place())
	return t
}

// stage reads the key stage; it may be left out where the program has one stage only.
func (c *compiler) stage(p *metadata.Program) *metadata.ProgramStage {
	n := c.name("stage")
	if p == nil {
		return nil
	}
	if n == nil {
		if len(p.Stages) == 1 {
			return &p.Stages[0]
		}
		if c.spec.Body.Get("stage").IsNull() {
			c.missing("stage", diag.Known(stageNames(p), "stages of "+p.Name))
		}
		return nil
	}
	s, ambiguous, suggestions := c.x.Stage(p, n.Value)
	if len(suggestions) == 0 {
		suggestions = stageNames(p)
	}
	if !c.found(n, s != nil, metadata.ProgramStages, "stage", ambiguous, suggestions) {
		return nil
	}
	c.use(s.ID, n.Place())
	if c.x.Snapshot.User.ID != "" && !s.Access.Data.Write && !c.superuser() {
		c.warnAt(n.Place(), "no-write-access", "give the user data write access in the stage's sharing settings, then sync",
			"the user %q may not write data of the stage %q", c.x.Snapshot.User.Username, s.Name)
	}
	return s
}

// dataSet reads the key data_set.
func (c *compiler) dataSet(n *yamlnode.Node) *metadata.DataSet {
	d, ambiguous, suggestions := c.x.DataSet(n.Value)
	if !c.found(n, d != nil, metadata.DataSets, "data set", ambiguous, suggestions) {
		return nil
	}
	c.use(d.ID, n.Place())
	if c.x.Snapshot.User.ID != "" && !d.Access.Data.Write && !c.superuser() {
		c.warnAt(n.Place(), "no-write-access",
			"give the user data write access in the data set's sharing settings, then sync",
			"the user %q may not write data of the data set %q", c.x.Snapshot.User.Username, d.Name)
	}
	return d
}

// superuser tells whether sharing does not matter for the syncing user.
func (c *compiler) superuser() bool {
	for _, a := range c.x.Snapshot.User.Authorities {
		if a == "ALL" {
			return true
		}
	}
	return false
}

func (c *compiler) programNames() []string {
	var names []string
	for i := range c.x.Snapshot.Programs {
		names = append(names, c.x.Snapshot.Programs[i].Name)
	}
	return names
}

func stageNames(p *metadata.Program) []string {
	var names []string
	for i := range p.Stages {
		names = append(names, p.Stages[i].Name)
	}
	return names
}
