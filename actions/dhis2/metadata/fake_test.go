package metadata

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// thing is an object as the fake server holds it.
type thing = map[string]any

// fakeServer answers what a sync asks with the recorded objects of a real server, in pages, and
// lets tests change them meanwhile.
type fakeServer struct {
	mu       sync.Mutex
	info, me thing
	lists    map[string][]thing
	units    map[string][]string
	updated  map[string]string // uid -> lastUpdated
	asked    []string          // collection, and what was asked of it
	before   func(f *fakeServer, collection string, page int)
	away     int    // answers still to be refused with 503
	refuses  string // a filter that it does not know
}

func newFake(t testing.TB, version string) *fakeServer {
	f := &fakeServer{lists: map[string][]thing{}, updated: map[string]string{}}
	for name, text := range recorded(t, version) {
		var err error
		switch name {
		case "info":
			err = json.Unmarshal(text, &f.info)
		case "me":
			err = json.Unmarshal(text, &f.me)
		case "orgUnits":
			err = json.Unmarshal(text, &f.units)
		default:
			var body map[string][]thing
			err = json.Unmarshal(text, &body)
			f.lists[name] = body[name]
		}
		if err != nil {
			t.Fatal(name, err)
		}
	}
	return f
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	name := strings.TrimPrefix(r.URL.Path, "/api/")
	var body any
	switch name {
	case "system/info":
		body = f.info
	case "me":
		body = f.me
	case "programs/orgUnits":
		body = f.units
	default:
		if f.away > 0 {
			f.away--
			http.Error(w, "<html>back soon</html>", http.StatusServiceUnavailable)
			return
		}
		if slices.Contains(q["filter"], f.refuses) {
			http.Error(w, `{"httpStatusCode": 400, "status": "ERROR", "message": "no such filter"}`, http.StatusBadRequest)
			return
		}
		page, _ := strconv.Atoi(q.Get("page"))
		if f.before != nil {
			f.before(f, name, page)
		}
		body = f.page(name, page, q.Get("pageSize"), q["filter"])
		what := "all"
		if slices.Contains(q["filter"], "geometry:!null") {
			what = q.Get("fields") + " " + q.Get("filter")
		} else if q.Get("filter") != "" {
			what = "changed"
		} else if q.Get("fields") == "id" {
			what = "ids"
		}
		f.asked = append(f.asked, name+" "+what)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (f *fakeServer) page(name string, page int, size string, filters []string) any {
	objects := slices.Clone(f.lists[name])
	slices.SortFunc(objects, func(a, b thing) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	for _, filter := range filters {
		if since, ok := strings.CutPrefix(filter, "lastUpdated:gt:"); ok {
			objects = slices.DeleteFunc(objects, func(o thing) bool { return f.updated[o["id"].(string)] <= since })
		}
		if level, ok := strings.CutPrefix(filter, "level:eq:"); ok {
			objects = slices.DeleteFunc(objects, func(o thing) bool { return fmt.Sprint(o["level"]) != level })
		}
		if filter == "geometry:!null" {
			objects = slices.DeleteFunc(objects, func(o thing) bool { return o["geometry"] == nil })
		}
	}
	n, _ := strconv.Atoi(size)
	n = min(n, 40) // more pages than the sync asks for
	pages := (len(objects) + n - 1) / n
	start := min((page-1)*n, len(objects))
	return thing{"pager": thing{"page": page, "total": len(objects), "pageSize": n, "pageCount": pages},
		name: objects[start:min(start+n, len(objects))]}
}

func (f *fakeServer) object(name, id string) thing {
	for _, o := range f.lists[name] {
		if o["id"] == id {
			return o
		}
	}
	return nil
}

func (f *fakeServer) remove(name, id string) {
	f.lists[name] = slices.DeleteFunc(f.lists[name], func(o thing) bool { return o["id"] == id })
}

func (f *fakeServer) start(t testing.TB) *client.Client {
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{URL: server.URL, Credentials: client.Credentials{Token: "d2pat_x"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
