package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// shape is a DHIS2 as it was measured with plain loops: a request queues for work that is done one
// request at a time, some for itself and some for each record in it, which from a size on costs
// more than its share.
type shape struct {
	name, version string
	request, each time.Duration
	large         int // size from which a record costs more; 0: none
}

// The figures are those of engine/dispatch/shapes_test.go; those of 2.42 at a tenth of the time, so that a sweep ends.
var shapes = []shape{
	{"2.43", "2.43.1", 110 * time.Millisecond, 550 * time.Microsecond, 0},
	{"2.42", "2.42.4.1", 30 * time.Millisecond, 720 * time.Microsecond, 250},
}

func (s shape) work(records int) time.Duration {
	each := float64(s.each)
	if s.large > 0 && records > s.large {
		each *= math.Pow(float64(records)/float64(s.large), 0.3)
	}
	return s.request + time.Duration(each*float64(records))
}

// shaped is a server of a shape. It confirms everything.
type shaped struct {
	shape
	next, confirm http.Handler
	working       sync.Mutex
	recorder
}

var versionText = regexp.MustCompile(`"version":"[^"]*"`)

func (s *shaped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/system/info":
		held := httptest.NewRecorder()
		s.next.ServeHTTP(held, r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(versionText.ReplaceAll(held.Body.Bytes(), []byte(`"version":"`+s.version+`"`)))
		return
	case r.Method != http.MethodPost || r.URL.Path != "/api/tracker":
		s.next.ServeHTTP(w, r)
		return
	}
	began := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	records := len(eventUID.FindAll(body, -1))
	s.working.Lock()
	time.Sleep(s.work(records))
	s.working.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.confirm.ServeHTTP(w, r)
	s.note(body, began)
}

// BenchmarkShapes has a service that knows nothing of a server deliver a file to it, then one that
// has delivered to it before, and compares both with the best plain loop of all fixed
// batches and numbers of workers on the same server. The times are from the first request to the
// last answer. best-% is how much of the best loop's rate it comes to.
func BenchmarkShapes(b *testing.B) {
	for _, s := range shapes {
		for _, records := range []int{600, 6000} {
			b.Run(fmt.Sprintf("%s/%d", s.name, records), func(b *testing.B) { measureShape(b, s, records) })
		}
	}
}

func measureShape(b *testing.B, s shape, records int) {
	const header = "id,site,day,age,sex\n"
	dir := nullProject(b, `files: {folder: drop, stable_for: 100ms}`, "cases.csv",
		header+"1,TM-010202,2026-03-02,7,FEMALE\n")
	server := &shaped{shape: s, next: passTo(b, os.Getenv("DHIS2_URL")), confirm: confirming(nil)}
	web := httptest.NewServer(server)
	b.Cleanup(web.Close)
	b.Setenv("DHIS2_URL", web.URL)
	var took [2]time.Duration
	var objects []json.RawMessage
	for n, run := range []string{"cold", "warm"} {
		_, _, stop := startService(b, dir)
		var file bytes.Buffer
		file.WriteString(header)
		for i := range records {
			fmt.Fprintf(&file, "%s-%d,TM-010202,2026-03-%02d,%d,FEMALE\n", run, i, 1+i%28, i%90)
		}
		dropAndWait(b, dir, run+".csv", file.Bytes())
		stop()
		bodies, d := server.take()
		took[n] = d
		if objects == nil {
			objects = eventsOf(b, bodies)
		}
		var sizes []int
		for _, body := range bodies {
			sizes = append(sizes, len(eventUID.FindAll(body, -1)))
		}
		b.Logf("%s: requests of %v records", run, sizes)
	}
	best, at := bestFixed(b, web.URL, server, objects)
	for n, run := range []string{"cold", "warm"} {
		b.ReportMetric(100*best.Seconds()/took[n].Seconds(), run+"-best-%")
		b.ReportMetric(float64(records)/took[n].Seconds(), run+"-records/s")
	}
	b.ReportMetric(float64(records)/best.Seconds(), "loop-records/s")
	b.Logf("the best loop was %s", at)
}

// bestFixed posts the objects with every fixed setting and gives the least time.
func bestFixed(b *testing.B, address string, server *shaped, objects []json.RawMessage) (best time.Duration,
	at string) {
	b.Helper()
	for _, batch := range []int{50, 100, 200, 250, 500, 1000} {
		var bodies [][]byte
		for n := 0; n < len(objects); n += batch {
			body, err := json.Marshal(map[string]any{"events": objects[n:min(n+batch, len(objects))]})
			if err != nil {
				b.Fatal(err)
			}
			bodies = append(bodies, body)
		}
		for _, workers := range []int{1, 2, 4} {
			postAll(b, address, bodies, workers)
			if _, took := server.take(); best == 0 || took < best {
				best, at = took, fmt.Sprintf("%dx%d", batch, workers)
			}
		}
	}
	return best, at
}

func eventsOf(b *testing.B, bodies [][]byte) (objects []json.RawMessage) {
	b.Helper()
	for _, body := range bodies {
		var p struct {
			Events []json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal(body, &p); err != nil {
			b.Fatal(err)
		}
		objects = append(objects, p.Events...)
	}
	return objects
}

// passTo hands requests on to another server.
func passTo(b *testing.B, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		on, err := http.NewRequestWithContext(context.Background(), r.Method, address+r.URL.RequestURI(), r.Body)
		if err != nil {
			b.Error(err)
			return
		}
		on.Header = r.Header.Clone()
		on.Header.Del("Accept-Encoding")
		answer, err := http.DefaultTransport.RoundTrip(on)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	})
}

func dropAndWait(b *testing.B, dir, name string, text []byte) {
	b.Helper()
	write(b, filepath.Join(dir, name), string(text))
	if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "drop", name)); err != nil {
		b.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "drop", "done", name)); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
