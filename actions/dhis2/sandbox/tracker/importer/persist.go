package importer

import (
	"maps"
	"time"
)

// accepted are the objects of a bundle that can be written.
type accepted struct {
	entities      []*entityIn
	enrollments   []*enrollmentIn
	events        []*eventIn
	relationships []*relationshipIn
}

// everything is a bundle before anything was left out of it.
func (b *Bundle) everything() *accepted {
	return &accepted{b.entities, b.enrollments, b.events, b.relationships}
}

func (a *accepted) size() int {
	return len(a.entities) + len(a.enrollments) + len(a.events) + len(a.relationships)
}

// persistable picks the objects that can be written, and tells valid children of parents with
// errors that they cannot be either. A child of such a child is left out without a word (DHIS2
// PersistablesFilter).
func (im *importer) persistable(from *accepted) *accepted {
	if im.skipsValidation() {
		return from
	}
	out := &accepted{}
	if im.params.Strategy == "DELETE" {
		for _, t := range from.entities {
			if !im.r.isInvalid(trackedEntityKind, t.uid) {
				out.entities = append(out.entities, t)
			}
		}
		for _, e := range from.enrollments {
			if !im.r.isInvalid(enrollmentKind, e.uid) {
				out.enrollments = append(out.enrollments, e)
			}
		}
		for _, e := range from.events {
			if !im.r.isInvalid(eventKind, e.uid) {
				out.events = append(out.events, e)
			}
		}
		for _, r := range from.relationships {
			if !im.r.isInvalid(relationshipKind, r.uid) {
				out.relationships = append(out.relationships, r)
			}
		}
		return out
	}
	failFast := im.r.failFast
	if failFast && len(im.r.errors) > 0 {
		im.parentless(from)
	}
	im.r.failFast, im.r.stopped = false, false // what follows is no validation any more
	defer func() { im.r.failFast = failFast }()
	f := filter{im: im, marked: map[[2]string]bool{}, invalid: maps.Clone(im.r.invalid)}
	for _, t := range from.entities {
		if !im.r.isInvalid(trackedEntityKind, t.uid) {
			f.marked[[2]string{trackedEntityKind, t.uid}] = true
			out.entities = append(out.entities, t)
		}
	}
	for _, e := range from.enrollments {
		if f.under(enrollmentKind, e.uid, parent{trackedEntityKind, e.entity}) {
			out.enrollments = append(out.enrollments, e)
		}
	}
	for _, e := range from.events {
		var parents []parent
		if e.tracker {
			parents = []parent{{enrollmentKind, e.enrollment}}
		}
		if f.under(eventKind, e.uid, parents...) {
			out.events = append(out.events, e)
		}
	}
	for _, r := range from.relationships {
		var parents []parent
		if r.from != nil && r.to != nil {
			parents = []parent{{itemKind(r.from), r.from.UID()}, {itemKind(r.to), r.to.UID()}}
		}
		if f.under(relationshipKind, r.uid, parents...) {
			out.relationships = append(out.relationships, r)
		}
	}
	return out
}

// parentless: where validation ended at its first error, what nobody validated may name no parent,
// which a server fails to look for.
func (im *importer) parentless(from *accepted) {
	for _, e := range from.enrollments {
		if e.entity == "" && !im.r.isInvalid(enrollmentKind, e.uid) {
			im.crash("trackedEntity is marked non-null but is null")
		}
	}
	for _, e := range from.events {
		if e.enrollment == "" && (e.tracker || im.version <= 42 && e.lent == "") && !im.r.isInvalid(eventKind, e.uid) {
			im.crash("enrollment is marked non-null but is null")
		}
	}
}

type parent struct{ kind, uid string }

// filter knows what can be written so far, and what validation found invalid.
type filter struct {
	im              *importer
	marked, invalid map[[2]string]bool
}

func (f *filter) under(kind, uid string, parents ...parent) bool {
	if f.invalid[[2]string{kind, uid}] {
		return false
	}
	ok := true
	for _, p := range parents {
		if !f.marked[[2]string{p.kind, p.uid}] && !f.im.stored(p) {
			ok = false
		}
	}
	if ok {
		f.marked[[2]string{kind, uid}] = true
		return true
	}
	for _, p := range parents {
		if f.invalid[[2]string{p.kind, p.uid}] {
			f.im.r.about(kind, uid).error("E5000", kindName[kind], uid, kindName[p.kind], p.uid)
		}
	}
	return false
}

func (im *importer) stored(p parent) bool {
	switch p.kind {
	case trackedEntityKind:
		return im.st.Entities[p.uid] != nil
	case enrollmentKind:
		return im.st.Enrollments[p.uid] != nil
	}
	return im.st.Events[p.uid] != nil
}

// persist writes what was accepted.
func (im *importer) persist(a *accepted) map[string]*typeReport {
	types := newTypeReports()
	now := im.srv.Now().UTC().Truncate(time.Millisecond)
	if im.params.Strategy == "DELETE" {
		im.delete(a, types)
		return types
	}
	for _, t := range a.entities {
		im.wrote(types, trackedEntityKind, t.uid, t.strategy, im.writeEntity(t, now))
	}
	for _, e := range a.enrollments {
		im.wrote(types, enrollmentKind, e.uid, e.strategy, im.writeEnrollment(e, now))
	}
	for _, e := range a.events {
		im.wrote(types, eventKind, e.uid, e.strategy, im.writeEvent(e, now))
	}
	for _, r := range a.relationships {
		if r.strategy != create { // relationships are never updated
			types[relationshipKind].Stats.Ignored++
			continue
		}
		im.writeRelationship(r, now)
		im.wrote(types, relationshipKind, r.uid, r.strategy, true)
	}
	return types
}

// wrote counts an object. Up to 2.41 what counts is whether it was there when it was written, after
// that what was decided at first.
func (im *importer) wrote(types map[string]*typeReport, kind, uid string, what strategy, isNew bool) {
	t := types[kind]
	if im.version > 41 {
		isNew = what == create
	}
	if isNew {
		t.Stats.Created++
	} else {
		t.Stats.Updated++
	}
	im.listed(t, uid)
}

func (im *importer) listed(t *typeReport, uid string) {
	o := objectReport{Kind: t.Kind, UID: uid, Errors: []any{}}
	if im.version <= 40 {
		o.Index = new(int)
	}
	t.Objects = append(t.Objects, o)
}

func (im *importer) delete(a *accepted, types map[string]*typeReport) {
	by := im.user.Username
	count := func(kind, uid string) {
		types[kind].Stats.Deleted++
		im.listed(types[kind], uid)
	}
	for _, r := range a.relationships {
		im.st.DeleteRelationship(r.old, by)
		count(relationshipKind, r.uid)
	}
	for _, e := range a.events {
		im.st.DeleteEvent(e.old, by)
		count(eventKind, e.uid)
	}
	for _, e := range a.enrollments {
		im.st.DeleteEnrollment(e.old, by)
		count(enrollmentKind, e.uid)
	}
	for _, t := range a.entities {
		im.st.DeleteEntity(t.old, by)
		count(trackedEntityKind, t.uid)
	}
}
