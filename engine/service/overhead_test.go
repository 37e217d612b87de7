package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// What the server of BenchmarkDeliveryOverhead takes for a request and for each object in it.
const (
	perRequest = 20 * time.Millisecond
	perObject  = time.Millisecond
)

// recorder is a server that confirms everything after a while, and keeps what it was sent.
type recorder struct {
	next        http.Handler
	confirm     http.Handler
	mu          sync.Mutex
	bodies      [][]byte
	first, last time.Time
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/api/tracker" {
		c.next.ServeHTTP(w, r)
		return
	}
	began := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	time.Sleep(perRequest + time.Duration(len(eventUID.FindAll(body, -1)))*perObject - time.Since(began))
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.confirm.ServeHTTP(w, r)
	c.note(body, began)
}

// note keeps what was sent, and when it came.
func (c *recorder) note(body []byte, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies = append(c.bodies, body)
	if c.first.IsZero() {
		c.first = began
	}
	c.last = time.Now()
}

// take gives what was sent and how long it took from the first request to the last answer, and begins anew.
func (c *recorder) take() ([][]byte, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bodies, took := c.bodies, c.last.Sub(c.first)
	c.bodies, c.first = nil, time.Time{}
	return bodies, took
}

// BenchmarkDeliveryOverhead has a whole service deliver the rows of a file, and a plain loop post
// the very same batches to the same server. overhead-% is by how much the service takes longer,
// from the first request to the last answer.
func BenchmarkDeliveryOverhead(b *testing.B) {
	for _, concurrency := range []int{1, 4} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency),
			func(b *testing.B) { measureOverhead(b, concurrency, 4000*concurrency) })
	}
}

func measureOverhead(b *testing.B, concurrency, rows int) {
	const header = "id,site,day,age,sex\n"
	dir := nullProject(b, `files: {folder: drop, stable_for: 100ms}`, "cases.csv",
		header+"1,TM-010202,2026-03-02,7,FEMALE\n")
	behind, err := url.Parse(os.Getenv("DHIS2_URL"))
	if err != nil {
		b.Fatal(err)
	}
	server := &recorder{next: httputil.NewSingleHostReverseProxy(behind), confirm: confirming(nil)}
	srv := httptest.NewServer(server)
	b.Cleanup(srv.Close)
	b.Setenv("DHIS2_URL", srv.URL)
	text, err := os.ReadFile(filepath.Join(dir, "culvert.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	limits := fmt.Sprintf("default: true\n    limits: {concurrency: %d, batch_min: 200, batch_max: 200}", concurrency)
	write(b, filepath.Join(dir, "culvert.yaml"), strings.Replace(string(text), "default: true", limits, 1))
	runService(b, dir)
	var engine, raw time.Duration
	for round := range b.N {
		var file bytes.Buffer
		file.WriteString(header)
		for n := range rows {
			fmt.Fprintf(&file, "%d,TM-010202,2026-03-%02d,%d,FEMALE\n", round*rows+n, 1+n%28, n%90)
		}
		name := fmt.Sprintf("cases-%d.csv", round)
		dropAndWait(b, dir, name, file.Bytes())
		bodies, took := server.take()
		engine += took
		postAll(b, srv.URL, bodies, concurrency)
		_, took = server.take()
		raw += took
	}
	b.ReportMetric(float64(rows*b.N)/engine.Seconds(), "records/s")
	b.ReportMetric(float64(rows*b.N)/raw.Seconds(), "raw-records/s")
	b.ReportMetric(100*(engine.Seconds()/raw.Seconds()-1), "overhead-%")
}

// postAll is the plain loop: so many workers post ready-made batches one after another and read the answers.
func postAll(b *testing.B, address string, bodies [][]byte, concurrency int) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
	defer client.CloseIdleConnections()
	next := make(chan []byte)
	var wg sync.WaitGroup
	for range concurrency {
		wg.Go(func() {
			for body := range next {
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address+"/api/tracker?async=false",
					bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					continue
				}
				r.Header.Set("Content-Type", "application/json")
				r.SetBasicAuth("admin", "district")
				answer, err := client.Do(r)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	for _, body := range bodies {
		next <- body
	}
	close(next)
	wg.Wait()
}
