package kobo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// server is a KoboToolbox with one project, as kpi answers: pages of at most so many, the language
// of MongoDB as far as it is used here, an API key.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	items  map[int]map[string]any
	most   int      // of a page
	asked  []string // queries
	hidden bool     // the user sees nothing any more
}

const asset = "aQ2wE4rT6yU8iO0pA2sD4f"

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{items: map[int]map[string]any{}, most: 3}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

// submit puts a submission in place; another uuid is an edit.
func (s *server) submit(id int, at, uuid string, more ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := map[string]any{
		"_id": id, "_uuid": uuid, "meta/instanceID": "uuid:" + uuid, "meta/rootUuid": fmt.Sprintf("uuid:root-%d", id),
		"_submission_time": at,
		"_xform_id_string": asset, "_validation_status": map[string]any{}, "_attachments": []any{}, "facility": "KE-0417",
		"children": []any{map[string]any{"children/child_name": "Amina"}},
	}
	if old := s.items[id]; old != nil && old["_uuid"] != uuid {
		body["meta/deprecatedID"] = old["meta/instanceID"]
	}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	s.items[id] = body
}

func (s *server) remove(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, id)
}

// log gives what was asked since the last call.
func (s *server) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked = nil
	return out
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Token s3cret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	if r.URL.Path != "/api/v2/assets/"+asset+"/data.json" || q.Get("sort") != `{"_id":1}` {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.asked = append(s.asked, q.Get("query")+q.Get("fields"))
	var query map[string]any
	if text := q.Get("query"); text != "" {
		if err := json.Unmarshal([]byte(text), &query); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	var ids []int
	for id, body := range s.items {
		if !s.hidden && matches(query, body) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil {
		limit = 100
	}
	count := len(ids)
	ids = ids[:min(len(ids), limit, s.most)]
	results := []any{}
	for _, id := range ids {
		results = append(results, only(s.items[id], q.Get("fields")))
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"count": count, "next": nil, "previous": nil, "results": results})
}

// only gives the fields that are asked for; the server adds two.
func only(body map[string]any, fields string) map[string]any {
	if fields == "" {
		return body
	}
	var names []string
	if err := json.Unmarshal([]byte(fields), &names); err != nil {
		return nil
	}
	out := map[string]any{}
	for _, name := range append(names, "_uuid", "meta/rootUuid") {
		if v, ok := body[name]; ok {
			out[name] = v
		}
	}
	return out
}

func matches(query, body map[string]any) bool {
	for key, condition := range query {
		if key == "$and" {
			for _, part := range condition.([]any) {
				if !matches(part.(map[string]any), body) {
					return false
				}
			}
			continue
		}
		for operator, want := range condition.(map[string]any) {
			switch operator {
			case "$gt":
				if float64(body[key].(int)) <= want.(float64) {
					return false
				}
			case "$gte":
				if body[key].(string) < want.(string) {
					return false
				}
			case "$in":
				if !slices.Contains(want.([]any), any(float64(body[key].(int)))) {
					return false
				}
			}
		}
	}
	return true
}
