package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
)

// httpTarget delivers to the ledger, as a real target does: what equals its last delivered form is not sent.
type httpTarget struct {
	url    string
	place  string
	memory actions.Memory
}

func (h *httpTarget) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	var writes []crashWrite
	var at []int
	ids := make([]string, len(plans))
	for i, p := range plans {
		ids[i] = p.Writes[0].Object.(visit).ID
	}
	known, err := h.memory.Digests(ctx, ids)
	if err != nil {
		return allAway(len(plans), err)
	}
	for i, p := range plans {
		v := p.Writes[0].Object.(visit)
		if kept, ok := known[v.ID]; ok && kept.Sum&journal.SumMask == visitSum(v)&journal.SumMask {
			results[i].Outcomes = []actions.Outcome{{Status: actions.Unchanged, ObjectID: v.ID}}
			continue
		}
		writes, at = append(writes, crashWrite(v)), append(at, i)
	}
	if len(writes) == 0 {
		return results
	}
	answers, err := h.post(ctx, writes)
	if err != nil {
		return allAway(len(plans), err)
	}
	for k, i := range at {
		v := visit(writes[k])
		if answers[k] == "retry" {
			results[i].Outcomes = []actions.Outcome{{Status: actions.Retry, Class: actions.ClassTransient,
				Problem: diag.Problem{Code: "E5000",
					Message: "a lock"}}}
			continue
		}
		results[i].Outcomes = []actions.Outcome{{ObjectID: v.ID}}
		results[i].Digests = []actions.Digest{{Object: v.ID, Sum: visitSum(v)}}
	}
	return results
}

func (h *httpTarget) post(ctx context.Context, writes []crashWrite) ([]string, error) {
	text, err := json.Marshal(writes)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/deliver?place="+h.place, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	var answers []string
	return answers, json.NewDecoder(res.Body).Decode(&answers)
}

func allAway(n int, err error) []actions.Result {
	results := make([]actions.Result, n)
	for i := range results {
		results[i].Outcomes = []actions.Outcome{{Status: actions.Retry, Class: actions.ClassServer,
			Problem: diag.Problem{Code: "unreachable",
				Message: err.Error()}}}
	}
	return results
}

func visitSum(v visit) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s|%s|%s", v.ID, v.Person, v.N)
	return max(h.Sum64(), 1)
}

func (h *httpTarget) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return nil
}

func (h *httpTarget) Probe(ctx context.Context) error { return nil }

// forms hands over what the parent has, as a webhook does: it says accepted only when it is.
type formSource struct{ url string }

func (s *formSource) Run(ctx context.Context, sink sources.Sink) error {
	for ctx.Err() == nil {
		var next []int
		if err := s.get(ctx, "/forms", &next); err != nil {
			continue
		}
		for _, n := range next {
			if _, err := sink.Accept(ctx, sources.Batch{Records: []sources.Record{form(n)}}); err != nil {
				break
			}
			_ = s.get(ctx, fmt.Sprint("/accepted?n=", n), nil)
		}
		await.Sleep(ctx, 2*time.Millisecond)
	}
	return nil
}

func (s *formSource) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		_, err = io.Copy(io.Discard, res.Body)
		return err
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// crashLease is short, so that the work of a runner that was stopped is taken over while the test watches.
const crashLease = 5 * time.Second

// runCrashChild is the process that is killed.
func runCrashChild(dir, url, place string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	store, err := open.Journal(ctx, place, journal.Options{Lease: crashLease})
	if err != nil {
		return err
	}
	defer store.Close()
	watched := files.WatchedRule{
		Rule: "visits", Folder: filepath.Join(dir, "drop"), StableFor: time.Millisecond, Done: filepath.Join(dir, "done"),
		Failed: filepath.Join(dir, "failed"),
	}
	prog, target := testProgram(fatal{}, "visits"), func(place string) dispatch.Server {
		return dispatch.Server{Target: &httpTarget{url: url, place: place, memory: store.Memory(place)}}
	}
	servers := map[string]dispatch.Server{"national": target("national")}
	kept := store
	if left, err := strconv.Atoi(os.Getenv(crashParts)); err == nil {
		prog = partsProgram(fatal{})
		for _, place := range crashPlaces {
			servers[place] = target(place)
		}
		kept = newMortal(store, left)
	}
	limits := quick()
	limits.Lease, limits.Heartbeat = crashLease, crashLease/20
	limits.Window = 512
	r, err := New(Config{
		Journal: kept, Program: prog, Limits: limits,
		Log:     slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Servers: servers,
		Files: func(*program.Flow, sources.File) (fileimport.Plan, error) {
			return fileimport.Plan{Done: watched.Done, Failed: watched.Failed}, nil
		},
		Intakes: []program.Intake{
			{Name: "forms", Source: &formSource{url}},
			{Name: "files", Once: true, Source: files.New(files.Config{
				Inbox: filepath.Join(dir, "inbox"), Rules: []files.WatchedRule{watched}, Scan: 5 * time.Millisecond,
			})},
		},
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// fatal stands for a test where there is none.
type fatal struct{ testing.TB }

func (fatal) Helper() {}
func (fatal) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// crashChild runs the child's part when this process is one.
func crashChild() bool {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return false
	}
	if err := runCrashChild(dir, os.Getenv(crashURL), os.Getenv(crashStore)); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	return true
}
