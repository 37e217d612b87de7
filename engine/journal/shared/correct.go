package shared

import (
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// Correctable tells whether the content of a record may be corrected, and by whom why.
func Correctable(r *journal.Record, body []byte, why string) error {
	switch {
	case strings.TrimSpace(why) == "":
		return journal.Refuse("say why the content is corrected: the audit trail keeps it")
	case len(body) == 0:
		return journal.Refuse("the corrected content is empty")
	case r.State == journal.Pending:
		return journal.Refuse("record %d is waiting to be sent or on its way: correct it once it is settled, or pause its "+
			"rule and dismiss it", r.Seq)
	}
	return nil
}

// Correction gives the record that takes the place of another with a content that a person has corrected.
func Correction(r *journal.Record, body []byte, now time.Time) *journal.Record {
	origin := r.Origin
	origin.FileID, origin.Beside = "", origin.FileBeside() // its file is finished without it
	return &journal.Record{
		Rule: r.Rule, ID: r.ID, Key: r.Key, Content: r.Content, Origin: origin, Body: body, State: journal.Pending,
		Received: now,
		Edited:   true, Notify: r.Notify, Version: r.Version, Rank: r.Order().Seq,
	}
}

// ErrCorrected answers a second correction while the first still waits.
func ErrCorrected(seq, by int64) error {
	return journal.Refuse("record %d has been corrected already: record %d is waiting to be sent", seq, by)
}
