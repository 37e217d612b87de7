package metadata

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fetchMissingReferences reads again what objects point to and was not there when its collection
// was read: somebody added it between two collections. What stays missing is not for this user's
// eyes, which rules will stumble over: it is told.
func (r *reading) fetchMissingReferences(ctx context.Context) error {
	missing := dangling(r.fresh)
	for _, c := range collections() {
		if len(missing[c.title()]) == 0 {
			continue
		}
		if err := r.patiently(ctx, c.title(), func() error { return r.readWhole(ctx, c) }); err != nil {
			return fmt.Errorf("reading %s: %w", c.title(), err)
		}
	}
	missing = dangling(r.fresh)
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		users := missing[name]
		r.warn("%d of the %s that others refer to cannot be read (by %s): the user may lack the right to see them",
			len(users), name,
			strings.Join(examples(users), ", "))
	}
	return nil
}

// examples names some of those who refer to something missing.
func examples(users map[string]string) []string {
	names := slices.Compact(slices.Sorted(maps.Values(users)))
	if len(names) > 3 {
		names = append(names[:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return names
}

// dangling gives, by collection, the uids that objects refer to and that the snapshot does not
// hold, with the name of one that does.
func dangling(s *Snapshot) map[string]map[string]string {
	have := map[string]map[string]bool{}
	for _, c := range collections() {
		have[c.title()] = c.ids(s)
	}
	missing := map[string]map[string]string{}
	need := func(collection, id, by string) {
		if id == "" || have[collection][id] {
			return
		}
		if missing[collection] == nil {
			missing[collection] = map[string]string{}
		}
		missing[collection][id] = by
	}
	for _, p := range s.Programs {
		by := "program " + p.Name
		need(TrackedEntityTypes, idOf(p.TrackedEntityType), by)
		need(CategoryCombos, idOf(p.CategoryCombo), by)
		for _, a := range p.Attributes {
			need(TrackedEntityAttributes, a.Attribute.ID, by)
		}
		for _, st := range p.Stages {
			for _, e := range st.DataElements {
				need(DataElements, e.DataElement.ID, by)
			}
		}
	}
	for _, t := range s.TrackedEntityTypes {
		for _, a := range t.Attributes {
			need(TrackedEntityAttributes, a.Attribute.ID, "tracked entity type "+t.Name)
		}
	}
	for _, a := range s.TrackedEntityAttributes {
		need(OptionSets, idOf(a.OptionSet), "attribute "+a.Name)
	}
	for _, d := range s.DataSets {
		by := "data set " + d.Name
		need(CategoryCombos, idOf(d.CategoryCombo), by)
		for _, e := range d.Elements {
			need(DataElements, e.DataElement.ID, by)
			need(CategoryCombos, idOf(e.CategoryCombo), by)
		}
	}
	for _, e := range s.DataElements {
		need(OptionSets, idOf(e.OptionSet), "data element "+e.Name)
		need(CategoryCombos, idOf(e.CategoryCombo), "data element "+e.Name)
	}
	for _, c := range s.CategoryCombos {
		for _, ref := range c.Categories {
			need(Categories, ref.ID, "category combo "+c.Name)
		}
	}
	for _, c := range s.Categories {
		for _, ref := range c.Options {
			need(CategoryOptions, ref.ID, "category "+c.Name)
		}
	}
	return missing
}
