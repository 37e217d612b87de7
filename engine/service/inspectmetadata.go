package service

import (
	"cmp"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/project"
)

// tree makes objects of a server's metadata for people to look at.
type tree struct {
	project *project.Project
	index   *metadata.Index
	uses    project.Uses
}

// treeOf gives the metadata of a server; nil when none has been synced. It is kept as long as the project stays.
func (s *inspection) treeOf(server string) *tree {
	p := s.current.Load()
	index := p.Indexes[server]
	if index == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trees[server]; t != nil && t.project == p {
		return t
	}
	if s.trees == nil {
		s.trees = map[string]*tree{}
	}
	t := &tree{project: p, index: index, uses: p.Uses(server)}
	s.trees[server] = t
	return t
}

// Catalogue lists the programs and data sets of a server.
func (s *inspection) Catalogue(server string) []console.Object {
	t := s.treeOf(server)
	if t == nil {
		return nil
	}
	var out []console.Object
	snap := t.index.Snapshot
	for i := range snap.Programs {
		p := &snap.Programs[i]
		x := t.object(p.Named, "program")
		x.Type = programType(p)
		x.Parts = make([]console.Object, 0, len(p.Stages))
		for _, stage := range p.Stages {
			x.Parts = append(x.Parts, t.object(stage.Named, "program stage"))
		}
		out = append(out, x)
	}
	for i := range snap.DataSets {
		x := t.object(snap.DataSets[i].Named, "data set")
		x.Type = snap.DataSets[i].PeriodType
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b console.Object) int { return cmp.Compare(b.Kind, a.Kind) })
	return out
}

func programType(p *metadata.Program) string {
	if p.Type == metadata.WithoutRegistration {
		return "event program"
	}
	return "tracker program"
}

// Object tells all of one object.
func (s *inspection) Object(server, uid string) *console.Object {
	t := s.treeOf(server)
	if t == nil {
		return nil
	}
	if p := t.index.ProgramByID(uid); p != nil {
		return t.program(p)
	}
	if stage, p := t.index.StageByID(uid); stage != nil {
		x := t.stage(stage)
		x.In = p.Name
		return &x
	}
	if d := t.index.DataSetByID(uid); d != nil {
		return t.dataSet(d)
	}
	if e := t.index.DataElementByID(uid); e != nil {
		x := t.element(uid, false)
		return &x
	}
	if a := t.index.AttributeByID(uid); a != nil {
		x := t.attribute(uid, false)
		return &x
	}
	if set := t.index.OptionSetByID(uid); set != nil {
		x := t.object(set.Named, "option set")
		x.Type, x.Options = set.ValueType, t.options(uid)
		return &x
	}
	if collection, named, parent := t.index.Find(uid); named != nil {
		x := t.object(*named, cmp.Or(kinds[collection], "object"))
		if parent != nil {
			x.In = parent.Name
		}
		if collection == metadata.OrgUnitGroups {
			x.Parts = t.members(uid)
		}
		if u := t.index.OrgUnitByID(uid); u != nil {
			x = t.object(u.Named, "org unit")
			if u.Parent != nil {
				x.In = t.index.NameOf(u.Parent.ID)
			}
		}
		return &x
	}
	return nil
}

// mostMembers is how many org units of a group are shown.
const mostMembers = 500

// members lists the org units in a group.
func (t *tree) members(uid string) (out []console.Object) {
	for _, ref := range t.index.OrgUnitGroupByID(uid).OrgUnits {
		if u := t.index.OrgUnitByID(ref.ID); u != nil && len(out) < mostMembers {
			out = append(out, t.object(u.Named, "org unit"))
		}
	}
	return out
}

// kinds are what the collections of DHIS2 are called one by one.
var kinds = map[string]string{
	metadata.OrgUnits: "org unit", metadata.Attributes: "metadata attribute",
	metadata.TrackedEntityTypes:      "tracked entity type",
	metadata.TrackedEntityAttributes: "attribute", metadata.Programs: "program", metadata.ProgramStages: "program stage",
	metadata.DataElements: "data element",
	metadata.DataSets:     "data set", metadata.OptionSets: "option set", metadata.OptionsInSets: "option",
	metadata.CategoryCombos:       "category combo",
	metadata.CategoryOptionCombos: "category option combo", metadata.Categories: "category",
	metadata.CategoryOptions:   "category option",
	metadata.RelationshipTypes: "relationship type", metadata.OrgUnitGroups: "org unit group", metadata.Users: "user",
	metadata.OrgUnitLevels: "level",
}

// mostHits is how many objects a search shows.
const mostHits = 100

// Search finds objects by uid, code or name.
func (s *inspection) Search(server, text string) []console.Object {
	t := s.treeOf(server)
	if t == nil {
		return nil
	}
	hits := t.index.Search(text)
	var out []console.Object
	for _, h := range hits[:min(len(hits), mostHits)] {
		x := t.object(
			metadata.Named{ID: h.ID, Code: h.Code, Name: h.Name, Translations: h.Translations},
			cmp.Or(kinds[h.Collection], h.Collection),
		)
		x.In = h.Path
		out = append(out, x)
	}
	return out
}

func (t *tree) object(n metadata.Named, kind string) console.Object {
	return console.Object{ID: n.ID, Code: n.Code, Name: n.Name, Names: console.Names(n.Translations), Kind: kind,
		Uses: slices.Compact(slices.Sorted(slices.Values(t.uses[n.ID])))}
}

func (t *tree) program(p *metadata.Program) *console.Object {
	x := t.object(p.Named, "program")
	x.Type = programType(p)
	if p.TrackedEntityType != nil {
		x.In = t.index.NameOf(p.TrackedEntityType.ID)
	}
	for _, a := range p.Attributes {
		x.Parts = append(x.Parts, t.attribute(a.Attribute.ID, a.Mandatory))
	}
	for i := range p.Stages {
		x.Parts = append(x.Parts, t.stage(&p.Stages[i]))
	}
	return &x
}

func (t *tree) stage(stage *metadata.ProgramStage) console.Object {
	x := t.object(stage.Named, "program stage")
	if stage.Repeatable {
		x.Type = "repeatable"
	}
	for _, e := range stage.DataElements {
		x.Parts = append(x.Parts, t.element(e.DataElement.ID, e.Compulsory))
	}
	return x
}

func (t *tree) dataSet(d *metadata.DataSet) *console.Object {
	x := t.object(d.Named, "data set")
	x.Type = d.PeriodType
	for _, e := range d.Elements {
		x.Parts = append(x.Parts, t.element(e.DataElement.ID, false))
	}
	return &x
}

func (t *tree) element(uid string, mandatory bool) console.Object {
	e := t.index.DataElementByID(uid)
	if e == nil {
		return console.Object{ID: uid, Name: uid, Kind: "data element", Mandatory: mandatory}
	}
	x := t.object(e.Named, "data element")
	x.Type, x.Mandatory = e.ValueType, mandatory
	if e.OptionSet != nil {
		x.Options = t.options(e.OptionSet.ID)
	}
	return x
}

func (t *tree) attribute(uid string, mandatory bool) console.Object {
	a := t.index.AttributeByID(uid)
	if a == nil {
		return console.Object{ID: uid, Name: uid, Kind: "attribute", Mandatory: mandatory}
	}
	x := t.object(a.Named, "attribute")
	x.Type, x.Mandatory = a.ValueType, mandatory
	if a.OptionSet != nil {
		x.Options = t.options(a.OptionSet.ID)
	}
	return x
}

// options lists the options of a set, in their order.
func (t *tree) options(uid string) []console.Object {
	set := t.index.OptionSetByID(uid)
	if set == nil {
		return nil
	}
	out := make([]console.Object, 0, len(set.Options))
	for _, o := range set.Options {
		out = append(out, t.object(o.Named, "option"))
	}
	return out
}
