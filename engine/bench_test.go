package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/heap"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// nullTarget takes everything at once, and gives a digest of every object as a server's target does.
type nullTarget struct{ records atomic.Int64 }

func (n *nullTarget) Deliver(_ context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	outcomes := make([]actions.Outcome, len(plans))
	for i, p := range plans {
		outcomes[i].ObjectID = p.Record.RecordID
		results[i].Outcomes = outcomes[i : i+1]
		results[i].Digests = []actions.Digest{{Object: "event " + p.Record.RecordID, Sum: uint64(i) + 1}}
	}
	n.records.Add(int64(len(plans)))
	return results
}

func (n *nullTarget) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return n.Deliver(ctx, plans)
}

func (n *nullTarget) Probe(context.Context) error { return nil }

// benchRow is as wide as the rows of a CommCare export usually are.
const benchRow = "form-%08d,case-%07d,%d,yes,Amina,Wanjiru,1994-03-0%d,female,+254700%06d,Ngelehun " +
	"CHC,2026-02-11,normal,120/80,36.6,none,2026-02-11T09:12:44Z\n"

func benchCSV(path string, rows int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var b strings.Builder
	b.WriteString("id,person,n,keep,first_name,last_name,birth,sex,phone,facility,visited,state,pressure,temperature," +
		"remarks,received_on\n")
	for i := range rows {
		fmt.Fprintf(&b, benchRow, i, i%50_000, i, i%9+1, i%1_000_000)
		if b.Len() > 1<<20 {
			if _, err := file.WriteString(b.String()); err != nil {
				return err
			}
			b.Reset()
		}
	}
	_, err = file.WriteString(b.String())
	return err
}

// BenchmarkFileDrop reads a file by reference, delivers its rows to a target that takes everything,
// and records an outcome for every row in a real journal. rows/s is the figure; peak-MB is the
// process's largest resident size meanwhile, journal-MB the most that the journal took on the disk,
// with its write-ahead log. CULVERT_BENCH_ROWS sets how many rows the file has.
func BenchmarkFileDrop(b *testing.B) {
	rows := int64(100_000)
	if text := os.Getenv("CULVERT_BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.ParseInt(text, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	defer heap.Keep(heap.Percent, heap.Floor)() // as the program has it
	var largest int64
	began := cpuTime()
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b, testProgram(b, "visits"))
		null := &nullTarget{}
		w.config.Servers = map[string]dispatch.Server{"national": {Target: null}}
		w.config.Limits = Limits{}
		path := filepath.Join(w.dir, "visits.csv")
		if err := benchCSV(path, int(rows)); err != nil {
			b.Fatal(err)
		}
		forgetPeak()
		w.run()
		b.StartTimer()
		f := w.dropPath("visits", path)
		for w.file(f.ID).State != journal.FileFinished {
			time.Sleep(2 * time.Millisecond)
			largest = max(largest, journalSize(w.dir))
		}
		b.StopTimer()
		if n := null.records.Load(); n != rows {
			b.Fatalf("%d of %d rows arrived", n, rows)
		}
		w.stop()
		b.StartTimer()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakMB(), "peak-MB")
	b.ReportMetric(float64(largest)/1e6, "journal-MB")
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(rows)/float64(b.N), "cpu-µs/row")
}

// journalSize is what the journal in a folder takes on the disk.
func journalSize(dir string) int64 {
	var size int64
	for _, end := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(filepath.Join(dir, "culvert.db"+end)); err == nil {
			size += info.Size()
		}
	}
	return size
}

func (w *world) dropPath(rule, path string) sources.File {
	w.t.Helper()
	dir := filepath.Join(w.dir, "inbox", "1")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		w.t.Fatal(err)
	}
	to := filepath.Join(dir, filepath.Base(path))
	if err := os.Rename(path, to); err != nil {
		w.t.Fatal(err)
	}
	f := sources.File{ID: "1", Rule: rule, Path: to, Name: filepath.Base(path), Folder: filepath.Join(w.dir, "drop"),
		SHA256: "1"}
	if _, err := w.runner.AcceptFile(context.Background(), f); err != nil {
		w.t.Fatal(err)
	}
	return f
}

// forgetPeak has peakMB count from here, where the system can do that: what made the input is no
// part of what is measured.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peakMB is the largest resident size of the process so far; 0 where the system does not tell.
func peakMB() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkFileDecode is the part of a file drop that reads rows.
func BenchmarkFileDecode(b *testing.B) {
	path := filepath.Join(b.TempDir(), "visits.csv")
	const rows = 20_000
	if err := benchCSV(path, rows); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := tabular.Open(context.Background(), path, tabular.Format{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
		r.Close()
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkEvaluate is the part that runs the rule.
func BenchmarkEvaluate(b *testing.B) {
	flow := testFlow(b, fmt.Sprintf(visitRule, "visits"))
	body := map[string]any{"id": "form-1", "person": "case-1", "n": "17", "keep": "yes", "first_name": "Amina",
		"phone": "+254700000000"}
	origin := sources.Origin{Trigger: "files", File: "visits.csv", FileID: "1", Row: 7}
	b.ReportAllocs()
	for b.Loop() {
		e, err := program.Evaluate(flow, rules.Input{Body: body,
			Source: program.SourceFields(origin, time.Unix(1_770_000_000, 0))})
		if err != nil || e.Failure != nil {
			b.Fatal(err, e.Failure)
		}
	}
}

// BenchmarkAccept hands over one record at a time from many clients, as webhooks do; each is durable when it counts.
func BenchmarkAccept(b *testing.B) {
	w := newWorld(b, testProgram(b, "visits"))
	w.config.Servers = map[string]dispatch.Server{"national": {Target: &nullTarget{}}}
	w.config.Limits = Limits{}
	w.make()
	var n atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			if _, err := w.runner.Accept(context.Background(),
				sources.Batch{Records: []sources.Record{item("visits", fmt.Sprint("v", i), fmt.Sprint("p", i), i)}}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
