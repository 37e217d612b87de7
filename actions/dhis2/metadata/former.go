package metadata

import (
	"slices"
	"sync"
)

// maxFormer bounds what is kept of each object's past.
const maxFormer = 10

// former finds objects by what they were called before.
type former struct {
	list  []FormerNames
	once  sync.Once
	names map[[2]string][]string // collection and name -> uids
	codes map[[2]string][]string
}

func newFormer(list []FormerNames) *former { return &former{list: list} }

func (f *former) prepare() {
	f.once.Do(func() {
		f.names, f.codes = map[[2]string][]string{}, map[[2]string][]string{}
		for _, o := range f.list {
			for _, n := range o.Names {
				f.names[[2]string{o.Collection, n}] = append(f.names[[2]string{o.Collection, n}], o.ID)
			}
			for _, c := range o.Codes {
				f.codes[[2]string{o.Collection, c}] = append(f.codes[[2]string{o.Collection, c}], o.ID)
			}
		}
	})
}

// called gives the uids of the objects that had the name or code.
func (f *former) called(collection, ref string) []string {
	if f == nil || len(f.list) == 0 {
		return nil
	}
	f.prepare()
	key := [2]string{collection, ref}
	ids := slices.Concat(f.names[key], f.codes[key])
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (f *former) renamed(x *Index, collection, ref string) (uid, now string, ok bool) {
	ids := f.called(collection, ref)
	if x.has(collection, ref) {
		return "", "", false
	}
	var found *Named
	for _, id := range ids {
		if n := x.named(collection, id); n != nil {
			if found != nil {
				return "", "", false
			}
			found = n
		}
	}
	if found == nil {
		return "", "", false
	}
	if slices.Contains(f.codes[[2]string{collection, ref}], found.ID) && found.Code != "" {
		return found.ID, found.Code, true
	}
	return found.ID, found.Name, true
}

// named gives an object of any collection by its uid; nil when there is none.
func (x *Index) named(collection, id string) *Named {
	switch collection {
	case ProgramStages:
		if s := x.stages[id].stage; s != nil {
			return &s.Named
		}
	case OptionsInSets:
		return x.optionByID(id)
	default:
		if source := x.directory.source(collection); source != nil {
			return source.byID(id)
		}
	}
	return nil
}

// has tells whether an object of a collection goes by a uid, code or name today.
func (x *Index) has(collection, ref string) bool {
	if x.named(collection, ref) != nil {
		return true
	}
	called := func(n *Named) bool { return n.Name == ref || n.Code == ref }
	switch collection {
	case ProgramStages:
		for _, s := range x.stages {
			if called(&s.stage.Named) {
				return true
			}
		}
	case OptionsInSets:
		for i := range x.Snapshot.OptionSets {
			if slices.ContainsFunc(x.Snapshot.OptionSets[i].Options, func(o Option) bool { return called(&o.Named) }) {
				return true
			}
		}
	default:
		if source := x.directory.source(collection); source != nil {
			return len(source.byCode(ref)) > 0 || len(source.byName(ref)) > 0
		}
	}
	return false
}

// remember adds to the former names of a snapshot what objects of the older one were called
// differently, and forgets objects that are gone. The newer snapshot must be arranged.
func remember(old, fresh *Snapshot) []FormerNames {
	kept := map[string]FormerNames{}
	for _, f := range old.Former {
		kept[f.ID] = f
	}
	was := everything(old)
	var list []FormerNames
	for o := range everyObject(fresh) {
		f := kept[o.named.ID]
		f.ID, f.Collection = o.named.ID, o.collection
		f.Names, f.Codes = slices.Clone(f.Names), slices.Clone(f.Codes)
		if before, ok := was[o.named.ID]; ok {
			f.Names = push(f.Names, before.named.Name, o.named.Name)
			f.Codes = push(f.Codes, before.named.Code, o.named.Code)
		}
		if len(f.Names)+len(f.Codes) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// push puts what was on top of a list of former names when it is not what is now; a name taken up
// again leaves the list.
func push(list []string, was, now string) []string {
	list = slices.DeleteFunc(list, func(s string) bool { return s == now || s == was && was != now })
	if was == "" || was == now {
		return list
	}
	list = append([]string{was}, list...)
	return list[:min(len(list), maxFormer)]
}

// NameOf gives the name of whatever has the uid, be it an org unit, a data element, a program, a
// stage or another thing that the snapshot holds; "" when nothing has.
func (x *Index) NameOf(uid string) string {
	if s := x.stages[uid].stage; s != nil {
		return called(&s.Named)
	}
	for _, collection := range x.directory.names {
		if n := x.named(collection, uid); n != nil {
			return called(n)
		}
	}
	return ""
}

// Find gives whatever has the uid with its collection, and what it lies in, nil for nothing.
func (x *Index) Find(uid string) (collection string, found, in *Named) {
	if stage, program := x.StageByID(uid); stage != nil {
		return ProgramStages, &stage.Named, &program.Named
	}
	for _, name := range x.directory.names {
		if n := x.named(name, uid); n != nil {
			if o := x.directory.objectOf(name, uid); o != nil && o.Parent != nil {
				in = &Named{ID: o.Parent.ID, Name: o.Parent.Name}
			}
			return name, n, in
		}
	}
	return "", nil, nil
}
