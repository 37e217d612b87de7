package status

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
)

// FailedAlike is a file of which every row failed for one reason: most likely the file or the rule
// is wrong, not the rows. It is printed as JSON, and a group has no column and no value.
type FailedAlike struct {
	File  string `json:"file"`
	Rule  string `json:"rule"`
	Rows  int64  `json:"rows"`
	Code  string `json:"code"`
	Cause string `json:"cause"`
	Hint  string `json:"hint,omitempty"`
}

const (
	minAlike     = 2  // rows of a finished file
	minAlikeOpen = 20 // rows read so far of one that is being worked on
	maxAlike     = 10 // files that are looked at, the newest
)

// failedAlike finds the files of which every row has failed for one reason, and that nobody has dealt with.
func failedAlike(ctx context.Context, j Reader, files []journal.File) (alike []FailedAlike, err error) {
	looked := 0
	for _, f := range files { // the newest first
		least := int64(minAlike)
		if f.State == journal.FileOpen {
			least = minAlikeOpen
		}
		if f.Rows < least || f.Failed < f.Rows {
			continue
		}
		if looked++; looked > maxAlike {
			break
		}
		causes, err := j.Causes(ctx, journal.Filter{FileID: f.ID, States: []journal.State{journal.Failed}})
		if err != nil {
			return nil, fmt.Errorf("look at why the rows of a file failed: %w", err)
		}
		if len(causes) == 0 || causes[0].Count < least {
			continue
		}
		same := true
		for _, c := range causes[1:] {
			same = same && c.Code == causes[0].Code && c.Place == causes[0].Place
		}
		if c := causes[0]; same {
			alike = append(alike, FailedAlike{File: f.Name, Rule: f.Rule, Rows: f.Rows, Code: c.Code, Cause: c.Cause,
				Hint: c.Hint})
		}
	}
	return alike, nil
}
