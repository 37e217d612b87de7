package object

import (
	"context"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Transfer gives a person's data of a program to another org unit.
type Transfer struct {
	*Template
	Person  *identity.Person
	Program string
	OrgUnit *metadata.OrgUnit // that has them from then on
}

// Describe gives the transfer by the names that the rule uses.
func (o *Transfer) Describe() map[string]any {
	return map[string]any{"transfer": o.Called, "external_id": o.Person.Key.ExternalID, "org_unit": orgUnitName(o.OrgUnit)}
}

// Phase is after the person and the enrollment are written.
func (*Transfer) Phase() Phase { return PhaseTransfer }

// Mode implements Write.
func (*Transfer) Mode() Mode { return Change }

// Refs implements Write.
func (o *Transfer) Refs() identity.Refs { return identity.OfPerson(o.Person) }

// Key names the person in the program. It is no object of a tracker import.
func (o *Transfer) Key(r Resolver) client.ObjectKey {
	return client.ObjectKey{Type: "OWNER", UID: r.PersonUID(o.Person)}
}

// Name implements Write.
func (o *Transfer) Name(k client.ObjectKey) string { return k.String() + "." + o.Program }

// Claims implements Write.
func (o *Transfer) Claims(k client.ObjectKey, _ *metadata.Index) []string { return []string{o.Name(k)} }

// Digest implements Write.
func (o *Transfer) Digest(parents []string) uint64 {
	h := newDigest(parents)
	h.text(o.OrgUnit.ID)
	return h.sum()
}

// Send implements Direct.
func (o *Transfer) Send(ctx context.Context, s Requests, k client.ObjectKey) error {
	return s.Transfer(ctx, client.Transfer{TrackedEntity: k.UID, Program: o.Program, OrgUnit: o.OrgUnit.ID})
}

// Rehearsed implements Direct.
func (*Transfer) Rehearsed() string { return "transfers cannot be rehearsed" }

// Effect implements Write.
func (o *Transfer) Effect() string {
	return "given to " + orgUnitName(o.OrgUnit) + ", unless it has the person already" + o.Person.FoundBy()
}
