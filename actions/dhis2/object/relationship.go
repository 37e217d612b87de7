package object

import (
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// Relationship links two objects.
type Relationship struct {
	*Template
	Type     string
	From, To identity.Endpoint
}

// Describe gives the object by the names that the rule uses.
func (o *Relationship) Describe() map[string]any {
	return map[string]any{"relationship": o.Called, "from": describeEndpoint(&o.From), "to": describeEndpoint(&o.To)}
}

func describeEndpoint(e *identity.Endpoint) map[string]any {
	m := map[string]any{}
	switch {
	case e.Event != nil:
		m["event"] = e.Event.Name
		if e.Event.Enrollment != nil {
			m["external_id"] = e.Event.Enrollment.Person.Key.ExternalID
		}
		put(m, "event_id", e.Event.ID)
	case e.Enrollment != nil:
		m["enrollment"], m["external_id"] = e.Enrollment.Name, e.Enrollment.Person.Key.ExternalID
	default:
		m["external_id"] = e.Person.Key.ExternalID
	}
	return m
}

// Mode implements Write.
func (*Relationship) Mode() Mode { return Link }

// Refs implements Write.
func (o *Relationship) Refs() identity.Refs { return identity.Of(&o.From).And(identity.Of(&o.To)) }

// Key implements Write.
func (o *Relationship) Key(r Resolver) client.ObjectKey {
	return client.ObjectKey{Type: client.TypeRelationship, UID: r.RelationshipUID(o.Type, &o.From, &o.To)}
}

// Parents are both ends.
func (o *Relationship) Parents(r Resolver) []string {
	return []string{r.EndpointUID(&o.From), r.EndpointUID(&o.To)}
}

// Digest is of the ends alone.
func (o *Relationship) Digest(parents []string) uint64 { return newDigest(parents).sum() }

// AddTo implements Write.
func (o *Relationship) AddTo(p *client.TrackerPayload, c Current) {
	p.Relationships = append(p.Relationships, client.Relationship{
		Relationship: c.Key.UID, RelationshipType: o.Type, From: relationshipItem(&o.From, c), To: relationshipItem(&o.To, c),
	})
}

func relationshipItem(e *identity.Endpoint, r Resolver) client.RelationshipItem {
	switch uid := r.EndpointUID(e); {
	case e.Event != nil:
		return client.RelationshipItem{Event: uid}
	case e.Enrollment != nil:
		return client.RelationshipItem{Enrollment: uid}
	default:
		return client.RelationshipItem{TrackedEntity: uid}
	}
}

// Regenerate implements Recoverable.
func (o *Relationship) Regenerate(code string, g Generations, writes func(string) bool) bool {
	if code == "E4017" {
		g.Relationship(o.Type, &o.From, &o.To)
		return true
	}
	return regeneratePerson(code, o.Refs(), g, writes)
}

// Effect implements Write.
func (*Relationship) Effect() string { return "created, unless it is there" }
