package sandbox

import (
	"sync"
	"time"
)

// jobs are the asynchronous imports of this run, newest last; only so many are remembered.
type jobs struct {
	mu    sync.RWMutex
	byID  map[string]*job
	order []string
}

const rememberedJobs = 1000

// job is one asynchronous import. Its outcome is set once, when it is done.
type job struct {
	id, kind string
	started  time.Time
	notes    []jobNote
	outcome  any   // what the import says of itself; nil where it has nothing to say, or failed
	failure  error // why it failed as a whole
}

type jobNote struct {
	UID       string `json:"uid"`
	Level     string `json:"level"`
	Category  string `json:"category"`
	Time      string `json:"time"`
	Message   string `json:"message"`
	Completed bool   `json:"completed"`
	ID        string `json:"id"`
}

func newJobs() *jobs { return &jobs{byID: map[string]*job{}} }

// start remembers a new job.
func (j *jobs) start(kind string, now time.Time) *job {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := &job{id: newUID(), kind: kind, started: now}
	b.notes = []jobNote{newJobNote(kind, now, "Import started", false)}
	j.byID[b.id] = b
	j.order = append(j.order, b.id)
	if len(j.order) > rememberedJobs {
		delete(j.byID, j.order[0])
		j.order = j.order[1:]
	}
	return b
}

func newJobNote(kind string, now time.Time, text string, done bool) jobNote {
	id := newUID()
	return jobNote{UID: id, Level: "INFO", Category: kind, Time: stamp(now), Message: text, Completed: done, ID: id}
}

// finish sets the outcome of a job, and says in a sentence what became of it.
func (j *jobs) finish(b *job, now time.Time, outcome any, text string, failure error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b.outcome, b.failure = outcome, failure
	if failure != nil {
		text = "Import failed: " + failure.Error()
	}
	n := newJobNote(b.kind, now, text, true)
	if failure != nil {
		n.Level = "ERROR"
	}
	b.notes = append([]jobNote{n}, b.notes...)
}

// find gives a copy of a job, as it is now.
func (j *jobs) find(id string) (job, bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	b, ok := j.byID[id]
	if !ok {
		return job{}, false
	}
	return *b, true
}
