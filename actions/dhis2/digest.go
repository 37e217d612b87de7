package dhis2

import (
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// digest is FNV-1a over the parts of an object, each preceded by its length so that no two lists of parts look alike.
type digest uint64

const (
	fnvOffset digest = 14695981039346656037
	fnvPrime  digest = 1099511628211
)

func (h *digest) text(s string) {
	n := len(s)
	for range 4 {
		*h = (*h ^ digest(byte(n))) * fnvPrime
		n >>= 8
	}
	for i := range len(s) {
		*h = (*h ^ digest(s[i])) * fnvPrime
	}
}

func (h *digest) flag(b bool) { h.text(strconv.FormatBool(b)) }

func (h *digest) attributes(list []client.AttributeValue) {
	h.text(strconv.Itoa(len(list)))
	for _, v := range list {
		h.text(v.Attribute)
		h.text(v.Value)
	}
}

func (h *digest) notes(list []client.Note) {
	h.text(strconv.Itoa(len(list)))
	for _, n := range list {
		h.text(n.Value)
	}
}

// sumOf is the fingerprint of an object as the rule asks for it: 0 for one that is to be deleted, and only for that.
func sumOf(o actions.Object, parents []string) uint64 {
	h := fnvOffset
	if _, gone := o.(*deletion); gone {
		return 0
	}
	for _, uid := range parents {
		h.text(uid)
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		if o.orgUnit != nil {
			h.text(o.orgUnit.ID)
		}
		h.text(string(o.geometry))
		h.attributes(o.values)
	case *enrollmentWrite:
		h.enrollment(&o.body, o.followUp)
	case *eventWrite:
		h.event(&o.body)
	case *statusWrite:
		h.text(o.status)
		h.text(o.completedAt)
	case *dataValueWrite:
		h.text(o.value)
		h.text(o.comment)
		h.flag(o.remove)
	case *completionWrite:
		h.text(o.completion.Date)
		h.flag(o.completion.Undo)
	}
	// The journal keeps 32 bits.
	short := uint64(uint32(h ^ h>>32))
	if short == 0 {
		short = 1
	}
	return short
}

func (h *digest) enrollment(b *client.Enrollment, followUp bool) {
	for _, s := range []string{b.OrgUnit, b.Status, b.EnrolledAt, b.OccurredAt, b.CompletedAt, b.AttributeOptionCombo, string(b.Geometry)} {
		h.text(s)
	}
	h.flag(followUp)
	h.flag(b.FollowUp)
	h.attributes(b.Attributes)
	h.notes(b.Notes)
}

func (h *digest) event(b *client.Event) {
	for _, s := range []string{b.OrgUnit, b.Status, b.OccurredAt, b.ScheduledAt, b.CompletedAt, b.AttributeOptionCombo, string(b.Geometry)} {
		h.text(s)
	}
	h.flag(false) // twice what sums of earlier journals are of: they would tell of changes otherwise
	h.flag(false)
	if b.AssignedUser != nil {
		h.text(b.AssignedUser.UID)
		h.text(b.AssignedUser.Username)
	}
	h.text(strconv.Itoa(len(b.DataValues)))
	for _, v := range b.DataValues {
		h.text(v.DataElement)
		h.text(v.Value)
	}
	h.notes(b.Notes)
}
