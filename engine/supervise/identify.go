package supervise

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// How many records are looked at together, without what they say and with it.
const (
	lookedAtOnce     = 5000
	identifiedAtOnce = 200
)

// identify gives records that came while their rule could give no id the ids that it gives them now, before
// they go on: so they stand in the order of their keys, and are found as what they are.
func (p *Pauses) identify(ctx context.Context, rule string) error {
	flow := p.gate.Program().Flow(rule)
	if flow == nil {
		return nil
	}
	var total int64
	f := journal.Filter{Rule: rule, States: []journal.State{journal.Held}, Limit: lookedAtOnce}
	for {
		page, err := p.journal.Select(ctx, f)
		if err != nil {
			return err
		}
		var nameless []int64
		for _, rec := range page {
			f.AfterSeq = max(f.AfterSeq, rec.Seq)
			if strings.HasPrefix(rec.ID, program.Unidentified) {
				nameless = append(nameless, rec.Seq)
			}
		}
		for part := range slices.Chunk(nameless, identifiedAtOnce) {
			n, err := p.identifyThese(ctx, flow, part)
			if total += n; err != nil {
				return err
			}
		}
		if len(page) < lookedAtOnce {
			break
		}
	}
	if total > 0 {
		p.log.Info("records that were taken under a broken rule have their ids", "rule", rule, "records", total)
	}
	return nil
}

func (p *Pauses) identifyThese(ctx context.Context, flow *program.Flow, seqs []int64) (int64, error) {
	records, err := p.journal.Select(ctx, journal.Filter{Seqs: seqs, WithBody: true})
	if err != nil {
		return 0, err
	}
	var names []journal.Identification
	for _, rec := range records {
		var body any
		if rec.Body == nil || json.Unmarshal(rec.Body, &body) != nil {
			continue // what is wrong is said when it is sent
		}
		i, err := program.Identify(flow, program.InputOf(rec, body))
		if err != nil || i.Skipped || i.ID == "" || i.Key == "" {
			continue
		}
		names = append(names, journal.Identification{Seq: rec.Seq, Rule: rec.Rule, From: rec.ID, ID: i.ID, Key: i.Key,
			Version: i.Version})
	}
	if len(names) == 0 {
		return 0, nil
	}
	return p.journal.Identify(ctx, names)
}
