package service_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// BenchmarkNightly drops an export of 100,000 rows, and the next day the same export of which 500
// rows, spread over all of it, have changed. s is how long the second took from the drop to done/,
// requests how many it cost the server, which is that of BenchmarkShapes for 2.43.
func BenchmarkNightly(b *testing.B) {
	const header, rows, changed = "id,site,day,age,sex\n", 100_000, 500
	dir := nullProject(b, `files: {folder: drop, stable_for: 100ms}`, "cases.csv",
		header+"1,TM-010202,2026-03-02,7,FEMALE\n")
	server := &shaped{shape: shapes[0], next: passTo(b, os.Getenv("DHIS2_URL")), confirm: confirming(nil)}
	web := httptest.NewServer(server)
	b.Cleanup(web.Close)
	b.Setenv("DHIS2_URL", web.URL)
	runService(b, dir)
	for day := range b.N + 1 {
		var file bytes.Buffer
		file.WriteString(header)
		for n := range rows {
			age := n % 90
			if n%(rows/changed) == 0 {
				age = (age + day) % 100
			}
			fmt.Fprintf(&file, "%d,TM-010202,2026-03-%02d,%d,FEMALE\n", n, 1+n%28, age)
		}
		if day == 1 {
			b.ResetTimer()
		}
		began := time.Now()
		dropAndWait(b, dir, fmt.Sprintf("cases-%d.csv", day), file.Bytes())
		bodies, _ := server.take()
		records := 0
		for _, body := range bodies {
			records += len(eventUID.FindAll(body, -1))
		}
		b.Logf("day %d: %d records in %d requests, %.1f s", day, records, len(bodies), time.Since(began).Seconds())
		if day > 0 {
			b.ReportMetric(float64(len(bodies)), "requests")
			b.ReportMetric(time.Since(began).Seconds(), "s")
			if records != changed {
				b.Fatalf("%d records were sent, %d had changed", records, changed)
			}
		}
	}
}
