package status

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/engine/journal"
)

// Limits of reading the journal for the figures: a scrape waits so long at most, and whoever
// scrapes often gets what was read a moment ago.
const (
	storedTimeout = 5 * time.Second
	storedFresh   = 5 * time.Second
)

// stored are the figures that the journal knows, whichever runner is asked: what waits and what has
// failed by rule, and what is open of files.
type stored struct {
	journal Reader
	clock   func() time.Time

	mu   sync.Mutex
	at   time.Time
	last *figures

	success, records, oldest, files, rows, size *prometheus.Desc
}

// figures are one reading of the journal.
type figures struct {
	summary journal.Summary
	open    []journal.File
}

// RegisterStored registers the figures of a journal, and which build gives them. clock may be nil.
func RegisterStored(reg prometheus.Registerer, j Reader, version string, clock func() time.Time) error {
	if clock == nil {
		clock = time.Now
	}
	perRule := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("culvert_"+name, help, append([]string{"rule"}, labels...), nil)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "culvert_build_info", Help: "1, with the version of Culvert and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{build, &stored{
		journal: j, clock: clock,
		success: prometheus.NewDesc("culvert_journal_up", "1 when the journal could be read for these figures.", nil, nil),
		size: prometheus.NewDesc("culvert_journal_size_bytes",
			"Size of the journal; absent where its store does not tell.", nil, nil),
		records: perRule("records", "Records that are not settled, now: pending, held, failed.", "state"),
		oldest: perRule("oldest_pending_age_seconds",
			"How long the oldest pending record of a rule has waited; 0 when none waits."),
		files: perRule("open_files", "Dropped files that are being worked on."),
		rows:  perRule("open_files_rows", "Rows read so far of the files that are being worked on."),
	}} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// Describe implements prometheus.Collector.
func (s *stored) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.success, s.records, s.oldest, s.files, s.rows, s.size} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. A journal that cannot be read gives no old figures:
// their absence and culvert_journal_up say so.
func (s *stored) Collect(ch chan<- prometheus.Metric) {
	gauge := gaugeTo(ch)
	f, now := s.figures()
	gauge(s.success, truth(f != nil))
	if f == nil {
		return
	}
	if f.summary.Size > 0 {
		gauge(s.size, float64(f.summary.Size))
	}
	for _, r := range f.summary.Rules {
		gauge(s.records, float64(r.Pending), r.Rule, string(journal.Pending))
		gauge(s.records, float64(r.Held), r.Rule, string(journal.Held))
		gauge(s.records, float64(r.Failed), r.Rule, string(journal.Failed))
		age := 0.0
		if !r.Oldest.IsZero() {
			age = max(0, now.Sub(r.Oldest).Seconds())
		}
		gauge(s.oldest, age, r.Rule)
	}
	files, rows := map[string]int{}, map[string]int64{}
	for _, file := range f.open {
		files[file.Rule]++
		rows[file.Rule] += file.Rows
	}
	for rule, n := range files {
		gauge(s.files, float64(n), rule)
		gauge(s.rows, float64(rows[rule]), rule)
	}
}

// figures reads the journal, or gives what was read a moment ago; nil when it cannot be read.
func (s *stored) figures() (*figures, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	if s.last != nil && now.Sub(s.at) >= 0 && now.Sub(s.at) < storedFresh {
		return s.last, now
	}
	ctx, cancel := context.WithTimeout(context.Background(), storedTimeout)
	defer cancel()
	f := &figures{}
	var err error
	if f.summary, err = s.journal.Summary(ctx); err == nil {
		f.open, err = s.journal.Files(ctx, journal.FileOpen)
	}
	if err != nil {
		s.last = nil
		return nil, now
	}
	s.last, s.at = f, now
	return f, now
}
