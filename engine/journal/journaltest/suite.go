// Package journaltest holds what every store of the journal must do: a suite of cases and a
// comparison with a model under random use.
package journaltest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// Place is where one journal is kept. Opening it again gives the same journal, as after a restart.
type Place interface {
	Open(t testing.TB, o journal.Options) journal.Journal
}

// Run runs all cases, each on a fresh place.
func Run(t *testing.T, fresh func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, p Place)
	}{
		{"append", testAppend},
		{"append concurrently", testAppendConcurrently},
		{"duplicates", testDuplicates},
		{"order of a key", testOrder},
		{"order across rules", testOrderAcrossRules},
		{"retries", testRetries},
		{"waiting for a parent", testWaiters},
		{"waiting for a parent alone", testWaitersAlone},
		{"waiting for a parent and people", testWaitersChanged},
		{"rows waiting for a parent", testWaitingRows},
		{"claim what is asked for", testClaimOptions},
		{"claim so many bytes", testClaimBytes},
		{"release", testRelease},
		{"restart", testRestart},
		{"lease", testLease},
		{"late commit", testLateCommit},
		{"keys of file rows", testClaimKeys},
		{"places of file rows", testPlaces},
		{"places of keys", testPlacesOfKeys},
		{"places of rows taken over", testPlacesTakenOver},
		{"files", testFiles},
		{"failed file again", testFailedFileAgain},
		{"file taken over", testFileTakeover},
		{"rows of files", testFileRows},
		{"hold", testHold},
		{"replay", testReplay},
		{"replay before later records", testReplayOrder},
		{"dismiss", testDismiss},
		{"rows kept for lookups", testKeptRows},
		{"identify", testIdentify},
		{"identify while others are in flight", testIdentifyInFlight},
		{"correct", testCorrect},
		{"correct what failed at another place", testCorrectedParts},
		{"fix a row that failed at another place", testFixedRowParts},
		{"search", testSearch},
		{"odd texts", testOddTexts},
		{"search by page", testPages},
		{"story", testStory},
		{"figures", testFigures},
		{"select", testSelect},
		{"causes", testCauses},
		{"summary", testSummary},
		{"digests", testDigests},
		{"orders", testOrders},
		{"sets of fields", testShapes},
		{"newer versions", testNewerVersions},
		{"late orders", testLateOrders},
		{"rows that fix others", testFixes},
		{"insisting", testInsist},
		{"rows that changed", testRowChanges},
		{"identities", testIdentities},
		{"contributions", testContributions},
		{"notifications", testNotifications},
		{"meta", testMeta},
		{"change of meta", testChangeMeta},
		{"forget", testForget},
		{"expire", testExpire},
		{"encryption", testEncryption},
		{"another key", testRekey},
		{"hidden from the beginning", testHidden},
		{"hidden later", testHiding},
		{"wake", testWake},
		{"lead", testLead},
		{"bad input", testBadInput},
		{"odd text", testOddText},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := fresh(t)
			if _, ok := p.(sealed); ok && (c.name == "another key" || strings.HasPrefix(c.name, "hidden")) {
				t.Skip("it brings its own keys")
			}
			c.run(t, p)
		})
	}
}

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func record(rule, id, key string) *journal.Record {
	return &journal.Record{
		Rule: rule, ID: id, Key: key, Content: uint64(len(id)) + 7, State: journal.Pending, Received: start,
		Origin: sources.Origin{Trigger: "webhook", Remote: "10.0.0.7", Headers: map[string]string{"X-Form": "anc"}},
		Body:   []byte(`{"id":"` + id + `","name":"Amina"}`),
	}
}

func open(t testing.TB, p Place) journal.Journal { return p.Open(t, journal.Options{}) }

func appendAll(t testing.TB, j journal.Journal, records ...*journal.Record) {
	t.Helper()
	duplicates, err := j.Append(t.Context(), records, nil)
	must(t, err)
	for i, d := range duplicates {
		if d {
			t.Fatalf("record %d was taken for a duplicate", i)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t testing.TB, j journal.Journal, limit int) []*journal.Record {
	t.Helper()
	return claimAs(t, j, journal.Claim{Owner: "one", Limit: limit, Now: start})
}

func claimAs(t testing.TB, j journal.Journal, c journal.Claim) []*journal.Record {
	t.Helper()
	records, err := j.Claim(t.Context(), c)
	must(t, err)
	return records
}

func commit(t testing.TB, j journal.Journal, b journal.Batch) {
	t.Helper()
	if b.Owner == "" {
		b.Owner = "one"
	}
	must(t, j.Commit(t.Context(), &b))
}

func settle(t testing.TB, j journal.Journal, state journal.State, records ...*journal.Record) {
	t.Helper()
	b := journal.Batch{Server: "national"}
	for _, r := range records {
		b.Settlements = append(b.Settlements, journal.Settlement{Seq: r.Seq, State: state, Attempts: r.Attempts + 1})
	}
	commit(t, j, b)
}

func fail(t testing.TB, j journal.Journal, p journal.Problem, records ...*journal.Record) {
	t.Helper()
	b := journal.Batch{Server: "national"}
	for _, r := range records {
		b.Settlements = append(b.Settlements, journal.Settlement{Seq: r.Seq, State: journal.Failed, Attempts: r.Attempts + 1,
			Problem: &p})
	}
	commit(t, j, b)
}

func ids(records []*journal.Record) string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = r.ID
	}
	return strings.Join(out, " ")
}

func wantIDs(t testing.TB, what string, records []*journal.Record, want string) {
	t.Helper()
	if got := ids(records); got != want {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

func get(t testing.TB, j journal.Journal, seq int64) *journal.Record {
	t.Helper()
	records, err := j.Select(t.Context(), journal.Filter{Seq: seq, WithBody: true})
	must(t, err)
	if len(records) != 1 {
		t.Fatalf("there are %d records %d", len(records), seq)
	}
	return records[0]
}

func check(t testing.TB, j journal.Journal) {
	t.Helper()
	must(t, j.Check(context.WithoutCancel(t.Context())))
}

func diff(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func name(prefix string, n int) string { return fmt.Sprintf("%s%d", prefix, n) }
