// Package dhis2 is what rules do with DHIS2: it checks actions against a snapshot of a server's
// metadata and turns records into writes (compile), knows what is written (object) and to which
// objects (identity), and delivers the writes of many records in bulk (deliver). What the rest of
// Culvert needs of it is here.
package dhis2

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/asked"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/compile"
	"github.com/culvert/culvert/actions/dhis2/deliver"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// Kinds gives the action kinds, which check and compile against one snapshot. With a nil index
// every action has the finding no-snapshot.
func Kinds(x *metadata.Index, o actions.Options) []actions.Kind { return compile.Kinds(x, o) }

// Asked compiles lookups in what the server holds, which are asked for while records are evaluated.
func Asked(x *metadata.Index) rules.AskedKind { return asked.Kind(x) }

// Options are what a target needs besides the server.
type Options = deliver.Options

// ImportOptions make tracker imports faster and give up checks; off unless asked for.
type ImportOptions = object.ImportOptions

// Server is what a target asks of a DHIS2 server. *client.Client implements it.
type Server = deliver.Server

// NewTarget gives the target that delivers to a server. x gives the metadata of its last sync, for
// the names in outcomes; m is what the journal remembers of the server.
func NewTarget(s Server, x func() *metadata.Index, m actions.Memory, o Options) actions.Target {
	return deliver.NewTarget(s, x, m, o)
}

// Preview is what a delivery would do, were it the first of all.
type Preview = deliver.Preview

// PreviewedWrite is one write of a Preview.
type PreviewedWrite = deliver.PreviewedWrite

// PreviewedRequest is one request of a Preview.
type PreviewedRequest = client.Sent

// PreviewPlan plays a plan's delivery against a server that holds nothing and notes its requests. No request is made.
func PreviewPlan(ctx context.Context, plan actions.Plan, x *metadata.Index, o Options) (*Preview, error) {
	return deliver.PreviewPlan(ctx, plan, x, o)
}

// PersonType is the type under which the journal keeps who an external id of a namespace stands for.
func PersonType(trackedEntityType, namespace string) string {
	return identity.PersonType(trackedEntityType, namespace)
}

// TypeOfPerson parts what PersonType joins. The namespace of the project is empty.
func TypeOfPerson(typ string) (trackedEntityType, namespace string) {
	return identity.TypeOfPerson(typ)
}

// PersonUID derives the uid of the person that an external id of a namespace stands for; typ is what PersonType gives.
func PersonUID(project, typ, externalID string, generation int) string {
	return identity.PersonUID(project, typ, externalID, generation)
}

// IsUID tells whether a text has the form of a DHIS2 uid.
func IsUID(s string) bool { return identity.IsUID(s) }
