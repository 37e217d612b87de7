package deliver

import (
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
)

// allRefused is how many records must be refused one by one, and none taken, for the reason not to
// be in the records: a firewall that lets no import through, a proxy that was set up wrongly.
const allRefused = 5

// refusals are the records of a delivery that the server refused alone for the sake of the request itself.
type refusals struct {
	taken   bool          // some request was answered as DHIS2 does
	items   []*item       // refused
	records int           // how many records they are
	general *client.Error // set when all are refused
}

// refusedAlone notes a record whose request is refused though nothing else is in it.
func (r *refusals) refusedAlone(items []*item, err error) {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Kind != client.Refused || !e.Request || r.taken {
		return
	}
	r.items = append(r.items, items...)
	if r.records++; r.records < allRefused {
		return
	}
	// It is no fault of theirs: they and all others wait, and go through by themselves when it is fixed.
	r.general = e
	for _, i := range r.items {
		i.finish(waitsForRequest(e))
	}
}

// waitsForRequest is the outcome of records that would be refused like all others.
func waitsForRequest(e *client.Error) actions.Outcome {
	o := codes.OfRequest(e)
	o.Status, o.Class = actions.Retry, actions.ClassTransient
	o.Hint = "it is tried again by itself, for nothing that is sent gets through: " + e.Hint
	return o
}
