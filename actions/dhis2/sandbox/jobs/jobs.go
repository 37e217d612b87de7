package jobs

import (
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
)

// List are the asynchronous imports of this run, newest last; only so many are remembered.
type List struct {
	mu    sync.RWMutex
	byID  map[string]*Job
	order []string
}

const rememberedJobs = 1000

// Job is one asynchronous import. Its outcome is set once, when it is done.
type Job struct {
	ID, Kind string
	Started  time.Time
	Ended    time.Time // zero while it goes on
	Notes    []Note
	Outcome  any   // what the import says of itself; nil where it has nothing to say, or failed
	Failure  error // why it failed as a whole
}

// Note is what a job says of itself as it goes on.
type Note struct {
	UID       string `json:"uid"`
	Level     string `json:"level"`
	Category  string `json:"category"`
	Time      string `json:"time"`
	Message   string `json:"message"`
	Completed bool   `json:"completed"`
	ID        string `json:"id"`
}

func New() *List { return &List{byID: map[string]*Job{}} }

// Start remembers a new job.
func (j *List) Start(kind string, now time.Time) *Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := &Job{ID: ids.New(), Kind: kind, Started: now}
	b.Notes = []Note{newNote(kind, now, "Import started", false)}
	j.byID[b.ID] = b
	j.order = append(j.order, b.ID)
	if len(j.order) > rememberedJobs {
		delete(j.byID, j.order[0])
		j.order = j.order[1:]
	}
	return b
}

func newNote(kind string, now time.Time, text string, done bool) Note {
	id := ids.New()
	return Note{UID: id, Level: "INFO", Category: kind, Time: dates.Stamp(now), Message: text, Completed: done, ID: id}
}

// Finish sets the outcome of a job, and says in a sentence what became of it.
func (j *List) Finish(b *Job, now time.Time, outcome any, text string, failure error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b.Outcome, b.Failure, b.Ended = outcome, failure, now
	if failure != nil {
		text = "Import failed: " + failure.Error()
	}
	n := newNote(b.Kind, now, text, true)
	if failure != nil {
		n.Level = "ERROR"
	}
	b.Notes = append([]Note{n}, b.Notes...)
}

// Find gives a copy of a job, as it is now.
func (j *List) Find(id string) (Job, bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	b, ok := j.byID[id]
	if !ok {
		return Job{}, false
	}
	return *b, true
}

// OfKind gives the first and the last note of every job of a kind, the newest first, by the ids of the jobs.
func (j *List) OfKind(kind string) map[string][]Note {
	j.mu.RLock()
	defer j.mu.RUnlock()
	of := map[string][]Note{}
	for id, b := range j.byID {
		if b.Kind != kind {
			continue
		}
		of[id] = b.Notes
		if n := len(b.Notes); n > 2 {
			of[id] = []Note{b.Notes[0], b.Notes[n-1]}
		}
	}
	return of
}

// LastSuccess tells when the last job of a kind that succeeded began, and how long it took; false when none did.
func (j *List) LastSuccess(kind string) (began time.Time, took time.Duration, ok bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, id := range j.order {
		if b := j.byID[id]; b != nil && b.Kind == kind && b.Failure == nil && !b.Ended.IsZero() {
			began, took, ok = b.Started, b.Ended.Sub(b.Started), true
		}
	}
	return began, took, ok
}
