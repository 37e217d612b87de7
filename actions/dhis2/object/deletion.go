package object

import (
	"maps"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// Deletion deletes a person, enrollment, event or relationship.
type Deletion struct {
	*Template
	What         string // tracked_entity, enrollment, event, relationship
	Target       identity.Endpoint
	Relationship *Relationship
}

// Describe gives the object by the names that the rule uses.
func (o *Deletion) Describe() map[string]any {
	m := map[string]any{"delete": o.What}
	if o.Relationship != nil {
		maps.Copy(m, o.Relationship.Describe())
		return m
	}
	maps.Copy(m, describeEndpoint(&o.Target))
	return m
}

// Phase implements Write.
func (*Deletion) Phase() Phase { return PhaseDelete }

// Mode implements Write.
func (*Deletion) Mode() Mode { return Remove }

// Refs implements Write.
func (o *Deletion) Refs() identity.Refs {
	if o.Relationship != nil {
		return o.Relationship.Refs()
	}
	return identity.Of(&o.Target)
}

// Key implements Write.
func (o *Deletion) Key(r Resolver) client.ObjectKey {
	switch {
	case o.Relationship != nil:
		return o.Relationship.Key(r)
	case o.Target.Event != nil:
		return eventKey(o.Target.Event, r)
	case o.Target.Enrollment != nil:
		return client.ObjectKey{Type: client.TypeEnrollment, UID: r.EnrollmentUID(o.Target.Enrollment)}
	}
	return client.ObjectKey{Type: client.TypeTrackedEntity, UID: r.PersonUID(o.Target.Person)}
}

// Digest implements Write.
func (*Deletion) Digest([]string) uint64 { return 0 }

// AddTo implements Write.
func (*Deletion) AddTo(p *client.TrackerPayload, c Current) {
	switch k := c.Key; k.Type {
	case client.TypeTrackedEntity:
		p.TrackedEntities = append(p.TrackedEntities, client.TrackedEntity{TrackedEntity: k.UID})
	case client.TypeEnrollment:
		p.Enrollments = append(p.Enrollments, client.Enrollment{Enrollment: k.UID})
	case client.TypeEvent:
		p.Events = append(p.Events, client.Event{Event: k.UID})
	case client.TypeRelationship:
		p.Relationships = append(p.Relationships, client.Relationship{Relationship: k.UID})
	}
}

// Effect implements Write.
func (*Deletion) Effect() string { return "deleted" }
