package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/culvert/culvert/sources"
)

// ledger is the server: what was written, and what must never happen.
type ledger struct {
	mu       sync.Mutex
	random   *rand.Rand
	objects  map[string]string // by record id: person
	last     map[string]int    // by source and person: the newest number
	disorder []string
	foreign  []string
	faults   int
	quiet    bool          // no faults any more
	heard    chan struct{} // receives when a child asks for something

	// Forms that are handed to the child, by person in order; taken tells how many the child said were accepted.
	forms int
	taken int

	others map[string]*ledger // of the further places that the rule writes to, by their names
}

func newLedger(seed uint64) *ledger {
	return &ledger{random: rand.New(rand.NewPCG(1, seed)), objects: map[string]string{}, last: map[string]int{},
		forms: 1 << 30, heard: make(chan struct{}, 1)}
}

// all are the ledgers of all places.
func (l *ledger) all() []*ledger { return append(slices.Collect(maps.Values(l.others)), l) }

const (
	crashPeople = 7
	crashRows   = 700
)

// form gives the n-th form: person and number follow from it.
func form(n int) sources.Record {
	return item("visits", fmt.Sprintf("w-%d", n), fmt.Sprint("p", n%crashPeople), n)
}

type crashWrite struct{ ID, Person, N string }

// write applies one write.
func (l *ledger) write(w crashWrite) {
	n, err := strconv.Atoi(w.N)
	if err != nil {
		l.foreign = append(l.foreign, w.ID)
		return
	}
	source := w.ID[:1] + w.Person
	if _, known := l.objects[w.ID]; !known {
		if last, ok := l.last[source]; ok && n < last {
			l.disorder = append(l.disorder, fmt.Sprintf("%s number %d after %d", source, n, last))
		}
		l.last[source] = n
	}
	l.objects[w.ID] = w.Person
}

func (l *ledger) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	select {
	case l.heard <- struct{}{}:
	default:
	}
	if other := l.others[r.URL.Query().Get("place")]; other != nil {
		other.mu.Lock()
		defer other.mu.Unlock()
		other.deliver(rw, r)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.URL.Path {
	case "/deliver":
		l.deliver(rw, r)
	case "/forms": // what is to be accepted next
		var out []int
		for n := l.taken; n < min(l.forms, l.taken+20); n++ {
			out = append(out, n)
		}
		_ = json.NewEncoder(rw).Encode(out)
	case "/accepted":
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		l.taken = max(l.taken, n+1)
	}
}

func (l *ledger) deliver(rw http.ResponseWriter, r *http.Request) {
	var writes []crashWrite
	if err := json.NewDecoder(r.Body).Decode(&writes); err != nil {
		return // the child died while it was sending
	}
	fault := l.random.IntN(20)
	if l.quiet {
		fault = 19
	}
	if fault == 0 {
		l.faults++
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	answers := make([]string, len(writes))
	for i, w := range writes {
		if !l.quiet && l.random.IntN(40) == 0 {
			l.faults++
			answers[i] = "retry"
			continue
		}
		l.write(w)
	}
	if fault == 1 {
		l.faults++
		panic(http.ErrAbortHandler) // written, but nobody hears of it
	}
	_ = json.NewEncoder(rw).Encode(answers)
}
