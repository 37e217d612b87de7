package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRate(t *testing.T) {
	route := open
	route.Limits = Limits{Rate: 2, Burst: 2}
	h, _ := serve(t, route)
	var codes []int
	for range 3 {
		codes = append(codes, send(h, post("/forms", "", `{"a": 1}`)).Code)
	}
	h.Replace([]Route{route}) // a reload gives no fresh allowance
	w := send(h, post("/forms", "", `{"a": 1}`))
	codes = append(codes, w.Code)
	if diff := cmp.Diff([]int{202, 202, 429, 429}, codes); diff != "" {
		t.Error(diff)
	}
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("retry after %q", w.Header().Get("Retry-After"))
	}
}

func TestIdempotencyKeys(t *testing.T) {
	h, s := serve(t, open)
	keyed := func(body string) *httptest.ResponseRecorder {
		return send(h, post("/forms", "", body, func(r *http.Request) { r.Header.Set("Idempotency-Key", "k1") }))
	}
	first, second, other := keyed(`{"a": 1}`), keyed(`{"a": 1}`), keyed(`{"a": 2}`)
	if first.Code != 202 || second.Code != 200 || first.Body.String() != second.Body.String() {
		t.Errorf("answered %d %s and %d %s", first.Code, first.Body, second.Code, second.Body)
	}
	if other.Code != 422 {
		t.Errorf("the key with another body: answered %d", other.Code)
	}
	if len(s.records) != 1 {
		t.Errorf("%d records", len(s.records))
	}
	if got := s.records[0].Origin.Headers; got["idempotency-key"] != "k1" {
		t.Errorf("the rule sees the headers %v", got)
	}
}

// Every request that comes while routes are replaced is answered under the old routes or the new ones.
func TestReplaceWhileServing(t *testing.T) {
	h, s := serve(t, open)
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := srv.Client()
	defer client.CloseIdleConnections()
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for i := range 50 {
				res, err := client.Post(srv.URL+"/forms", "application/json", strings.NewReader(fmt.Sprintf(`{"i": %d}`, i)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					t.Errorf("answered %d", res.StatusCode)
				}
			}
		})
	}
	stop := make(chan struct{})
	var replacer sync.WaitGroup
	replacer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				h.Replace([]Route{open, {Rule: "other", Path: "/other", Auth: Auth{None: true}}})
			}
		}
	})
	senders.Wait()
	close(stop)
	replacer.Wait()
	if len(s.records) != 200 {
		t.Errorf("%d of 200 records", len(s.records))
	}
}

func TestRunGivesTheSink(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	h.Replace([]Route{open})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- h.Run(ctx, &sink{}) }()
	deadline := time.Now().Add(10 * time.Second)
	for send(h, post("/forms", "", `{"a": 1}`)).Code != 202 {
		if time.Now().After(deadline) {
			t.Fatal("the sink is never used")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if w := send(h, post("/forms", "", `{"a": 1}`)); w.Code != 503 {
		t.Errorf("after the end: answered %d", w.Code)
	}
}

// TestPathsBelow: FHIR servers put each resource at an address of its own below that of the subscription.
func TestPathsBelow(t *testing.T) {
	t.Parallel()
	route := func(rule, path string) Route { return Route{Rule: rule, Path: path, Auth: Auth{None: true}} }
	h, s := serve(t, route("all", "/fhir/*"), route("encounters", "/fhir/Encounter/*"), route("one", "/fhir/Encounter/7"))
	for path, rule := range map[string]string{
		"/fhir/Encounter/7": "one", "/fhir/Encounter/8": "encounters", "/fhir/Encounter/8/": "encounters",
		"/fhir/Condition/1/_history/2": "all", "/fhir": "all", "/fhir/": "all", "/fhir/Encounter": "encounters", "/": "", "/fhirs/a": "", "/fhir/*": "all",
	} {
		w := send(h, post(path, "application/json", `{"a": 1}`))
		if rule == "" {
			if w.Code != http.StatusNotFound || h.Serves(path) {
				t.Errorf("%s: answered %d", path, w.Code)
			}
			continue
		}
		s.mu.Lock()
		last := s.records[len(s.records)-1].Rule
		s.mu.Unlock()
		if last != rule || !h.Serves(path) {
			t.Errorf("%s: rule %s takes it", path, last)
		}
	}
}

// TestNothingThere: a body without the list that items names may be of another kind, and is not taken for an empty one.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	bundle, err := routeOf("bundle", trigger(t, "{path: /fhir, items: 'map(trigger.entry, .resource)'}"), Auth{None: true},
		nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := routeOf("data", trigger(t, "{path: /data, items: trigger.data}"), Auth{None: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	single := Route{Rule: "single", Path: "/both", Auth: Auth{None: true}}
	both := data
	both.Path = "/both"
	h, _ := serve(t, bundle, data, both, single)
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/data", `{"data": []}`, 200}, {"/data", `{"data": [{"a": 1}]}`, 202},
		{"/data", `{"dota": [{"a": 1}]}`, 422}, {"/data", `{"data": null}`, 422}, {"/data", `{"data": 7}`, 422},
		{"/fhir", `{"entry": [{"resource": {"a": 1}}]}`, 202}, {"/fhir", `{"resourceType": "Bundle"}`, 200},
		{"/both", `{"dota": 1}`, 202}, // the other rule knows it
	} {
		if w := send(h, post(c.path, "application/json", c.body)); w.Code != c.status {
			t.Errorf("%s %s: answered %d %s", c.path, c.body, w.Code, w.Body)
		}
	}
}
