package weblink

import (
	"context"
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// Kinds of objects, in words.
const (
	KindPerson       = "tracked entity"
	KindEnrollment   = "enrollment"
	KindEvent        = "event"
	KindRelationship = "relationship"
	KindOrgUnit      = "org unit"
	KindValue        = "data value"
)

// kinds are the types of objects under which the journal keeps what was delivered.
var kinds = []struct{ typ, kind string }{
	{client.TypeTrackedEntity, KindPerson}, {client.TypeEnrollment, KindEnrollment}, {client.TypeEvent, KindEvent},
	{client.TypeRelationship, KindRelationship}, {"ORG_UNIT", KindOrgUnit},
}

// Object is an object that a record wrote.
type Object struct {
	ID   string // its uid, or what identifies a data value
	Kind string // in words; empty where it is not known
	Name string // of a data value and an org unit, as DHIS2 calls it
	URL  string // where people look at it; empty where there is no such page
}

// Written is what a record wrote.
type Written struct {
	Objects  []string        // as its outcomes name them
	OrgUnits []string        // that it is about
	Uses     map[string]bool // uids of the metadata that its rule uses
}

// Digests gives what was delivered of objects, by their names in the journal.
type Digests func(ctx context.Context, names []string) (map[string]actions.Digest, error)

// Objects tells of the objects of a record what they are, and where people look at them.
func (s Site) Objects(ctx context.Context, digests Digests, w Written) ([]Object, error) {
	if len(w.Objects) == 0 {
		return nil, nil
	}
	var names []string
	for _, id := range w.Objects {
		for _, k := range kinds {
			key := client.ObjectKey{Type: k.typ, UID: id}
			names = append(names, key.String(), object.StatusName(key))
		}
	}
	known, err := digests(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("look up what was delivered: %w", err)
	}
	list := make([]Object, len(w.Objects))
	for i, id := range w.Objects {
		list[i] = Object{ID: id, Kind: kindIn(known, id)}
	}
	for i := range list {
		s.link(&list[i], list, w)
	}
	return list, nil
}

func kindIn(known map[string]actions.Digest, id string) string {
	for _, k := range kinds {
		key := client.ObjectKey{Type: k.typ, UID: id}
		for _, name := range []string{key.String(), object.StatusName(key)} {
			if _, ok := known[name]; ok {
				return k.kind
			}
		}
	}
	return ""
}

// link completes what is known of one of the objects of a record.
func (s Site) link(o *Object, all []Object, w Written) {
	orgUnit := ""
	if len(w.OrgUnits) == 1 {
		orgUnit = w.OrgUnits[0]
	}
	tracker, single := s.programs(w.Uses)
	program := ""
	if len(tracker) == 1 {
		program = tracker[0]
	}
	switch o.Kind {
	case KindPerson:
		o.URL = s.Person(o.ID, program, orgUnit)
	case KindEnrollment:
		o.URL = s.Enrollment(o.ID, only(all, KindPerson), program, orgUnit)
	case KindEvent:
		switch {
		case len(tracker) == 0 && single > 0:
			o.URL = s.SingleEvent(o.ID)
		case len(tracker) > 0 && single == 0:
			o.URL = s.Event(o.ID, orgUnit)
		}
	case KindOrgUnit, "":
		s.linkOther(o, w)
	}
}

// linkOther completes what is no object of a tracker import.
func (s Site) linkOther(o *Object, w Written) {
	if c, ok := object.ParseCell(o.ID); ok {
		o.Kind = KindValue
		if s.Index == nil {
			return
		}
		if e := s.Index.DataElementByID(c.DataElement); e != nil {
			o.Name = e.Name
		}
		if set := s.dataSet(c, w.Uses); set != "" {
			o.URL = s.DataSet(set, c.OrgUnit, c.Period, c.AttributeOptionCombo)
		}
		return
	}
	if s.Index != nil {
		if u := s.Index.OrgUnitByID(o.ID); u != nil {
			o.Kind, o.Name = KindOrgUnit, u.Name
		}
	}
	if o.Kind == KindOrgUnit {
		o.URL = s.OrgUnit(o.ID)
	}
}

// only gives the one object of a kind; "" where there is none, or several.
func only(all []Object, kind string) (id string) {
	for _, o := range all {
		if o.Kind != kind || o.ID == id {
			continue
		}
		if id != "" {
			return ""
		}
		id = o.ID
	}
	return id
}

// programs gives the programs with registration among the metadata that a rule uses, and counts those without.
func (s Site) programs(uses map[string]bool) (tracker []string, single int) {
	if s.Index == nil {
		return nil, 0
	}
	for id := range uses {
		switch p := s.Index.ProgramByID(id); {
		case p == nil:
		case p.Type == metadata.WithoutRegistration:
			single++
		default:
			tracker = append(tracker, id)
		}
	}
	return tracker, single
}

// dataSet gives the data set that a value is entered in: one that the rule uses before any other.
func (s Site) dataSet(c object.Cell, uses map[string]bool) string {
	found := ""
	for i := range s.Index.Snapshot.DataSets {
		d := &s.Index.Snapshot.DataSets[i]
		holds := slices.ContainsFunc(d.Elements, func(e metadata.DataSetElement) bool {
			return e.DataElement.ID == c.DataElement
		})
		switch {
		case !holds || !s.Index.DataSetHasOrgUnit(d.ID, c.OrgUnit):
		case uses[d.ID]:
			return d.ID
		case found == "":
			found = d.ID
		}
	}
	return found
}
