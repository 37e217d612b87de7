package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// teller is a sink that knows what becomes of records: of a record whose state is pending only once its time is over.
type teller struct {
	*sink
	outcomes []sources.Outcome // of records r1, r2 and so on, with Seq 1, 2...
}

func (s *teller) Accept(ctx context.Context, b sources.Batch) ([]sources.Receipt, error) {
	receipts, err := s.sink.Accept(ctx, b)
	for i := range receipts {
		receipts[i].Seq = int64(len(s.records) - len(receipts) + i + 1)
	}
	return receipts, err
}

func (s *teller) Await(ctx context.Context, seqs []int64) (list []sources.Outcome, err error) {
	for _, seq := range seqs {
		o := s.outcomes[seq-1]
		o.Seq = seq
		if list = append(list, o); o.State == "pending" {
			<-ctx.Done()
		}
	}
	return list, nil
}

var delivered = sources.Outcome{State: "delivered", Objects: []string{"a1b2c3d4e5f"}}

func answering(wait time.Duration) Route {
	return Route{Rule: "anc", Path: "/forms", Auth: Auth{None: true}, Wait: wait}
}

func TestReplyWithTheOutcome(t *testing.T) {
	t.Parallel()
	failed := sources.Outcome{State: "failed", Problem: diag.Problem{Code: "unknown-option",
		Message: "no option is called Maybe", Hint: "add it"}}
	for _, c := range []struct {
		name, body string
		wait       time.Duration
		outcomes   []sources.Outcome
		status     int
		want       string
	}{
		{"delivered", `{"a": 1}`, time.Minute, []sources.Outcome{delivered}, 200,
			`{"accepted": 1, "records": [{"rule": "anc", "id": "r1", "state": "delivered", "objects": ["a1b2c3d4e5f"]}]}`},
		{"failed: it is kept, so no sender is to send it again", `{"a": 1}`, time.Minute, []sources.Outcome{failed}, 200,
			`{"accepted": 1, "records": [{"rule": "anc", "id": "r1", "state": "failed", "code": "unknown-option",
				"cause": "no option is called Maybe", "hint": "add it"}]}`},
		{"delivered with a remark", `{"a": 1}`, time.Minute, []sources.Outcome{{State: "delivered",
			Problem: diag.Problem{Code: "outside-country", Message: "it lies far outside", Hint: "look"}}}, 200,
			`{"accepted": 1, "records": [{"rule": "anc", "id": "r1", "state": "delivered", "remark": "it lies far outside"}]}`},
		{"failed in a field", `{"a": 1}`, time.Minute, []sources.Outcome{{State: "failed",
			Problem: diag.Problem{Code: "c", Message: "m", Hint: "h", Field: "Case sex", Column: "sex"}}}, 200,
			`{"accepted": 1, "records": [{"rule": "anc", "id": "r1", "state": "failed", "code": "c", "field": "Case sex",
				"column": "sex", "cause": "m", "hint": "h"}]}`},
		{"one of two is on its way when the time is over", `[{"a": 1}, {"a": 2}]`, time.Millisecond,
			[]sources.Outcome{{State: "pending"}, delivered}, 202,
			`{"accepted": 2, "records": [{"rule": "anc", "id": "r1", "state": "pending"},
				{"rule": "anc", "id": "r2", "state": "delivered", "objects": ["a1b2c3d4e5f"]}]}`},
		{"a rule that does not wait", `{"a": 1}`, 0, []sources.Outcome{delivered}, 202,
			`{"accepted": 1, "records": [{"rule": "anc", "id": "r1"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, s := serve(t, answering(c.wait))
			h.sink.Store(&sinkRef{&teller{s, c.outcomes}, t.Context()})
			w := send(h, post("/forms", "application/json", c.body))
			if w.Code != c.status {
				t.Errorf("answered %d", w.Code)
			}
			sameAnswer(t, w.Body.String(), c.want)
		})
	}
}

// A sender whose time was over asks again with the same key: nothing is kept twice, and it hears the outcome.
func TestReplyToARepeatedRequest(t *testing.T) {
	t.Parallel()
	h, s := serve(t, answering(time.Millisecond))
	tell := &teller{s, []sources.Outcome{{State: "pending"}}}
	h.sink.Store(&sinkRef{tell, t.Context()})
	again := func(r *http.Request) { r.Header.Set("Idempotency-Key", "k1") }
	if w := send(h, post("/forms", "application/json", `{"a": 1}`, again)); w.Code != http.StatusAccepted {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	tell.outcomes[0] = delivered
	w := send(h, post("/forms", "application/json", `{"a": 1}`, again))
	if w.Code != http.StatusOK || w.Header().Get("Idempotent-Replayed") != "true" ||
		!strings.Contains(w.Body.String(), "a1b2c3d4e5f") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if n := len(s.bodies()); n != 1 {
		t.Errorf("%d records are kept", n)
	}
}

// Waiting ends with the run, with the caller, and does not begin when too many wait already.
func TestReplyDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *Handler, ref *sinkRef) func(*http.Request){
		"the run has ended": func(_ *Handler, ref *sinkRef) func(*http.Request) {
			ended, end := context.WithCancel(context.Background())
			end()
			ref.running = ended
			return func(*http.Request) {}
		},
		"the caller has hung up": func(*Handler, *sinkRef) func(*http.Request) {
			gone, leave := context.WithCancel(context.Background())
			leave()
			return func(r *http.Request) { *r = *r.WithContext(gone) }
		},
		"too many wait": func(h *Handler, _ *sinkRef) func(*http.Request) {
			if !h.waiting.TryAcquire(maxWaiting) {
				t.Error("somebody waits already")
			}
			return func(*http.Request) {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, s := serve(t, answering(time.Hour))
			ref := &sinkRef{&teller{s, []sources.Outcome{{State: "pending"}}}, t.Context()}
			request := post("/forms", "application/json", `{"a": 1}`, change(h, ref))
			h.sink.Store(ref)
			if w := send(h, request); w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"pending"`) {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
}

// ODK Collect takes 201 alone for yes, and shows its user the message.
func TestReplyToCollect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		outcome sources.Outcome
		says    string
	}{
		{delivered, "The form was received. It is in DHIS2."},
		{sources.Outcome{State: "failed", Problem: diag.Problem{Message: "no org unit is called Kilifii"}},
			"The form was received. It is kept, but not in DHIS2: no org unit is called Kilifii."},
		{sources.Outcome{State: "held", Problem: diag.Problem{Message: "rule anc is paused"}},
			"The form was received. It is kept, but not in DHIS2: rule anc is paused."},
	} {
		h, s := serve(t, answering(time.Minute))
		h.sink.Store(&sinkRef{&teller{s, []sources.Outcome{c.outcome}}, t.Context()})
		w := send(h, post("/forms", "application/json", `{"a": 1}`,
			func(r *http.Request) { r.Header.Set(openRosaVersion, "1.0") }))
		if w.Code != http.StatusCreated || !strings.Contains(w.Body.String(), ">"+c.says+"<") {
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
	}
}

func sameAnswer(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Error(diff)
	}
}
