package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
)

// summary says in plain words what became of everything.
func (d *demo) summary(ctx context.Context) error {
	took := time.Since(d.began)
	o, err := status.Read(ctx, d.service.Journal(), time.Now())
	if err != nil {
		return err
	}
	causes, err := d.service.Journal().Causes(ctx, journal.Filter{States: []journal.State{journal.Failed}, Limit: 50})
	if err != nil {
		return err
	}
	waiting, err := d.service.Journal().Causes(ctx, journal.Filter{States: []journal.State{journal.Pending}, Limit: 50})
	if err != nil {
		return err
	}
	c := d.sandbox.Counts()
	r := o.Records
	said := d.Language.Sprintf
	fmt.Fprintf(d.Out, "\n%s", said("%d records in %.1f seconds: %d delivered, %d failed, %d waiting",
		r.Delivered+r.Failed+r.Pending, took.Seconds(), r.Delivered, r.Failed, r.Pending))
	if r.Skipped > 0 {
		fmt.Fprintf(d.Out, " %s", said("(and %d times a rule's filter left a form to another rule)", r.Skipped))
	}
	fmt.Fprintf(d.Out, "\n%s\n", said("DHIS2 now has %d people, %d enrollments, %d events and %d data values",
		c.TrackedEntities, c.Enrollments, c.Events, c.DataValues))
	d.list(said("failed, on purpose:"), causes)
	d.list(said("waiting for its parent, and tried again by itself:"), waiting)
	fmt.Fprintf(d.Out, "\n%s\n", said("try next:"))
	for _, line := range [][2]string{
		{"failures", said("what failed, why, and what to do")},
		{"try anc-registration", said("one form, step by step")},
		{"validate", said("then change a name in %s/rules and validate again", d.Dir)},
	} {
		fmt.Fprintf(d.Out, "  %s -C %s %-22s # %s\n", d.Program, d.Dir, line[0], line[1])
	}
	return nil
}

func (d *demo) list(title string, causes []journal.Cause) {
	if len(causes) == 0 {
		return
	}
	fmt.Fprintf(d.Out, "\n%s\n", title)
	for _, c := range causes {
		where := ""
		if e := c.Example; e != nil && e.Origin.File != "" {
			where = " " + d.Language.Sprintf("(row %d of %s)", e.Origin.Row, e.Origin.File)
		}
		fmt.Fprintf(d.Out, "  %3d  %s%s\n", c.Count, d.Language.Text(c.Cause), where)
		if c.Hint != "" {
			fmt.Fprintf(d.Out, "       %s\n", d.Language.Text(c.Hint))
		}
	}
}
