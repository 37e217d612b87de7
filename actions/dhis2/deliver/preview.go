package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// Preview is what a delivery would do, were it the first of all: nothing is known of the person,
// and DHIS2 holds nothing.
type Preview struct {
	Writes   []PreviewedWrite
	Requests []client.Sent
	// Names gives what a uid in the requests stands for, where the snapshot or the record tells.
	Names map[string]string
}

// PreviewedWrite is one write: the object, and what becomes of it.
type PreviewedWrite struct {
	Label  string         `json:"label"`
	Effect string         `json:"effect"`       // in words: what would be looked up, created or updated
	ID     string         `json:"id,omitempty"` // the object's uid, or what identifies the value
	Names  map[string]any `json:"object"`       // by the names that the rule uses
	Reason string         `json:"reason,omitempty"`
}

// PreviewPlan plays a plan's delivery against a server that holds nothing and notes its requests. No request is made.
func PreviewPlan(ctx context.Context, plan actions.Plan, x *metadata.Index, o Options) (*Preview, error) {
	minor, err := client.ParseVersion(x.Snapshot.Server.Version)
	if err != nil {
		return nil, fmt.Errorf("read the version in the synced metadata: %w", err)
	}
	server := &client.Preview{Minor: minor}
	o.Log, o.Import.Async = slog.New(slog.DiscardHandler), false
	t := NewTarget(server, func() *metadata.Index { return x }, &previewMemory{totals: map[string]actions.CellTotal{}}, o)
	result := t.Deliver(ctx, []actions.Plan{plan})[0]
	p := &Preview{Requests: server.Sent, Names: map[string]string{}}
	for i, w := range plan.Writes {
		done := result.Outcomes[i]
		pw := PreviewedWrite{Label: w.Object.Label(), Effect: w.Object.(object.Write).Effect(), ID: done.ObjectID,
			Names: w.Object.Describe()}
		if done.Status != actions.Delivered && done.Status != actions.Unchanged {
			pw.Effect, pw.Reason = "not sent", done.Message
		}
		p.Writes = append(p.Writes, pw)
		if identity.IsUID(done.ObjectID) {
			p.Names[done.ObjectID] = w.Object.Label()
		}
	}
	for _, s := range server.Sent {
		p.nameAll(x, s)
	}
	return p, nil
}

// nameAll notes the names of the uids in a request.
func (p *Preview) nameAll(x *metadata.Index, s client.Sent) {
	for _, word := range uidWords(s) {
		if _, known := p.Names[word]; known {
			continue
		}
		if name := x.NameOf(word); name != "" {
			p.Names[word] = name
		}
	}
}

// uidWords gives the texts in a request that have the form of a uid.
func uidWords(s client.Sent) []string {
	var words []string
	start := -1
	text := s.Path + " " + string(s.Body) + " "
	for _, value := range s.Query {
		text += value + " "
	}
	for i := range len(text) {
		c := text[i]
		switch letter := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'; {
		case letter && start < 0:
			start = i
		case !letter && start >= 0:
			if identity.IsUID(text[start:i]) {
				words = append(words, text[start:i])
			}
			start = -1
		}
	}
	return words
}

// previewMemory knows of no earlier delivery, and of what one record gives to aggregates.
type previewMemory struct {
	totals map[string]actions.CellTotal
}

func (*previewMemory) Identities(context.Context, []actions.IdentityKey) (map[actions.IdentityKey]actions.Identity,
	error) {
	return nil, nil
}

func (*previewMemory) Holders(context.Context, []string) ([]actions.Identity, error) { return nil, nil }

func (*previewMemory) Digests(context.Context, []string) (map[string]actions.Digest, error) {
	return nil, nil
}

// Contribute implements actions.Contributions.
func (m *previewMemory) Contribute(_ context.Context, list []actions.Contribution) (map[string][]string, error) {
	for _, c := range list {
		if c.Cell == "" {
			continue
		}
		t := m.totals[c.Cell]
		t.Cell, t.Last = c.Cell, c.Value
		t.Count++
		if n, err := strconv.ParseFloat(c.Value, 64); err == nil {
			t.Sum += n
		}
		m.totals[c.Cell] = t
	}
	return nil, nil
}

// Totals implements actions.Contributions.
func (m *previewMemory) Totals(context.Context, []string) (map[string]actions.CellTotal, error) {
	return m.totals, nil
}

// Settle implements actions.Contributions.
func (*previewMemory) Settle(context.Context, []string) error { return nil }
