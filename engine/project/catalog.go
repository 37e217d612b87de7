package project

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/sources"
)

// Catalog gives the synced metadata of a server for sources; nil where there is none.
func (p *Project) Catalog(server string) sources.Catalog {
	s := p.Config.ServerNamed(server)
	if s == nil || p.Indexes[s.Name] == nil {
		return nil
	}
	return catalog{p.Indexes[s.Name]}
}

// catalog is a snapshot as sources see it.
type catalog struct{ x *metadata.Index }

// Find implements sources.Catalog.
func (c catalog) Find(collection, ref, program string) (*sources.Thing, []string) {
	if ref == "" {
		return nil, nil
	}
	var ambiguous, near []string
	id := ""
	switch collection {
	case sources.Programs:
		p, a, n := c.x.Program(ref)
		if ambiguous, near = a, n; p != nil {
			id = p.ID
		}
	case sources.DataSets:
		d, a, n := c.x.DataSet(ref)
		if ambiguous, near = a, n; d != nil {
			id = d.ID
		}
	case sources.DataElements:
		e, a, n := c.x.DataElement(ref, nil)
		if ambiguous, near = a, n; e != nil {
			id = e.ID
		}
	case sources.OrgUnits:
		o, a, n := c.x.OrgUnit(ref)
		if ambiguous, near = a, n; o != nil {
			id = o.ID
		}
	case sources.Stages:
		s, a, n := c.x.Stage(c.x.ProgramByID(program), ref)
		if ambiguous, near = a, n; s != nil {
			id = s.ID
		}
	}
	if id != "" {
		return c.ByID(collection, id), nil
	}
	return nil, append(ambiguous, near...)
}

// ByID implements sources.Catalog.
func (c catalog) ByID(collection, id string) *sources.Thing {
	switch collection {
	case sources.Programs:
		return c.program(id)
	case sources.Stages:
		if s, _ := c.x.StageByID(id); s != nil {
			t := thing(s.Named)
			for _, e := range s.DataElements {
				t.Parts = append(t.Parts, e.DataElement.ID)
			}
			return t
		}
	case sources.DataSets:
		if d := c.x.DataSetByID(id); d != nil {
			t := thing(d.Named)
			for _, e := range d.Elements {
				t.Parts = append(t.Parts, e.DataElement.ID)
			}
			return t
		}
	case sources.DataElements:
		if e := c.x.DataElementByID(id); e != nil {
			t := thing(e.Named)
			t.ValueType = e.ValueType
			return t
		}
	case sources.Attributes:
		if a := c.x.AttributeByID(id); a != nil {
			t := thing(a.Named)
			t.ValueType = a.ValueType
			return t
		}
	case sources.OptionCombos:
		if o := c.x.CategoryOptionComboByID(id); o != nil {
			return thing(o.Named)
		}
	case sources.OrgUnits:
		if o := c.x.OrgUnitByID(id); o != nil {
			return thing(o.Named)
		}
	}
	return nil
}

// Children implements sources.Catalog.
func (c catalog) Children(orgUnit string) (list []string) {
	for i := range c.x.Snapshot.OrgUnits {
		if o := &c.x.Snapshot.OrgUnits[i]; o.Parent != nil && o.Parent.ID == orgUnit {
			list = append(list, o.ID)
		}
	}
	return list
}

func thing(n metadata.Named) *sources.Thing {
	return &sources.Thing{ID: n.ID, Code: n.Code, Name: n.Name}
}

func (c catalog) program(id string) *sources.Thing {
	p := c.x.ProgramByID(id)
	if p == nil {
		return nil
	}
	t := thing(p.Named)
	for i := range p.Stages {
		t.Parts = append(t.Parts, p.Stages[i].ID)
	}
	for _, a := range p.Attributes {
		t.Attributes = append(t.Attributes, a.Attribute.ID)
	}
	if p.TrackedEntityType == nil {
		return t
	}
	if typ := c.x.TrackedEntityTypeByID(p.TrackedEntityType.ID); typ != nil {
		for _, a := range typ.Attributes {
			t.Attributes = append(t.Attributes, a.Attribute.ID)
		}
	}
	return t
}

// catalogued gives the kind of a trigger where its records are made of a server's metadata, with the metadata.
func (p *Project) catalogued(k sources.Kind, t *rules.Trigger, home *Server) (sources.Catalogued, string, sources.Catalog) {
	kind, ok := k.(sources.Catalogued)
	if !ok || t.Config == nil {
		return nil, "", nil
	}
	own := ""
	if home != nil {
		own = home.Name
	}
	server := kind.ServerOf(t, own)
	return kind, server, p.Catalog(server)
}

// checkNames checks what a trigger names of a server's metadata.
func (p *Project) checkNames(k sources.Kind, r *rules.Rule, home *Server) {
	kind, server, c := p.catalogued(k, &r.Trigger, home)
	if kind == nil {
		return
	}
	at := r.Trigger.Place
	if n := r.Trigger.Config.Get("server"); n != nil {
		at = n.Place()
	}
	if _, problem := p.serverOf(server, at); problem != nil {
		problem.Message = fmt.Sprintf("the trigger reads another server: %s", problem.Message)
		r.Report(diag.Diagnostic{Problem: *problem})
		return
	}
	kind.CheckNames(&r.Trigger, c, r.Report)
}

// recordShape is what is known of a trigger's records by a server's metadata.
func (l *Loader) recordShape(p *Project, t *rules.Trigger, home *Server) *expression.Shape {
	kind, _, c := p.catalogued(sources.Named(l.Sources, t.Kind), t, home)
	if kind == nil || c == nil {
		return nil
	}
	return kind.Shape(t, c)
}
