package metadata

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/culvert/culvert/rules"
)

// Directory lets the lookups of rules search the snapshot. Objects are made when they are first found, and kept.
func (x *Index) Directory() rules.Directory { return x.directory }

// directory implements rules.Directory.
type directory struct {
	x       *Index
	names   []string // of the collections, in the order of the docs
	entries map[string]*entry

	attributesOnce sync.Once
	attributeName  map[string]string             // uid of a metadata attribute -> its name
	byAttribute    map[string]map[string][]int32 // attribute's name -> value -> positions of org units

	groupsOnce sync.Once
	groupsOf   map[string][]int32 // uid of an org unit -> positions of its groups
}

// entry is one collection. Finders of what lies inside other objects are made when they are first needed.
type entry struct {
	once    sync.Once
	make    func() source
	source  source
	objects []atomic.Pointer[rules.Object] // by position
}

func (e *entry) ready() *entry {
	e.once.Do(func() {
		e.source = e.make()
		e.objects = make([]atomic.Pointer[rules.Object], e.source.size())
	})
	return e
}

// source is a finder of any type.
type source interface {
	size() int
	at(i int32) *Named
	position(id string) (int32, bool)
	byID(id string) *Named
	byCode(code string) []int32
	byName(name string) []int32
	likeSpelled(ref string) []int32
}

// anySource hides a finder's type.
type anySource[T any] struct{ *finder[T] }

func (s anySource[T]) size() int         { return len(s.items) }
func (s anySource[T]) at(i int32) *Named { return s.named(&s.items[i]) }
func (s anySource[T]) position(id string) (int32, bool) {
	i, ok := s.ids[id]
	return i, ok
}
func (s anySource[T]) byID(id string) *Named {
	if o := s.finder.byID(id); o != nil {
		return s.named(o)
	}
	return nil
}

func newDirectory(x *Index) *directory {
	d := &directory{x: x, entries: map[string]*entry{}}
	add(d, OrgUnits, x.orgUnits)
	add(d, OrgUnitGroups, x.groups)
	add(d, DataElements, x.elements)
	add(d, TrackedEntityAttributes, x.attributes)
	add(d, Programs, x.programs)
	d.addLater(ProgramStages, func() source {
		var all []ProgramStage
		for i := range x.Snapshot.Programs {
			all = append(all, x.Snapshot.Programs[i].Stages...)
		}
		return anySource[ProgramStage]{newFinder(ProgramStages, all, func(o *ProgramStage) *Named { return &o.Named })}
	})
	add(d, TrackedEntityTypes, x.types)
	add(d, DataSets, x.dataSets)
	add(d, OptionSets, x.optionSets)
	d.addLater(OptionsInSets, func() source {
		var all []optionOf
		for i := range x.Snapshot.OptionSets {
			set := &x.Snapshot.OptionSets[i]
			for j := range set.Options {
				all = append(all, optionOf{&set.Options[j], set})
			}
		}
		return anySource[optionOf]{newFinder(OptionsInSets, all, func(o *optionOf) *Named { return &o.option.Named })}
	})
	add(d, CategoryCombos, x.combos)
	add(d, CategoryOptionCombos, x.optionCombos)
	add(d, Categories, x.categories)
	add(d, CategoryOptions, x.options)
	add(d, RelationshipTypes, x.relationships)
	add(d, Attributes, x.metaAttrs)
	d.addLater(Users, func() source { return newAccounts(x.Snapshot.Users) })
	return d
}

type optionOf struct {
	option *Option
	set    *OptionSet
}

func add[T any](d *directory, name string, f *finder[T]) {
	d.addLater(name, func() source { return anySource[T]{f} })
}

func (d *directory) addLater(name string, make func() source) {
	d.names = append(d.names, name)
	d.entries[name] = &entry{make: make}
}

// source gives the finder of a collection; nil when there is no such collection.
func (d *directory) source(collection string) source {
	if e := d.entries[collection]; e != nil {
		return e.ready().source
	}
	return nil
}

// Collections lists what lookups may search.
func (d *directory) Collections() []string { return slices.Clone(d.names) }

// Fields lists what a collection can be searched by: id, code, name, and for org units the short
// name and the metadata attributes.
func (d *directory) Fields(collection string) []string {
	if d.entries[collection] == nil {
		return nil
	}
	if collection == Users {
		return []string{"username", "id", "name"}
	}
	fields := []string{"id", "code", "name"}
	if collection != OrgUnits {
		return fields
	}
	fields = append(fields, "shortName")
	for i := range d.x.Snapshot.Attributes {
		if a := &d.x.Snapshot.Attributes[i]; a.OrgUnit && !slices.Contains(fields, a.Name) {
			fields = append(fields, a.Name)
		}
	}
	return fields
}

// Find gives every object of a collection whose field has the value: exactly, or, where none has,
// a code or name that differs in nothing that is seen, such as a space at its end.
func (d *directory) Find(collection, field, value string) []*rules.Object {
	s := d.source(collection)
	if s == nil || value == "" {
		return nil
	}
	var fit []int32
	switch field {
	case "id":
		if i, ok := s.position(value); ok {
			fit = []int32{i}
		}
	case "code":
		if fit = s.byCode(value); len(fit) == 0 {
			fit = spelledAs(s, value, func(n *Named) string { return n.Code })
		}
	case "name":
		if fit = s.byName(value); len(fit) == 0 {
			fit = spelledAs(s, value, func(n *Named) string { return n.Name })
		}
	default:
		switch collection {
		case OrgUnits:
			d.attributes()
			fit = d.byAttribute[field][value]
		case Users:
			fit = s.(*accounts).byUsername(field, value)
		}
	}
	found := make([]*rules.Object, len(fit))
	for i, at := range fit {
		found[i] = d.object(collection, at)
	}
	return found
}

// spelledAs gives those of which a text is spelled as value is.
func spelledAs(s source, value string, text func(*Named) string) []int32 {
	want := spelled(value)
	return slices.DeleteFunc(s.likeSpelled(value), func(i int32) bool { return spelled(text(s.at(i))) != want })
}

// Names gives the values of a field for suggestions.
func (d *directory) Names(collection, field string) []string {
	s := d.source(collection)
	if s == nil {
		return nil
	}
	var names []string
	switch field {
	case "id", "code", "name":
		for i := range int32(s.size()) {
			n := s.at(i)
			value := map[string]string{"id": n.ID, "code": n.Code, "name": n.Name}[field]
			if value != "" {
				names = append(names, value)
			}
		}
	default:
		switch collection {
		case OrgUnits:
			d.attributes()
			for value := range d.byAttribute[field] {
				names = append(names, value)
			}
			slices.Sort(names)
		case Users:
			names = s.(*accounts).usernames(field)
		}
	}
	return names
}

// attributes builds the maps from values of org units' metadata attributes, when a lookup first asks for one.
func (d *directory) attributes() {
	d.attributesOnce.Do(func() {
		d.attributeName = map[string]string{}
		d.byAttribute = map[string]map[string][]int32{"shortName": {}}
		for i := range d.x.Snapshot.Attributes {
			a := &d.x.Snapshot.Attributes[i]
			d.attributeName[a.ID] = a.Name
			if d.byAttribute[a.Name] == nil {
				d.byAttribute[a.Name] = map[string][]int32{}
			}
		}
		for i := range d.x.Snapshot.OrgUnits {
			o := &d.x.Snapshot.OrgUnits[i]
			if o.ShortName != "" {
				d.byAttribute["shortName"][o.ShortName] = append(d.byAttribute["shortName"][o.ShortName], int32(i))
			}
			for _, v := range o.AttributeValues {
				if values := d.byAttribute[d.attributeName[v.Attribute.ID]]; values != nil {
					values[v.Value] = append(values[v.Value], int32(i))
				}
			}
		}
	})
}

// object gives the object at a position, made once. Two goroutines may make it at the same time: the first one stays.
func (d *directory) object(collection string, i int32) *rules.Object {
	e := d.entries[collection].ready()
	slot := &e.objects[i]
	if o := slot.Load(); o != nil {
		return o
	}
	n := e.source.at(i)
	o := &rules.Object{ID: n.ID, Code: n.Code, Name: n.Name}
	switch collection {
	case OrgUnits:
		d.fillOrgUnit(o, &d.x.Snapshot.OrgUnits[i])
	case ProgramStages:
		o.Parent = d.objectOf(Programs, d.x.stages[n.ID].program.ID)
	case OptionsInSets:
		o.Parent = d.objectOf(OptionSets, e.source.(anySource[optionOf]).items[i].set.ID)
	case CategoryOptionCombos:
		o.Parent = d.objectOf(CategoryCombos, d.x.Snapshot.CategoryOptionCombos[i].CategoryCombo.ID)
	case Users:
		o.Username = d.x.Snapshot.Users[i].Username
	}
	if !slot.CompareAndSwap(nil, o) {
		return slot.Load()
	}
	return o
}

func (d *directory) fillOrgUnit(o *rules.Object, unit *OrgUnit) {
	o.Level = unit.Level
	o.Attributes = map[string]string{}
	d.attributes()
	for _, v := range unit.AttributeValues {
		if name := d.attributeName[v.Attribute.ID]; name != "" {
			o.Attributes[name] = v.Value
		}
	}
	if _, taken := o.Attributes["shortName"]; !taken && unit.ShortName != "" {
		o.Attributes["shortName"] = unit.ShortName
	}
	// The path is made of uids from the top down; it cannot contain a cycle as parents could.
	above, _ := strings.CutSuffix(strings.Trim(unit.Path, "/"), unit.ID)
	for id := range strings.SplitSeq(strings.Trim(above, "/"), "/") {
		i, ok := d.x.orgUnits.ids[id]
		if !ok || !strings.HasPrefix(unit.Path, d.x.Snapshot.OrgUnits[i].Path) ||
			len(d.x.Snapshot.OrgUnits[i].Path) >= len(unit.Path) {
			continue
		}
		o.Ancestors = append(o.Ancestors, d.object(OrgUnits, i))
	}
	if len(o.Ancestors) > 0 {
		o.Parent = o.Ancestors[len(o.Ancestors)-1]
	}
	d.memberships()
	for _, at := range d.groupsOf[unit.ID] {
		o.Groups = append(o.Groups, d.object(OrgUnitGroups, at))
	}
}

// objectOf gives the object with a uid, nil when there is none.
func (d *directory) objectOf(collection, id string) *rules.Object {
	if i, ok := d.source(collection).position(id); ok {
		return d.object(collection, i)
	}
	return nil
}
