package project

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// A rule that reads a DHIS2 server writes to another one, or to the same. Where what it writes is what it reads
// itself, or what a rule reads that writes back, each object comes again as another one: the ids of the two are
// derived from different ones, and nothing would ever be unchanged.

// hop is one rule of a circle: what it reads and what it writes, each a program of a server.
type hop struct {
	rule     *Rule
	from, to string
}

// tellsWriter are fields of records by which a rule can leave out what it wrote, or what belongs elsewhere.
var tellsWriter = []string{"updated_by", "created_by", "stored_by", "org_unit"}

// circles warns of rules that pass the same objects back and forth.
func (p *Project) circles() (found diag.List) {
	var hops []hop
	for _, r := range p.Rules {
		if r.Rule.When == nil || !slices.ContainsFunc(tellsWriter, func(f string) bool {
			return strings.Contains(r.Rule.When.Text, f)
		}) {
			hops = append(hops, p.hopsOf(r)...)
		}
	}
	slices.SortStableFunc(hops, func(a, b hop) int { return cmp.Compare(a.rule.Path, b.rule.Path) })
	said := map[*Rule]bool{}
	for _, first := range hops {
		if said[first.rule] {
			continue
		}
		if way := wayBack(hops, first); way != nil && !apart(way) {
			for _, h := range way {
				said[h.rule] = true
			}
			found.Add(p.circle(way))
		}
	}
	return found
}

// hopsOf gives what a rule reads of a DHIS2 server, with each that it writes.
func (p *Project) hopsOf(r *Rule) (out []hop) {
	from := p.readOf(&r.Rule.Trigger, r.Server)
	if from == "" {
		return nil
	}
	for i, a := range r.Actions {
		user, ok := a.(actions.User)
		server := r.PlaceOf(i)
		if !ok || p.Config.ServerNamed(server) == nil || p.Indexes[server] == nil {
			continue
		}
		for _, u := range user.Uses() {
			if p.Indexes[server].ProgramByID(u.ID) == nil {
				continue
			}
			if h := (hop{r, from, server + "/" + u.ID}); !slices.Contains(out, h) {
				out = append(out, h)
			}
		}
	}
	return out
}

// readOf names the program that a trigger reads as it changes; "" where it reads none. Data values are the same ones
// at both ends: what comes back changes nothing and goes no further.
func (p *Project) readOf(t *rules.Trigger, home string) string {
	k, ok := sources.Named(p.Sources, t.Kind).(interface {
		ServerOf(t *rules.Trigger, home string) string
	})
	if !ok || t.Kind != "dhis2" || t.Config == nil {
		return ""
	}
	server := k.ServerOf(t, home)
	c := p.Catalog(server)
	if c == nil {
		return ""
	}
	n := t.Config.Get("program")
	if n == nil {
		return ""
	}
	what, _ := c.Find(sources.Programs, n.Value, "")
	if what == nil {
		return ""
	}
	return p.Config.ServerNamed(server).Name + "/" + what.ID
}

// wayBack gives the shortest way from what a hop writes back to what it reads, itself first; nil where there is none.
func wayBack(hops []hop, first hop) []hop {
	ways := [][]hop{{first}}
	seen := map[string]bool{first.to: true}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		last := way[len(way)-1]
		if last.to == first.from {
			return way
		}
		for _, h := range hops {
			if h.from == last.to && !seen[h.to] {
				seen[h.to] = true
				ways = append(ways, append(slices.Clone(way), h))
			}
		}
	}
	return nil
}

// apart tells whether the rules of a circle read different org units: then what one writes is not what the other reads.
func apart(way []hop) bool {
	units := map[string]bool{}
	for _, h := range way {
		n := h.rule.Rule.Trigger.Config.Get("org_unit")
		if n == nil || n.Value == "" {
			return false
		}
		units[n.Value] = true
	}
	return len(units) > 1
}

// circle words a circle.
func (p *Project) circle(way []hop) diag.Diagnostic {
	first := way[0]
	program, server := p.named(first.from)
	d := diag.Diagnostic{Severity: diag.Warning, Problem: diag.Problem{Code: "circle",
		Place: first.rule.Rule.Trigger.Config.Place(),
		Hint: "have `when:` leave out what Culvert itself wrote, such as `trigger.updated_by != \"culvert\"` with the name of " +
			"its account at the server that is read, or read one org unit here and another there"}}
	if len(way) == 1 {
		d.Message = fmt.Sprintf(
			"the rule writes what it reads, program %q of server %s: each object that it writes comes to it "+
				"as a new one, without end",
			program,
			server,
		)
		return d
	}
	names := make([]string, len(way))
	for i, h := range way {
		names[i] = h.rule.Name
		if i > 0 {
			d.Related = append(d.Related, diag.Related{Place: h.rule.Rule.Trigger.Config.Place(), Message: "it goes on here"})
		}
	}
	d.Message = fmt.Sprintf(
		"the rules %s pass the same objects around: what comes back to program %q of server %s is new "+
			"there, without end",
		diag.Names(names, "and"),
		program,
		server,
	)
	return d
}

// named gives the name of a program, and its server.
func (p *Project) named(node string) (program, server string) {
	server, id, _ := strings.Cut(node, "/")
	if x := p.Indexes[server]; x != nil {
		if found := x.ProgramByID(id); found != nil {
			return found.Name, server
		}
	}
	return id, server
}
