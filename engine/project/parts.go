package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Part is what of a rule goes to one place. The first part works on the records as they come.
type Part struct {
	Place   string // a server or a connection of culvert.yaml
	Actions []int  // by their numbers in the rule
	// Before is the part whose delivery this one waits for, by its number; -1: it waits for none.
	Before int
}

// placeOf gives the kind that compiles an action and where the action writes to; a nil kind when it
// cannot be compiled, which is reported where it is not known already.
func (p *Project) placeOf(r *rules.Rule, spec *rules.ActionSpec, home *Server,
	kinds map[string]map[string]actions.Kind) (actions.Kind, string) {
	own := spec.Body.Get("server")
	if k, ok := kinds[""][spec.Kind].(actions.Placed); ok {
		if own != nil {
			spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: "not-allowed", Place: spec.Body.Key("server").Place(),
				Message: fmt.Sprintf("%s writes to no server of DHIS2", spec.Kind),
				Hint:    "write connection: with the name of one of connections: in culvert.yaml"}})
		}
		return k, p.connectionOf(r, spec, k.ConnectionKind())
	}
	if own != nil && own.Kind == yamlnode.Scalar && !own.IsNull() && own.Value != "" {
		named, problem := p.serverOf(own.Value, own.Place())
		if problem != nil {
			spec.Report(diag.Diagnostic{Problem: *problem})
			return nil, ""
		}
		home = named
		spec.Server = named.Name
	}
	if home == nil {
		return nil, ""
	}
	return kinds[home.Name][spec.Kind], home.Name
}

// connectionOf gives the connection that an action writes to: the one it names, else that of the
// trigger, else the only one of its kind.
func (p *Project) connectionOf(r *rules.Rule, spec *rules.ActionSpec, kind string) string {
	n := spec.Body.Get("connection")
	if n.IsNull() {
		if own := r.Trigger.Config.Get("connection"); own != nil && own.Kind == yamlnode.Scalar {
			if c := p.Config.ConnectionNamed(own.Value); c != nil && c.Kind == kind {
				return p.apart(spec, own.Value, spec.Place)
			}
		}
		names := p.Config.connectionsOf(kind)
		if len(names) == 1 {
			return p.apart(spec, names[0], spec.Place)
		}
		problem := diag.Problem{Code: "missing-key", Place: spec.Place,
			Message: fmt.Sprintf("%s does not say which connection it writes to", spec.Kind),
			Hint:    "add connection: with one of " + strings.Join(names, ", ")}
		if len(names) == 0 {
			problem.Code, problem.Message = "unknown-connection", fmt.Sprintf("culvert.yaml has no connection that %s writes to",
				spec.Kind)
			problem.Hint = fmt.Sprintf("add one to culvert.yaml: connections: {name: {%s: https://...}}", kind)
		}
		spec.Report(diag.Diagnostic{Problem: problem})
		return ""
	}
	if n.Kind != yamlnode.Scalar {
		spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: "wrong-shape", Place: n.Place(),
			Message: "connection is the name of one of connections: in culvert.yaml", Hint: "write its name"}})
		return ""
	}
	found := p.Config.ConnectionNamed(n.Value)
	switch {
	case found == nil:
		spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-connection", Place: n.Place(),
			Message: fmt.Sprintf("connection %q is not in culvert.yaml", n.Value),
			Hint:    diag.Suggest(n.Value, p.Config.connectionsOf(kind), "connections of kind "+kind)}})
		return ""
	case found.Kind != kind:
		spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-connection", Place: n.Place(),
			Message: fmt.Sprintf("connection %q is of kind %s; %s needs one of kind %s", n.Value, found.Kind, spec.Kind, kind),
			Hint:    p.Config.anotherConnection(kind)}})
		return ""
	}
	return p.apart(spec, n.Value, n.Place())
}

// apart reports a connection whose name is that of a server: what is said of one could be taken for the other.
func (p *Project) apart(spec *rules.ActionSpec, name string, place diag.Place) string {
	if slices.Contains(p.Config.ServerNames(), name) {
		spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: "name-taken", Place: place,
			Message: fmt.Sprintf("a server and a connection of culvert.yaml are both called %q", name),
			Hint:    "give the connection another name"}})
	}
	return name
}

// PlaceNames lists the servers and connections that rules may write to.
func (c *Config) PlaceNames() []string {
	names := c.ServerNames()
	for _, o := range c.Connections {
		if ActionTargets()[o.Kind] != nil {
			names = append(names, o.Name)
		}
	}
	return names
}

func (c *Config) connectionsOf(kind string) []string {
	var names []string
	for _, o := range c.Connections {
		if o.Kind == kind {
			names = append(names, o.Name)
		}
	}
	return names
}

// partsOf sorts the actions of a rule by where they write to, in the order of the first of each, and
// says which part waits for which: one that reads results waits for those that give them; one that
// writes to another server of DHIS2 and reads none waits for nobody; others wait for the first part.
func partsOf(r *rules.Rule, places []string, c *Config) []Part {
	var parts []Part
	at := make([]int, len(places))
	for i, place := range places {
		at[i] = slices.IndexFunc(parts, func(p Part) bool { return p.Place == place })
		if at[i] < 0 {
			at[i] = len(parts)
			parts = append(parts, Part{Place: place, Before: -1})
		}
		parts[at[i]].Actions = append(parts[at[i]].Actions, i)
	}
	reads := make([]map[int]bool, len(parts))
	for n := range parts {
		reads[n] = map[int]bool{}
		for _, i := range parts[n].Actions {
			readParts(r, r.Actions[i], n, at, reads[n])
		}
	}
	for n := len(parts) - 1; n > 0; n-- {
		wanted := slices.Sorted(maps.Keys(reads[n]))
		waits := !slices.Contains(c.ServerNames(), parts[n].Place) || slices.ContainsFunc(parts[n].Actions,
			func(i int) bool { return r.Actions[i].After != "" })
		switch {
		case len(wanted) > 0:
			last := wanted[len(wanted)-1]
			parts[n].Before = last
			for _, other := range wanted[:len(wanted)-1] {
				reads[last][other] = true // so that one comes after the other, and brings its results along
			}
		case waits:
			parts[n].Before = 0
		}
	}
	return parts
}

// readParts notes whose results an action reads, and reports what cannot be known when it runs.
func readParts(r *rules.Rule, a *rules.ActionSpec, n int, at []int, reads map[int]bool) {
	if n == 0 && a.After != "" {
		key := a.Body.Key("after")
		a.Report(diag.Diagnostic{Problem: diag.Problem{Code: "after-nothing", Place: key.Place(),
			Message: "this action writes where the first one does: they are delivered together, in their order",
			Hint:    "remove after:, which is for actions that write elsewhere"}})
	}
	for _, id := range a.Earlier() {
		for _, other := range r.Actions {
			if other.ID != id || at[other.Number] == n {
				continue
			}
			if at[other.Number] > n {
				a.Report(diag.Diagnostic{Problem: diag.Problem{Code: "reads-later", Place: a.Place,
					Message: fmt.Sprintf("this action reads the result of %q, which is written after all that goes to the same place "+
						"as this one", id),
					Hint: "put the action that gives the result first in the rule, or do this in a rule of its own"}})
				continue
			}
			reads[at[other.Number]] = true
		}
	}
}

// Afters says of each action what must have become of those before it; "" where the rule does not say.
func (r *Rule) Afters() []string {
	list := make([]string, len(r.Rule.Actions))
	for i, a := range r.Rule.Actions {
		list[i] = a.After
	}
	return list
}

// PlaceOf gives where an action of the rule writes to, by its number.
func (r *Rule) PlaceOf(action int) string {
	for _, p := range r.Parts {
		if slices.Contains(p.Actions, action) {
			return p.Place
		}
	}
	return r.Server
}

// Servers lists the servers of DHIS2 that the rule writes to, its own first; its own alone where it is not known
// where its actions write to.
func (r *Rule) Servers(c *Config) []string {
	list := []string{}
	if r.Server != "" {
		list = append(list, r.Server)
	}
	for _, part := range r.Parts {
		if !slices.Contains(list, part.Place) && c.ServerNamed(part.Place) != nil {
			list = append(list, part.Place)
		}
	}
	return list
}

// Places lists the connections that rules write to, sorted.
func (p *Project) Places() []string {
	names := map[string]bool{}
	for _, r := range p.Rules {
		for _, part := range r.Parts {
			if p.Config.ConnectionNamed(part.Place) != nil && p.Config.ServerNamed(part.Place) == nil {
				names[part.Place] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
