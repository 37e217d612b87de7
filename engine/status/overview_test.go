package status

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/engine/journal"
)

// TestCounts counts every row of a file once, whether it was settled in the file or stood as a
// record of its own for a while.
func TestCounts(t *testing.T) {
	t.Parallel()
	o := Overview{Files: []journal.File{
		{Rows: 100, Delivered: 90, Unchanged: 5, Skipped: 3, Failed: 2, RecordsDelivered: 40, RecordsSkipped: 1},
		{Rows: 10, Delivered: 4, Failed: 1},
	}}
	for i := range o.Files {
		o.Files[i].Rule = "visits"
	}
	// Of the first file 40 rows were retried, one was dismissed and two failed; of the second one failed and five wait.
	o.add(journal.Summary{Rules: []journal.RuleSummary{{Rule: "visits", Pending: 5, Delivered: 40, Dismissed: 1,
		Failed: 3}}})
	want := Counts{Pending: 5, Delivered: 99, Skipped: 2, Failed: 3, Dismissed: 1}
	if diff := cmp.Diff(want, o.Records); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if sum := want.Pending + want.Delivered + want.Skipped + want.Failed + want.Dismissed; sum != 110 {
		t.Errorf("%d of 110 rows are counted", sum)
	}
}
