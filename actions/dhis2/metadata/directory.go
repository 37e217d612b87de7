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
	sources map[string]source
	objects map[string][]atomic.Pointer[rules.Object] // by collection and position

	attributesOnce sync.Once
	attributeName  map[string]string             // uid of a metadata attribute -> its name
	byAttribute    map[string]map[string][]int32 // attribute's name -> value -> positions of org units
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
	d := &directory{x: x, sources: map[string]source{}, objects: map[string][]atomic.Pointer[rules.Object]{}}
	d.add(OrgUnits, anySource[OrgUnit]{x.orgUnits})
	d.add(DataElements, anySource[DataElement]{x.elements})
	d.add(TrackedEntityAttributes, anySource[TrackedEntityAttribute]{x.attributes})
	d.add(Programs, anySource[Program]{x.programs})
	d.add(TrackedEntityTypes, anySource[TrackedEntityType]{x.types})
	d.add(DataSets, anySource[DataSet]{x.dataSets})
	d.add(OptionSets, anySource[OptionSet]{x.optionSets})
	d.add(CategoryCombos, anySource[CategoryCombo]{x.combos})
	d.add(CategoryOptionCombos, anySource[CategoryOptionCombo]{x.optionCombos})
	d.add(Categories, anySource[Category]{x.categories})
	d.add(CategoryOptions, anySource[CategoryOption]{x.options})
	d.add(RelationshipTypes, anySource[RelationshipType]{x.relationships})
	d.add(Attributes, anySource[Attribute]{x.metaAttrs})
	return d
}

func (d *directory) add(name string, s source) {
	d.names = append(d.names, name)
	d.sources[name] = s
	d.objects[name] = make([]atomic.Pointer[rules.Object], s.size())
}

// Collections lists what lookups may search.
func (d *directory) Collections() []string { return slices.Clone(d.names) }

// Fields lists what a collection can be searched by: id, code, name, and for org units the short
// name and the metadata attributes.
func (d *directory) Fields(collection string) []string {
	if _, ok := d.sources[collection]; !ok {
		return nil
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
	s, ok := d.sources[collection]
	if !ok || value == "" {
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
		if collection == OrgUnits {
			d.attributes()
			fit = d.byAttribute[field][value]
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
	s, ok := d.sources[collection]
	if !ok {
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
		if collection == OrgUnits {
			d.attributes()
			for value := range d.byAttribute[field] {
				names = append(names, value)
			}
			slices.Sort(names)
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
	slot := &d.objects[collection][i]
	if o := slot.Load(); o != nil {
		return o
	}
	n := d.sources[collection].at(i)
	o := &rules.Object{ID: n.ID, Code: n.Code, Name: n.Name}
	if collection == OrgUnits {
		d.fillOrgUnit(o, &d.x.Snapshot.OrgUnits[i])
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
}
