package webhook

import (
	"net/http"

	"github.com/culvert/culvert/sources"
)

// receipt is what a sender gets for records that are durable.
type receipt struct {
	Accepted int           `json:"accepted"` // records that are durable now, whether new or known
	Records  []receiptLine `json:"records"`
	Files    []fileLine    `json:"files,omitempty"` // tables that were taken
}

type receiptLine struct {
	Rule      string `json:"rule"`
	ID        string `json:"id,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Skipped   bool   `json:"skipped,omitempty"`
	seq       int64  // of the record in the journal

	*outcome // of a rule that replies with it
}

// receiptLimit is how many records a receipt lists; more are only counted.
const receiptLimit = 1000

func receiptOf(records []sources.Record, receipts []sources.Receipt) *receipt {
	out := &receipt{Accepted: len(records), Records: []receiptLine{}}
	for i, r := range receipts {
		if i == receiptLimit || i >= len(records) {
			break
		}
		out.Records = append(out.Records, receiptLine{Rule: records[i].Rule, ID: r.RecordID, Duplicate: r.Duplicate,
			Skipped: r.Skipped, seq: r.Seq})
	}
	return out
}

// status is 202 for what will still be sent on, 200 for what was known or filtered out already and
// for what has an outcome. CommCare takes 204 for a failure, so it is never that.
func (r *receipt) status(again bool) int {
	for _, l := range r.Records {
		switch {
		case l.outcome != nil:
			if l.State == "pending" {
				return http.StatusAccepted
			}
		case !again && !l.Duplicate && !l.Skipped:
			return http.StatusAccepted
		}
	}
	for _, f := range r.Files {
		if !again && !f.Duplicate {
			return http.StatusAccepted
		}
	}
	return http.StatusOK
}
