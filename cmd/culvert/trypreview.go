package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/culvert/culvert/actions/dhis2"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules"
)

// preview prints what would become of each write, and the requests.
func (t tracer) preview(p *dhis2.Preview) error {
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
		fmt.Fprintf(t.stdout, "\n%s\n", t.heading(s, p.Names))
		if s.Body == nil {
			continue
		}
		text, err := annotated(s.Body, p.Names)
		if err != nil {
			return err
		}
		fmt.Fprint(t.stdout, text)
	}
	fmt.Fprintln(t.stdout, "\nnothing was sent")
	return nil
}

// heading is a request's first line. A search is put in words: its address says little.
func (tracer) heading(s client.Sent, names map[string]string) string {
	line := s.Method + " " + s.Path
	if s.Method == "GET" {
		line = "look up: " + line
		for _, key := range []string{"filter", "ou", "numberToReserve"} {
			if v := s.Query[key]; v != "" {
				line += " " + key + "=" + v
			}
		}
	} else if strategy := s.Query["importStrategy"]; strategy != "" {
		line += " importStrategy=" + strategy
	}
	var known []string
	for _, uid := range uidInText.FindAllString(line, -1) {
		if name := names[uid]; name != "" {
			known = append(known, name)
		}
	}
	if len(known) > 0 {
		line += "   # " + strings.Join(known, ", ")
	}
	return line
}

var (
	uidInText = regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9]{10}\b`)
	flatLine  = regexp.MustCompile(`\{\n\s*("[^"]*": (?:"(?:[^"\\]|\\.)*"|[^\s{}\[\]"]+)),\n\s*("[^"]*": (?:"(?:[^"\\]|\\.)*"|[^\s{}\[\]"]+))\n\s*\}`)
)

// annotated lays a body out and says behind each line what its uids are called. A pair, such as a value of an attribute, stands on one line.
func annotated(body json.RawMessage, names map[string]string) (string, error) {
	var laid bytes.Buffer
	if err := json.Indent(&laid, body, "  ", "  "); err != nil {
		return "", fmt.Errorf("lay out the request: %w", err)
	}
	text := flatLine.ReplaceAllString(laid.String(), "{$1, $2}")
	var out strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if out.Len() == 0 {
			line = "  " + line
		}
		var known []string
		for _, uid := range uidInText.FindAllString(line, -1) {
			if name := names[uid]; name != "" {
				known = append(known, name)
			}
		}
		if len(known) > 0 {
			line = fmt.Sprintf("%-58s # %s", line, strings.Join(known, ", "))
		}
		out.WriteString(line + "\n")
	}
	return out.String(), nil
}

// tried is what `try --format json` prints.
type tried struct {
	Version  int                    `json:"version"` // of this form
	Status   string                 `json:"status"`  // fine, skipped, failed
	ID       string                 `json:"id,omitempty"`
	Key      string                 `json:"key,omitempty"`
	Failure  *rules.Failure         `json:"failure,omitempty"`
	Writes   []dhis2.PreviewedWrite `json:"writes,omitempty"`
	Requests []client.Sent          `json:"requests,omitempty"`
}

func (t tracer) resultJSON(ctx context.Context, e program.Evaluation) error {
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
		out.Writes, out.Requests = p.Writes, p.Requests
	}
	if err := t.json(out); err != nil {
		return err
	}
	if e.Failure != nil {
		return errFindings
	}
	return nil
}
