package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/examples"
)

// caseRule makes one event of an event program of every row or form.
const caseRule = `rule: cases
trigger:
  %s
  sample: samples/%s
id: trigger.id
lookups:
  site: {in: organisationUnits, code: trigger.site}
actions:
  - dhis2.event:
      program: Malaria case notification
      org_unit: site
      occurred_at: trigger.day
      data_values:
        Case age (years): trigger.age
        Case sex: trigger.sex
`

// nullProject is a project with one rule whose server confirms everything and keeps nothing.
func nullProject(tb testing.TB, trigger, sample, text string) string {
	tb.Helper()
	dir := tb.TempDir()
	err := examples.Write("anc", dir, func(p string) bool {
		return p == "culvert.yaml" ||
			strings.HasPrefix(p, "input/tamala")
	})
	if err != nil {
		tb.Fatal(err)
	}
	write(tb, filepath.Join(dir, "rules", "cases.yaml"), fmt.Sprintf(caseRule, trigger, sample))
	write(tb, filepath.Join(dir, "samples", sample), text)
	box, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")})
	if err != nil {
		tb.Fatal(err)
	}
	srv := httptest.NewServer(confirming(box))
	tb.Cleanup(func() {
		srv.Close()
		if err := box.Close(); err != nil {
			tb.Error(err)
		}
	})
	for name, value := range map[string]string{"DHIS2_URL": srv.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		tb.Setenv(name, value)
	}
	config, _, _, err := project.ReadConfig(dir)
	if err != nil {
		tb.Fatal(err)
	}
	client, err := project.Connect(config, config.ServerNamed(""), dir, slog.New(slog.DiscardHandler), "bench")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := project.Sync(context.Background(), client, dir, "national", true, nil); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func write(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

var eventUID = regexp.MustCompile(`"event":"([A-Za-z0-9]{11})"`)

// confirming answers tracker imports as if every event had been written, at the cost of finding
// their uids; everything else goes to the sandbox.
func confirming(box http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/tracker" {
			box.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var b bytes.Buffer
		found := eventUID.FindAllSubmatch(body, -1)
		n := len(found)
		fmt.Fprintf(&b, `{"status":"OK","validationReport":{"errorReports":[],"warningReports":[]},"stats":{"created":%d,`+
			`"updated":0,"deleted":0,"ignored":0,"total":%d},`, n, n)
		b.WriteString(`"bundleReport":{"typeReportMap":{"EVENT":{"trackerType":"EVENT","objectReports":[`)
		for i, f := range found {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"trackerType":"EVENT","uid":"%s","errorReports":[]}`, f[1])
		}
		b.WriteString(`]}}}}`)
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = w.Write(b.Bytes())
	})
}

// runService runs a project for the length of a benchmark and gives its address.
func runService(tb testing.TB, dir string) (*service.Service, string) {
	tb.Helper()
	s, address, stop := startService(tb, dir)
	tb.Cleanup(stop)
	return s, address
}

// startService runs a project until it is stopped.
func startService(tb testing.TB, dir string) (s *service.Service, address string, stop func()) {
	tb.Helper()
	return startWith(tb, service.Options{Dir: dir})
}

// startWith is startService with more options.
func startWith(tb testing.TB, o service.Options) (s *service.Service, address string, stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	o.Loader, o.Version = &project.Loader{Sources: project.SourceKinds()}, "bench"
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Ready = func(a string) { ready <- a }
	s, err := service.Open(ctx, o)
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	go func() { ended <- s.Run(ctx) }()
	return s, <-ready, func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	}
}

// BenchmarkFileDrop drops a CSV of 100,000 rows and waits until every row has an outcome in done/.
// The server confirms everything at once.
func BenchmarkFileDrop(b *testing.B) {
	const rows = 100_000
	row := func(n int) string { return fmt.Sprintf("%d,TM-010202,2026-03-%02d,%d,FEMALE\n", n, 1+n%28, n%90) }
	header := "id,site,day,age,sex\n"
	dir := nullProject(b, `files: {folder: drop, stable_for: 100ms}`, "cases.csv", header+row(1))
	runService(b, dir)
	b.ResetTimer()
	for round := range b.N {
		b.StopTimer()
		var text bytes.Buffer
		text.WriteString(header)
		for n := range rows {
			text.WriteString(row(round*rows + n))
		}
		write(b, filepath.Join(dir, "cases.csv"), text.String())
		b.StartTimer()
		name := fmt.Sprintf("cases-%d.csv", round)
		if err := os.Rename(filepath.Join(dir, "cases.csv"), filepath.Join(dir, "drop", name)); err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "drop", "done", name)); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(peakRSS(b))/1024, "peak-MiB")
	b.ReportMetric(float64(journalSize(b, dir))/float64(rows*b.N), "journal-B/row")
}

// peakRSS is the largest resident set of this process in KiB, the null server included.
func peakRSS(b *testing.B) int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Log("peak memory is known on Linux only")
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	return 0
}

func journalSize(b *testing.B, dir string) int64 {
	files, err := filepath.Glob(filepath.Join(dir, "state", "culvert.db*"))
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	return size
}
