package dhis2

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/rules/diag"
)

// TestOneIsNotReadable is somebody of whom the server refuses to tell: her correction fails, in the
// server's words, and the others go on.
func TestOneIsNotReadable(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.deliver(rule.plans(t, woman(1), woman(2), woman(3))...)
	b.server.beforeRead = func(uids []string) error {
		if !slices.Contains(uids, uidOf(2)) {
			return nil
		}
		return &client.UnreadError{Failed: map[string]*client.Error{uidOf(2): {Kind: client.Refused, Status: 403,
			Request: true, Problem: diag.Problem{Message: "a page", Hint: "ask"}}}}
	}
	results := b.deliver(rule.plans(t, woman(1, "first", "A"), woman(2, "first", "B"), woman(3, "first", "C"))...)
	// The fake answers nothing beside, so the others are written as if they were new.
	if got := states(results); !strings.HasPrefix(strings.Fields(got)[0], "D") || strings.Fields(got)[1] != "FUU" ||
		!strings.HasPrefix(strings.Fields(got)[2], "D") {
		t.Errorf("states %s", got)
	}
	if o := results[1].Outcomes[0]; o.Code != "request-refused" || o.Class != actions.ClassMetadata || o.Hint == "" {
		t.Errorf("%+v", o)
	}
}

// TestLookUpsThatFail tells refusals of a question, which stay, from faults that pass.
func TestLookUpsThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		err   *client.Error
		state string
		class actions.Class
		code  string
	}{
		"an error inside": {&client.Error{Kind: client.Refused, Status: 500,
			Problem: diag.Problem{Message: "failed"}}, "RRR DDD",
			actions.ClassTransient, "refused"},
		"not searchable": {&client.Error{Kind: client.Refused, Status: 400,
			Problem: diag.Problem{Message: "not searchable"}}, "FFF DDD",
			actions.ClassMetadata, "lookup-refused"},
		"a parameter": {&client.Error{Kind: client.Refused, Status: 400, Request: true,
			Problem: diag.Problem{Message: "a parameter"}},
			"FFF DDD", actions.ClassMetadata, "request-refused"},
		"a conflict by 2.40": {&client.Error{Kind: client.Refused, Status: 409,
			Problem: diag.Problem{Message: "null"}}, "RRR DDD",
			actions.ClassTransient, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			b, rule := newBench(t), registrationRule(t, "fail")
			b.server.beforeFind = func([]string) error {
				return &client.UnreadError{Failed: map[string]*client.Error{"NID-1": test.err}}
			}
			results := b.deliver(rule.plans(t, woman(1), woman(2))...)
			want(t, results, test.state)
			if o := results[0].Outcomes[0]; o.Class != test.class || o.Code != test.code {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestWhatTheServerCannotRead is not tried for ever, though 2.40 calls it an error of its own.
func TestWhatTheServerCannotRead(t *testing.T) {
	o := codes.OfRequest(&client.Error{Kind: client.Refused, Status: 500,
		Detail: "Invalid date format '02/03/2026', only ..."})
	if o.Status != actions.Failed || o.Class != actions.ClassData {
		t.Errorf("%+v", o)
	}
	if o = codes.OfRequest(&client.Error{Kind: client.Refused, Status: 500, Detail: "null"}); o.Status != actions.Retry ||
		o.Class != actions.ClassTransient {
		t.Errorf("%+v", o)
	}
}

// TestABadLine delivers to a server of which every fifth request fails in some way. All good
// records must get through, none may fail for good.
func TestABadLine(t *testing.T) {
	for _, version := range []string{"2.40", "2.43"} {
		t.Run(version, func(t *testing.T) {
			s, err := sandbox.New(sandbox.Options{Metadata: "sandbox/testdata/tamala.json", Version: version,
				Faults: sandbox.Faults{Rate: 0.2, Seed: 7, Kinds: []string{
					sandbox.Fault500, sandbox.FaultBadGateway, sandbox.FaultDisk, sandbox.FaultDropBefore, sandbox.FaultDropAfter,
					sandbox.FaultTruncated, sandbox.FaultEmpty}}})
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(s)
			c, err := client.New(client.Options{URL: web.URL,
				Credentials: client.Credentials{Username: "admin", Password: "district"}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				c.Close()
				web.Close()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			b := &bench{t: t, server: newFake(), memory: newMemory()}
			b.target = NewTarget(c, countryIndex, b.memory, testOptions())
			rule := registrationRule(t, "fail")
			var plans []actions.Plan
			for n := range 60 {
				plans = append(plans, rule.plans(t, woman(n))...)
			}
			for tries := 0; len(plans) > 0; tries++ {
				if tries == 100 {
					t.Fatalf("%d records are not delivered after %d tries", len(plans), tries)
				}
				plans = onceMore(t, plans, b.deliver(plans...))
			}
			if n := s.Counts(); n.TrackedEntities != 60 || n.Enrollments != 60 || n.Events != 60 {
				t.Errorf("the server holds %+v", n)
			}
		})
	}
}

// onceMore gives the plans that are to be tried again, as the engine would.
func onceMore(t *testing.T, plans []actions.Plan, results []actions.Result) (rest []actions.Plan) {
	t.Helper()
	for n, r := range results {
		settled := true
		for _, o := range r.Outcomes {
			if o.Status == actions.Failed {
				t.Fatalf("a good record failed: %s: %s (%s)", o.Code, o.Message, o.Detail)
			}
			settled = settled && (o.Status == actions.Delivered || o.Status == actions.Unchanged)
		}
		if !settled {
			rest = append(rest, plans[n])
		}
	}
	return rest
}

// TestRequestsHoldSoManyRecords holds that a batch of which nearly everything was thought to be
// unchanged does not become one request when it is not.
func TestRequestsHoldSoManyRecords(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	o := testOptions()
	o.MaxRecords = 7
	b.target = NewTarget(b.server, countryIndex, b.memory, o)
	var plans []actions.Plan
	for n := range 20 {
		plans = append(plans, rule.plans(t, woman(n))...)
	}
	b.deliver(plans...)
	if len(b.server.requests) != 3 || len(b.server.entities) != 20 {
		t.Fatalf("%d requests, %d people", len(b.server.requests), len(b.server.entities))
	}
	for _, p := range b.server.requests {
		if len(p.TrackedEntities) > 7 || len(p.TrackedEntities) != len(p.Events) {
			t.Errorf("a request of %d people and %d events", len(p.TrackedEntities), len(p.Events))
		}
	}
}

// TestNothingGetsThrough is a firewall that answers every import with its page: after a few records
// it is clear that they are not the reason, and all wait. One record that it dislikes among good
// ones fails alone.
func TestNothingGetsThrough(t *testing.T) {
	page := &client.Error{Kind: client.Refused, Status: 403, Request: true, Problem: diag.Problem{Message: "a page",
		Hint: "ask"}}
	b, rule := newBench(t), registrationRule(t, "fail")
	b.server.before = func(*client.TrackerPayload) error { return page }
	var plans []actions.Plan
	for n := range 64 {
		plans = append(plans, rule.plans(t, woman(n))...)
	}
	for _, r := range b.deliver(plans...) {
		if o := r.Outcomes[0]; o.Status != actions.Retry || o.Class != actions.ClassTransient || o.Code != "request-refused" {
			t.Fatalf("%+v", o)
		}
	}
	if n := len(b.server.requests); n > 20 {
		t.Errorf("%d requests to find out", n)
	}
	b.server.before = func(p *client.TrackerPayload) error {
		for _, e := range p.TrackedEntities {
			if e.TrackedEntity == uidOf(9) {
				return page
			}
		}
		return nil
	}
	for n, r := range b.deliver(plans...) {
		if o := r.Outcomes[0]; (o.Status == actions.Failed) != (n == 9) {
			t.Fatalf("%d: %+v", n, o)
		}
	}
}
