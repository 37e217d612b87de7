package commcare

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote/remotetest"
)

const rule = `rule: out
trigger: {webhook: {path: /x}}
id: trigger.id
actions:
  - commcare.update_case:
      case_id: trigger.case
      properties:
        dhis2_id: trigger.uid
        error: {from: trigger.error, blank: clear}
        n: trigger.n
`

// hq answers as the Case API v2 does: all cases of a request or none.
type hq struct {
	status   int // other than 200
	body     string
	requests []int             // cases of each
	cases    map[string]string // dhis2_id by case
}

func (h *hq) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.status != 0 {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(h.status)
		_, _ = fmt.Fprint(w, h.body)
		return
	}
	if r.Method == http.MethodPut {
		_, _ = fmt.Fprintf(w, `{"form_id": "f", "case": {"case_id": "new-%s"}}`, r.URL.EscapedPath())
		return
	}
	var list []map[string]any
	if r.URL.Path != "/a/demo/api/case/v2/" || r.Header.Get("Authorization") != "ApiKey u:k" ||
		json.NewDecoder(r.Body).Decode(&list) != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	h.requests = append(h.requests, len(list))
	for i, c := range list {
		if create, ok := c["create"].(bool); !ok || create {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"error": "Error in row %d: A 'create' flag is required for each update."}`, i+1)
			return
		}
		switch c["case_id"] {
		case "missing":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"error": "No case found with ID 'missing'"}`)
			return
		case "bad":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"error": "Error with case property 'x'", "form_id": "f"}`)
			return
		}
	}
	ids := ""
	for i, c := range list {
		h.cases[c["case_id"].(string)] = fmt.Sprint(c["properties"].(map[string]any)["dhis2_id"])
		if i > 0 {
			ids += ","
		}
		ids += fmt.Sprintf(`{"case_id": %q}`, c["case_id"])
	}
	_, _ = fmt.Fprintf(w, `{"form_id": "f", "cases": [%s]}`, ids)
}

func targetOf(t *testing.T, h *hq) (actions.Target, *remotetest.Memory) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	memory := &remotetest.Memory{}
	target, err := NewTarget(
		actions.Connection{Name: "hq", Kind: "commcare", URL: server.URL + "/a/other/dashboard", Domain: "demo",
			Username: "u", APIKey: "k"},
		actions.TargetOptions{Memory: memory},
	)
	if err != nil {
		t.Fatal(err)
	}
	return target, memory
}

// TestBulk sends a hundred at once, and finds those that are refused by halves.
func TestBulk(t *testing.T) {
	h := &hq{cases: map[string]string{}}
	target, memory := targetOf(t, h)
	var plans []actions.Plan
	for i := range 130 {
		id := fmt.Sprintf("c%d", i)
		switch i {
		case 17:
			id = "missing"
		case 60:
			id = "bad"
		}
		plans = append(
			plans,
			remotetest.Plan(
				t,
				kind{"p"},
				rule,
				map[string]any{"id": fmt.Sprint("r", i), "case": id, "uid": "U" + id, "n": 3.0, "error": ""},
			),
		)
	}
	results := target.Deliver(t.Context(), plans)
	memory.Take(results)
	for i, r := range results {
		o := r.Outcomes[0]
		switch {
		case i == 17 && (o.Status != actions.Retry || o.Class != actions.ClassParent),
			i == 60 && (o.Status != actions.Failed || o.Detail != "Error with case property 'x'"),
			i != 17 && i != 60 && (o.Status != actions.Delivered || o.ObjectID != fmt.Sprintf("c%d", i)):
			t.Errorf("case %d: %+v", i, o)
		}
	}
	if len(h.cases) != 128 || h.cases["c3"] != "Uc3" || slices.Max(h.requests) != 100 || len(h.requests) > 30 {
		t.Errorf("%d cases in requests of %v", len(h.cases), h.requests)
	}
	// The same once more: only those that are not there yet are asked for.
	h.requests = nil
	target.Deliver(t.Context(), plans)
	if d := cmp.Diff([]int{2, 1, 1}, h.requests); d != "" {
		t.Error(d)
	}
}

// TestAnswers says what waits, and for whom.
func TestAnswers(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   actions.Status
		class  actions.Class
	}{
		{429, "", actions.Retry, actions.ClassServer}, {503, "<html>", actions.Retry, actions.ClassServer},
		{401, "", actions.Retry, actions.ClassCredentials}, {403, "", actions.Retry, actions.ClassCredentials},
		{404, "<html>", actions.Retry, actions.ClassCredentials},
		{403, `{"error": "Insufficient permission for Case 'c'"}`, actions.Failed, actions.ClassRights},
		{400, `{"error": "There are multiple cases with external_id 7"}`, actions.Failed, actions.ClassConflict},
		{400, `{"error": "Case updates must provide either a case_id or external_id"}`, actions.Failed, actions.ClassData},
	} {
		target, _ := targetOf(t, &hq{status: test.status, body: test.body})
		plan := remotetest.Plan(t, kind{"p"}, rule, map[string]any{"id": "1", "case": "c", "uid": "U"})
		o := target.Deliver(t.Context(), []actions.Plan{plan})[0].Outcomes[0]
		if o.Status != test.want || o.Class != test.class {
			t.Errorf("%d %s is %v %q, not %v %q", test.status, test.body, o.Status, o.Class, test.want, test.class)
		}
	}
}

// TestCreates names a case that may be new by its external id, in a request of its own.
func TestCreates(t *testing.T) {
	target, _ := targetOf(t, &hq{})
	plan := remotetest.Plan(t, kind{"p"}, `rule: out
trigger: {webhook: {path: /x}}
id: trigger.id
actions:
  - commcare.update_case:
      external_id: trigger.case
      case_type: {value: pregnancy}
      case_name: trigger.name
      owner_id: {value: o1}
`, map[string]any{"id": "1", "case": "a/b", "name": "Fatou"})
	o := target.Deliver(t.Context(), []actions.Plan{plan})[0].Outcomes[0]
	if o.Status != actions.Delivered || o.ObjectID != "new-/a/demo/api/case/v2/ext/a%2Fb/" {
		t.Errorf("%+v", o)
	}
}

// TestMistakes have their codes.
func TestMistakes(t *testing.T) {
	head := "rule: out\ntrigger: {webhook: {path: /x}}\nid: trigger.id\nactions:\n  - commcare.update_case:\n"
	remotetest.Mistakes(t, kind{"p"}, head, map[string]string{
		"      properties: {a: trigger.a}\n": "missing-key",
		"      case_id: trigger.a\n":         "missing-key",
		"      case_id: trigger.a\n      external_id: trigger.b\n      properties: {a: trigger.a}\n": "two-ids",
		"      case_id: trigger.a\n      properties: {owner_id: trigger.a}\n":                        "bad-property",
		"      case_id: trigger.a\n      properties: {2x: trigger.a}\n":                              "bad-property",
		"      case_id: trigger.a\n      case_type: {value: x}\n":                                    "missing-key",
	})
}
