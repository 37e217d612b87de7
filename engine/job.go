package engine

import (
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/delivery"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// job is one record on its way to a server: either a record of the journal, or a row of a file that has none.
type job struct {
	flow    *program.Flow
	rec     *journal.Record // nil for a row
	row     *fileRow        // nil for a record of the journal
	plan    actions.Plan
	claimed bool  // of a row: its key is taken in the journal
	claims  int64 // generation of the claim
	strikes int   // how often the server gave no answer to a batch that held it
}

func (j *job) key() string { return j.plan.Record.Key }

// attempts counts the tries before this one.
func (j *job) attempts() int {
	if j.rec == nil {
		return 0
	}
	return j.rec.Attempts
}

// received is when the record, or the file of the row, was accepted.
func (j *job) received() time.Time {
	if j.rec == nil {
		return j.row.run.source.Received
	}
	return j.rec.Received
}

// scheduler lets one job per key through, in order, and hands it to the lane of its server.
type scheduler struct {
	mu     sync.Mutex
	keys   *delivery.Keys[*job]
	parked map[string]int // keys of rows that wait for another try and that the journal does not know yet
	lane   func(*job) *lane
}

func newScheduler(lane func(*job) *lane) *scheduler {
	return &scheduler{keys: delivery.NewKeys[*job](), parked: map[string]int{}, lane: lane}
}

// submit takes jobs in the order of their acceptance.
func (s *scheduler) submit(jobs []*job) { s.push(s.enter(jobs)) }

// enter takes jobs in the order of their acceptance and gives those whose turn it is, for the caller to push.
func (s *scheduler) enter(jobs []*job) []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := jobs[:0:0]
	for _, j := range jobs {
		if s.keys.Enter(j.key(), j) {
			ready = append(ready, j)
		}
	}
	return ready
}

// heir gives the row that waits behind the job whose turn it is, nil when a record or nothing does.
func (s *scheduler) heir(key string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next, ok := s.keys.Next(key); ok && next.row != nil {
		return next
	}
	return nil
}

// withdrawLater takes out the records that wait behind a row whose turn it is though they were accepted after it.
func (s *scheduler) withdrawLater(rows []*job) (later []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		later = append(later, s.keys.Withdraw(row.key(), func(j *job) bool { return j.rec != nil && j.rec.Seq > row.row.seq() })...)
	}
	return later
}

// finish ends the turn of jobs whose outcome is recorded; those behind them go next.
func (s *scheduler) finish(jobs []*job) {
	s.mu.Lock()
	var ready []*job
	for _, j := range jobs {
		if next, ok := s.keys.Leave(j.key()); ok {
			ready = append(ready, next)
		}
	}
	s.mu.Unlock()
	s.push(ready)
}

func (s *scheduler) push(ready []*job) {
	for _, j := range ready {
		s.lane(j).push(j)
	}
}

// park keeps later rows of the key from overtaking one that is about to become a record of the journal; unpark ends that.
func (s *scheduler) park(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parked[key]++
}

func (s *scheduler) unpark(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parked[key]--; s.parked[key] <= 0 {
		delete(s.parked, key)
	}
}

func (s *scheduler) isParked(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parked[key] > 0
}
