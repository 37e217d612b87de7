package dhis2

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// site is a whole DHIS2: the sandbox behind HTTP, the real client, and the metadata of a real sync.
type site struct {
	t       testing.TB
	sandbox *sandbox.Server
	client  *client.Client
	index   *metadata.Index
	memory  *memory
	target  actions.Target

	uploads       atomic.Int64 // see countUploads
	refuseUploads atomic.Bool
}

func (s *site) current() *metadata.Index { return s.index }

func newSite(t testing.TB, version string) *site {
	t.Helper()
	return newSiteWith(t, version, "sandbox/testdata/tamala.json")
}

// newSiteWith is newSite with other metadata.
func newSiteWith(t testing.TB, version, metadataFile string) *site {
	t.Helper()
	server, err := sandbox.New(sandbox.Options{Metadata: metadataFile, Version: version, Clock: testOptions().Now})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	c, err := client.New(client.Options{URL: web.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		web.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := metadata.Sync(context.Background(), c, nil, metadata.Options{})
	if err != nil {
		t.Fatal(err)
	}
	site := &site{t: t, sandbox: server, client: c, index: metadata.NewIndex(s), memory: newMemory()}
	site.target = NewTarget(c, func() *metadata.Index { return site.index }, site.memory, testOptions())
	return site
}

func (s *site) loadRule(text, sample string) *compiled {
	s.t.Helper()
	c := loadRule(s.t, s.index, text, sample)
	if c.findings.List.HasErrors() {
		s.t.Fatal(printed(c.findings.List))
	}
	return c
}

func (s *site) deliver(plans ...actions.Plan) []actions.Result {
	s.t.Helper()
	results := s.target.Deliver(context.Background(), plans)
	s.memory.keep(results)
	return results
}

var versions = []string{"2.40", "2.42", "2.43"}

// everyVersion runs a test against each of the versions whose answers are known from real servers.
func everyVersion(t *testing.T, test func(*testing.T, *site)) {
	for _, v := range versions {
		t.Run(v, func(t *testing.T) { test(t, newSite(t, v)) })
	}
}

func TestRegistrationsReachTheServer(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		text := strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: recreate")
		rule := s.loadRule(strings.Replace(text, "match_by: National ID",
			"match_by: National ID\n      several_ids: same_person", 1), womanSample)
		var records []string
		for n := range 30 {
			records = append(records, woman(n))
		}
		records = append(records, woman(40, "nid", "NID-3"))
		wantGood(t, s.deliver(rule.plans(t, records...)...))
		first := s.sandbox.Dump()
		counts := s.sandbox.Counts()
		if counts.TrackedEntities != 30 || counts.Enrollments != 30 || counts.Events != 30 {
			t.Errorf("%+v", counts)
		}
		// A journal that is lost, or a crash before it was written: the same objects again.
		s.memory = newMemory()
		s.target = NewTarget(s.client, func() *metadata.Index { return s.index }, s.memory, testOptions())
		wantGood(t, s.deliver(rule.plans(t, records...)...))
		if again := s.sandbox.Dump(); string(again) != string(first) {
			t.Errorf("sending everything again changed something: %s", difference(first, again))
		}
		// A correction, and a person whom somebody deleted.
		want(t, s.deliver(rule.plans(t, woman(5, "first", "Awa", "phone", ""))...), "DUU")
		report, err := s.client.ImportTracker(context.Background(),
			&client.TrackerPayload{TrackedEntities: []client.TrackedEntity{{TrackedEntity: uidOf(6)}}},
			client.TrackerOptions{Delete: true})
		if err != nil || len(report.Errors) > 0 {
			t.Fatal(err, report)
		}
		want(t, s.deliver(rule.plans(t, woman(6, "first", "Awa"))...), "DDD")
		want(t, s.deliver(rule.plans(t, woman(6, "first", "Awa"))...), "UUU")
	})
}

func difference(a, b []byte) string {
	x, y := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d\n%.300s\n%.300s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// TestValuesTheServerTakes sends the same values of every type through a rule: none that leaves is refused.
func TestValuesTheServerTakes(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		stage, _ := s.index.StageByID("AYoOWZhy7zm")
		var values []string
		sample := map[string]any{"id": "x", "place": "TM-010202", "date": "2026-03-02"}
		for _, e := range stage.DataElements {
			element := s.index.DataElementByID(e.DataElement.ID)
			values = append(values, fmt.Sprintf("        %s: trigger.v_%s", element.Name, element.ID))
			sample["v_"+element.ID] = ""
		}
		raw, _ := json.Marshal(sample)
		rule := s.loadRule(ruleText("\n  - dhis2.event:\n      program: Every value type\n      org_unit: trigger.place\n "+
			"     occurred_at: trigger.date\n      data_values:\n"+strings.Join(values, "\n")), string(raw))
		tries := []any{"x", "é ü 漢", "a", "+221 77 123 45 67", "a@b.org", "yes", "NO", true, "1", 0, 3.0, -5, "2147483647",
			"1e3", ".5", "55%", "2026-01-31", "2026-01-31T10:15:00.000Z",
			"2026-01-31 10:15", "9:05", "10:15:00", "admin", "-5.2 31.1", "TM-010202", "1990-01-01", "https://example.org/x",
			0.25, []any{1, 2}, "2026-02-30", "nan", "00012"}
		sent := 0
		for n, v := range tries {
			for _, e := range stage.DataElements {
				body := map[string]any{"id": fmt.Sprintf("r%d-%s", n, e.DataElement.ID), "place": "TM-010202",
					"date": "2026-03-02", "v_" + e.DataElement.ID: v}
				writes, err := rule.plan(body)
				if err != nil {
					continue
				}
				sent++
				results := s.deliver(actions.Plan{Writes: writes})
				if o := results[0].Outcomes[0]; o.Status != actions.Delivered &&
					!(o.Code == "E1302" && s.index.DataElementByID(e.DataElement.ID).ValueType == "USERNAME") {
					t.Errorf("%s %v: %s %s %s", s.index.DataElementByID(e.DataElement.ID).ValueType, v, o.Code,
						o.Message, o.Detail)
				}
			}
		}
		if sent < 120 {
			t.Errorf("only %d values were sent", sent)
		}
	})
}

func TestReportsReachTheServer(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		rule := s.loadRule(reportText, reportSample)
		plans := rule.plans(t, report("TM-010202", "2026-01", "1"), report("TM-010202", "2026-02", "2"),
			report("TM-010304", "2026-01", "3"))
		want(t, s.deliver(plans...), "DDD DDD DDD")
		want(t, s.deliver(plans...), "UUU UUU UUU")
		want(t, s.deliver(rule.plans(t, report("TM-010202", "2026-01", "5"))...), "DUU")
		want(t, s.deliver(rule.plans(t, report("TM-010202", "2026-01", ""))...), "DUU")
		if c := s.sandbox.Counts(); c.DataValues != 5 {
			t.Errorf("%+v", c)
		}
		undo := s.loadRule(strings.Replace(reportText, "completion: complete", "completion: undo", 1), reportSample)
		want(t, s.deliver(undo.plans(t, report("TM-010202", "2026-01", ""))...), "UUD")
		// A value that Culvert's own checks know nothing of: the server refuses it, and only it.
		bad := rule.plans(t, report("TM-010202", "2026-03", "7"), report("TM-010304", "2026-02", "8"))
		bad[0].Writes[0].Object.(*object.DataValue).Value = "many"
		want(t, s.deliver(bad...), "FDN DDD")
	})
}

func TestRelationshipsAndStatus(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		rule := s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
		s.deliver(rule.plans(t, woman(1), woman(2))...)
		link := s.loadRule(ruleText(`
  - dhis2.relationship:
      type: Mother of
      from: {external_id: trigger.case}
      to: {external_id: trigger.child}
  - dhis2.complete:
      program: Antenatal care
      external_id: trigger.case
`), `{"id": "x", "case": "c", "child": "d"}`)
		record := `{"id": "l", "case": "case-1", "child": "case-2"}`
		want(t, s.deliver(link.plans(t, record)...), "DD")
		want(t, s.deliver(link.plans(t, record)...), "UD")
		forced := link.plans(t, record)
		forced[0].Force = true
		want(t, s.deliver(forced...), "DD")
		list, err := s.client.Enrollments(context.Background(),
			[]client.InProgram{{UID: identity.EnrollmentUID(antenatal, uidOf(1), "", 0), Program: antenatal}})
		if err != nil || len(list) != 1 || list[0].Status != "COMPLETED" {
			t.Errorf("%v %+v", err, list)
		}
		// A correction of the registration leaves her completed.
		want(t, s.deliver(rule.plans(t, woman(1, "date", "2026-03-03"))...), "UDD")
		if list, err = s.client.Enrollments(context.Background(),
			[]client.InProgram{{UID: list[0].Enrollment, Program: antenatal}}); err != nil || list[0].Status != "COMPLETED" ||
			!strings.HasPrefix(list[0].EnrolledAt, "2026-03-03") {
			t.Errorf("%v %+v", err, list)
		}
	})
}

// TestFaults sends through a server that drops connections, answers 502 and forgets: in the end it
// holds what a quiet run leaves.
func TestFaults(t *testing.T) {
	quiet, stormy := newSite(t, "2.42"), newSite(t, "2.42")
	var records []string
	for n := range 40 {
		records = append(records, woman(n))
	}
	send := func(s *site) {
		rule := s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
		pending := rule.plans(t, records...)
		for round := 0; len(pending) > 0; round++ {
			if round == 200 {
				t.Fatalf("%d records are not through", len(pending))
			}
			var rest []actions.Plan
			for len(pending) > 0 {
				n := min(7, len(pending))
				for k, r := range s.deliver(pending[:n]...) {
					for _, o := range r.Outcomes {
						if o.Status == actions.Failed {
							t.Fatalf("failed for good: %+v", o)
						}
						if o.Status == actions.Retry {
							rest = append(rest, pending[k])
							break
						}
					}
				}
				pending = pending[n:]
			}
			pending = rest
		}
	}
	send(quiet)
	stormy.sandbox.SetFaults(sandbox.Faults{Rate: 0.3,
		Kinds: []string{sandbox.Fault500, sandbox.FaultBadGateway, sandbox.Fault503, sandbox.FaultDropBefore,
			sandbox.FaultDropAfter, sandbox.FaultTruncated, sandbox.FaultEmpty}})
	send(stormy)
	stormy.sandbox.SetFaults(sandbox.Faults{})
	if a, b := quiet.sandbox.Dump(), stormy.sandbox.Dump(); string(a) != string(b) {
		t.Errorf("the storm left a mark: %s", difference(a, b))
	}
}

// A zero of a data element whose zeros are not stored takes the earlier value away on every
// version, also where the server passes over such zeros; so does a computed sum that comes to zero.
// Where zeros are stored, or count in an average, the zero is sent.
func TestAZeroThatIsNotStoredRemovesWhatWasThere(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		rule := s.loadRule(reportText, reportSample)
		read := func() (values []string) {
			t.Helper()
			r := httptest.NewRequest(http.MethodGet, "/api/dataValueSets?dataSet=FSh2AafV4XC&orgUnit=ygq0iefHYLW&period=202602",
				nil)
			r.SetBasicAuth("admin", "district")
			w := httptest.NewRecorder()
			s.sandbox.ServeHTTP(w, r)
			var held struct{ DataValues []client.DataValue }
			if err := json.Unmarshal(w.Body.Bytes(), &held); err != nil {
				t.Fatal(err, w.Body)
			}
			for _, v := range held.DataValues {
				if s.index.DataElementByID(v.DataElement).Name == "Malaria deaths" {
					values = append(values, v.Value)
				}
			}
			return values
		}
		want(t, s.deliver(rule.plans(t, report("TM-010202", "2026-02", "7"))...), "DDD")
		if got := read(); len(got) != 1 || got[0] != "7" {
			t.Fatalf("holds %v", got)
		}
		want(t, s.deliver(rule.plans(t, report("TM-010202", "2026-02", "0"))...), "DUU")
		if got := read(); len(got) != 0 {
			t.Errorf("still holds %v", got)
		}
		want(t, s.deliver(rule.plans(t, report("TM-010202", "2026-02", "0"))...), "UUU")
	})
}
