package scale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options are how a country is rehearsed.
type Options struct {
	Dir     string    // where the projects are laid down, one a factor; each is emptied first if a rehearsal made it
	Out     io.Writer // progress
	Factors []float64 // how large the country is, against a whole one of 10,000 facilities
	Days    int       // working days before the outage
	Outage  int       // days that DHIS2 is away
	Peak    time.Duration
	Latency time.Duration // that the DHIS2 look-alike takes for each answer; 0: none
	Program string        // culvert
	Env     []string      // that the program needs besides the project's
}

// Limits of waiting: for something to move at all, and between two looks.
const (
	stuckLimit = 10 * time.Minute
	lookEvery  = 200 * time.Millisecond
)

// marker tells a folder that a rehearsal made from one that somebody needs.
const marker = ".culvert-scale"

// Result is what one factor came to. Memory and disk are bytes.
type Result struct {
	Factor  float64 `json:"factor"`
	Country country `json:"country"`
	Peak    answers `json:"peakMinute"`
	PeakLag struct {
		P50 time.Duration `json:"p50"`
		P99 time.Duration `json:"p99"`
	} `json:"peakLag"`
	Days    []day    `json:"days"`
	Outage  away     `json:"outage"`
	Drain   drained  `json:"drain"`
	Memory  int64    `json:"memoryPeak"`
	CPU     float64  `json:"cpuSecondsPerMillion"` // of the runner, for a million records and rows
	Journal int64    `json:"journalBytes"`
	Kept    int64    `json:"recordsKept"` // records that the journal holds at the end
	People  int      `json:"people"`
	Events  int      `json:"events"`
	Took    duration `json:"took"`
}

type duration = time.Duration

// day is a working day and its night.
type day struct {
	Forms    answers  `json:"forms"`
	Settled  duration `json:"settled"` // from the first form until the last was delivered
	Backlog  int64    `json:"backlogPeak"`
	Night    duration `json:"night"` // from the drop of the export until it lay in done/
	Memory   int64    `json:"memoryPeak"`
	StateEnd int64    `json:"stateBytes"` // the journal and taken files
}

// away is the outage.
type away struct {
	Days    int     `json:"days"`
	Forms   answers `json:"forms"`
	Backlog int64   `json:"backlog"`
	Memory  int64   `json:"memoryPeak"`
	State   int64   `json:"stateBytes"`
}

// drained is what came after it.
type drained struct {
	Forms  int      `json:"forms"`
	Rows   int      `json:"rows"`
	Took   duration `json:"took"`
	Memory int64    `json:"memoryPeak"`
}

// rehearsal is one factor under way.
type rehearsal struct {
	Options
	country
	dir    string
	began  time.Time
	server *server
	runner *process
	client *http.Client
	forms  *forms
	night  int

	mu      sync.Mutex
	memory  int64 // since it was last taken
	backlog int64
}

// Run rehearses every factor, one after another, and gives what was measured. The error is also for
// records that were lost or doubled.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	for _, f := range o.Factors {
		r := &rehearsal{Options: o, country: countryAt(f), began: time.Now(),
			dir:    filepath.Join(o.Dir, fmt.Sprintf("at-%g", f*100)),
			client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 2 * time.Minute}}
		result, err := r.run(ctx)
		if err != nil {
			return results, fmt.Errorf("at %g %%: %w", f*100, err)
		}
		result.Factor = f
		results = append(results, *result)
	}
	return results, nil
}

func (r *rehearsal) say(format string, args ...any) {
	fmt.Fprintf(r.Out, "%7.1fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *rehearsal) run(ctx context.Context) (result *Result, err error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if r.server, err = startServer(filepath.Join(r.dir, "country.json"), r.Latency); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.server.close()) }()
	r.say(
		"a country of %d facilities, %d forms in a peak minute, %d a day, exports of %d rows",
		r.Facilities,
		r.PeakMinute,
		r.DayForms,
		r.ExportRows,
	)
	if err := r.sync(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.runner.stop()) }()
	if err := r.startRunner(ctx); err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { r.watch(watching) })
	defer func() {
		stop()
		watched.Wait()
	}()
	result = &Result{Country: r.country}
	for _, phase := range []func(context.Context, *Result) error{r.peak, r.days, r.outage, r.drain, r.count} {
		if err := phase(ctx, result); err != nil {
			return nil, err
		}
	}
	result.Took = time.Since(r.began)
	return result, nil
}

// prepare lays the project down in a folder of its own.
func (r *rehearsal) prepare() (err error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", r.dir, err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(r.dir, marker)); err != nil {
			return fmt.Errorf("%s is not empty and was not made by a rehearsal: name another folder with --into", r.dir)
		}
		if err := os.RemoveAll(r.dir); err != nil {
			return fmt.Errorf("empty %s: %w", r.dir, err)
		}
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("make the project's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, marker),
		[]byte("This folder was made by culvert scale, which empties it at its next run.\n"), 0o644); err != nil {
		return fmt.Errorf("lay the project down: %w", err)
	}
	if err := r.layDown(r.dir); err != nil {
		return err
	}
	if r.forms, err = r.newForms(); err != nil {
		return err
	}
	return r.metadata(filepath.Join(r.dir, "country.json"))
}

// watch notes the most memory and backlog.
func (r *rehearsal) watch(ctx context.Context) {
	for sleep(ctx, lookEvery) {
		f, err := scrape(ctx, r.client, r.runner.base)
		if err != nil {
			continue // a run that has ended says so where it is waited for
		}
		r.mu.Lock()
		r.memory = max(r.memory, int64(f.sum("process_resident_memory_bytes")))
		r.backlog = max(r.backlog, int64(f.sum("culvert_backlog_records")))
		r.mu.Unlock()
	}
}

// taken gives the most memory and backlog since it was last asked.
func (r *rehearsal) taken(ctx context.Context) (memory, backlog int64) {
	if f, err := scrape(ctx, r.client, r.runner.base); err == nil {
		memory, backlog = int64(f.sum("process_resident_memory_bytes")), int64(f.sum("culvert_backlog_records"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	memory, backlog = max(memory, r.memory), max(backlog, r.backlog)
	r.memory, r.backlog = 0, 0
	return memory, backlog
}

// settle waits until every form has been delivered and the files named lie in done/, as long as something moves.
func (r *rehearsal) settle(ctx context.Context, names ...string) error {
	moved, at := -1.0, time.Now()
	sent := r.forms.made + r.night*r.ExportRows
	for {
		f, err := scrape(ctx, r.client, r.runner.base)
		if err == nil {
			now := f.settled()
			if now >= float64(sent) && f.sum("culvert_backlog_records") == 0 && r.done(names) {
				return nil
			}
			if now != moved {
				moved, at = now, time.Now()
			}
		}
		if time.Since(at) > stuckLimit {
			return fmt.Errorf("nothing has moved for %s: look with `%s -C %s status`", stuckLimit, r.Program, r.dir)
		}
		if !sleep(ctx, lookEvery/4) {
			return ctx.Err()
		}
		select {
		case err := <-r.runner.ended:
			r.runner.ended <- err
			return fmt.Errorf("culvert run ended: %w", err)
		default:
		}
	}
}

func (r *rehearsal) done(names []string) bool {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(r.dir, "drop", "done", name)); err != nil {
			return false
		}
	}
	return true
}

// JSON writes results for other programs.
func JSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"version": 1, "results": results})
}
