package sandbox

import (
	"fmt"
	"net/http"
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
	report   *report  // of a tracker import
	summary  *summary // of data values
	failure  *problem
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

const (
	trackerJobKind = "TRACKER_IMPORT_JOB"
	valueJobKind   = "DATAVALUE_IMPORT"
)

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

// finish sets the outcome of a job.
func (j *jobs) finish(b *job, now time.Time, r *report, s *summary, failure *problem) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b.report, b.summary, b.failure = r, s, failure
	text := "Import complete"
	switch {
	case failure != nil:
		text = "Import failed: " + failure.text
	case r != nil && r.Stats != nil:
		text = fmt.Sprintf("Import complete with status %s, %d created, %d updated, %d deleted, %d ignored", r.Status, r.Stats.Created, r.Stats.Updated, r.Stats.Deleted, r.Stats.Ignored)
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

// importLater takes an import on and answers with where its report will be.
func (c *call) importLater(params *importParams, b *bundle) {
	s, u := c.srv, c.user
	j := s.jobs.start(trackerJobKind, s.now())
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		s.meta.RLock()
		defer s.meta.RUnlock()
		r, p := s.runImport(u, params, b)
		s.jobs.finish(j, s.now(), r, nil, p)
	}()
	where := base(c.r) + "/api/tracker/jobs/" + j.id
	if s.manners >= 42 {
		where = base(c.r) + "/tracker/jobs/" + j.id
	}
	answer := object{"id": j.id, "location": where}
	switch {
	case s.manners == 42:
		answer["responseType"] = "TrackerJobWebMessageResponse"
	case s.manners != 41:
		answer["responseType"] = "TrackerJob"
	}
	c.w.Header().Set("Location", where)
	s.say(c.w, http.StatusOK, "OK", "Tracker job added", answer)
}

// trackerJob answers /api/tracker/jobs/<id> and /api/tracker/jobs/<id>/report.
func (c *call) trackerJob() {
	if !c.method(http.MethodGet) {
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	j, ok := c.srv.jobs.find(c.at(2))
	switch {
	case len(c.path) == 3 && ok && j.kind == trackerJobKind:
		c.srv.json(c.w, http.StatusOK, j.notes)
	case len(c.path) == 3:
		c.srv.json(c.w, http.StatusOK, []any{})
	case len(c.path) == 4 && c.at(3) == "report":
		if !ok || j.report == nil {
			c.srv.fail(c.w, http.StatusNotFound, "E1005", "Summary for job "+c.at(2)+" does not exist")
			return
		}
		r := *j.report
		if mode := c.query.Get("reportMode"); mode == "ERRORS" || mode == "" {
			r.Validation.Warnings = []warningReport{}
		}
		c.srv.json(c.w, http.StatusOK, r)
	default:
		c.srv.notFound(c.w, c.r)
	}
}

// valuesLater takes an import of data values on and answers with where it can be followed.
func (c *call) valuesLater(o *dataOptions, set *valueSet) {
	s, u := c.srv, c.user
	j := s.jobs.start(valueJobKind, s.now())
	turn := s.jobTurn()
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		if s.manners.queuedJobs() {
			select {
			case <-turn:
			case <-s.closing.Done():
			}
		}
		s.meta.RLock()
		defer s.meta.RUnlock()
		sum, p := s.importValues(u, o, set)
		s.jobs.finish(j, s.now(), nil, sum, p)
	}()
	name, status := fmt.Sprintf("DATAVALUE_IMPORT (%d)", j.started.UnixMilli()), "NOT_STARTED"
	response := object{"id": j.id, "created": stamp(j.started), "jobType": valueJobKind, "relativeNotifierEndpoint": "/api/system/tasks/DATAVALUE_IMPORT/" + j.id}
	switch {
	case s.manners <= 40:
		name, status = "dataValueImport", "SCHEDULED"
	case s.manners == 41: // without a type
	case s.manners == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	default:
		response["responseType"] = "JobConfiguration"
	}
	response["name"], response["jobStatus"] = name, status
	s.say(c.w, http.StatusOK, "OK", "Initiated "+name, response)
}

// task answers /api/system/tasks/<kind>/<id>.
func (c *call) task() {
	j, ok := c.srv.jobs.find(c.at(3))
	if len(c.path) != 4 || !ok || j.kind != c.at(2) {
		c.srv.json(c.w, http.StatusOK, []any{})
		return
	}
	c.srv.json(c.w, http.StatusOK, j.notes)
}

// taskSummary answers /api/system/taskSummaries/<kind>/<id>.
func (c *call) taskSummary() {
	j, ok := c.srv.jobs.find(c.at(3))
	switch {
	case len(c.path) != 4 || !ok || j.kind != c.at(2):
		c.w.Header().Set("Content-Type", c.srv.manners.jsonType())
		c.w.WriteHeader(http.StatusOK)
	case j.summary != nil:
		c.srv.json(c.w, http.StatusOK, j.summary)
	case j.report != nil:
		c.srv.json(c.w, http.StatusOK, j.report)
	default:
		c.srv.json(c.w, http.StatusOK, object{})
	}
}
