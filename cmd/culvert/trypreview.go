package main

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
)

// preview prints what would become of each write, and the requests.
func (t *tracer) preview(p *dhis2.Preview) error {
	fmt.Fprintln(t.stdout)
	for i, w := range p.Writes {
		fmt.Fprintf(t.stdout, "%d. %s", i+1, w.Label)
		if dhis2.IsUID(w.ID) {
			fmt.Fprintf(t.stdout, " (uid %s)", w.ID)
		}
		fmt.Fprintln(t.stdout)
		if i+1 < len(p.Writes) && p.Writes[i+1].Effect == w.Effect && p.Writes[i+1].Reason == w.Reason {
			continue // said once, behind the last of them
		}
		fmt.Fprintf(t.stdout, "   %s\n", w.Effect)
		if w.Reason != "" {
			fmt.Fprintf(t.stdout, "   %s\n", w.Reason)
		}
	}
	for _, s := range p.Requests {
		fmt.Fprintf(asIs(t.stdout), "\n%s\n", rehearsal.Heading(s.Method, s.Path, s.Query, p.Names))
		if s.Body == nil {
			continue
		}
		text, err := rehearsal.Annotated(s.Body, p.Names)
		if err != nil {
			return err
		}
		fmt.Fprint(asIs(t.stdout), text)
	}
	fmt.Fprintln(t.stdout, "\nnothing was sent")
	return nil
}

// tried is what `try --format json` prints.
type tried struct {
	Version  int                    `json:"version"` // of this form
	Status   string                 `json:"status"`  // fine, skipped, failed
	ID       string                 `json:"id,omitempty"`
	Key      string                 `json:"key,omitempty"`
	Failure  *rules.Failure         `json:"failure,omitempty"`
	Remarks  []*rules.Failure       `json:"remarks,omitempty"` // on values that are left out, or sent though doubtful
	Writes   []dhis2.PreviewedWrite `json:"writes,omitempty"`
	Requests []client.Sent          `json:"requests,omitempty"`
}

func (t *tracer) resultJSON(ctx context.Context, e program.Evaluation) error {
	out := tried{Version: 1, Status: "fine", ID: e.ID, Key: e.Key, Failure: e.Failure}
	switch {
	case e.Failure != nil:
		out.Status = "failed"
	case e.Skipped:
		out.Status = "skipped"
	default:
		p, err := service.Preview(ctx, t.project, t.server, e.Plan)
		if err != nil {
			return err
		}
		out.Writes, out.Requests, out.Remarks = p.Writes, p.Requests, e.Plan.Left
	}
	if err := t.json(out); err != nil {
		return err
	}
	if e.Failure != nil {
		return errFindings
	}
	return nil
}
