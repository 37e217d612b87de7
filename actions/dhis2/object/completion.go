package object

import (
	"context"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Completion marks a data set as complete or not.
type Completion struct {
	*Template
	Body     client.Completion
	OrgUnit  *metadata.OrgUnit
	AttCombo string
}

// Describe gives the object by the names that the rule uses.
func (o *Completion) Describe() map[string]any {
	m := map[string]any{"completion": o.Called, "period": o.Body.Period, "org_unit": orgUnitName(o.OrgUnit)}
	put(m, "complete_date", o.Body.Date)
	put(m, "attribute_option_combo", o.AttCombo)
	if o.Body.Undo {
		m["undo"] = true
	}
	return m
}

// Phase implements Write.
func (*Completion) Phase() Phase { return PhaseComplete }

// Name implements Write.
func (o *Completion) Name(client.ObjectKey) string {
	return strings.Join([]string{"COMPLETION:" + o.Body.DataSet, o.Body.Period, o.Body.OrgUnit,
		o.Body.AttributeOptionCombo}, ".")
}

// Digest implements Write.
func (o *Completion) Digest(parents []string) uint64 {
	h := newDigest(parents)
	h.text(o.Body.Date)
	h.flag(o.Body.Undo)
	return h.sum()
}

// Claims implements Write.
func (o *Completion) Claims(k client.ObjectKey, _ *metadata.Index) []string {
	return []string{o.Name(k)}
}

// Effect implements Write.
func (o *Completion) Effect() string {
	if o.Body.Undo {
		return "marked as not complete"
	}
	return "marked as complete"
}

// Send implements Direct.
func (o *Completion) Send(ctx context.Context, s Requests, _ client.ObjectKey) error {
	return s.Complete(ctx, o.Body)
}

// Rehearsed implements Direct.
func (*Completion) Rehearsed() string { return "completions cannot be rehearsed" }
