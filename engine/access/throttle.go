package access

import "time"

// After freeFailures failed log-ins of one name or from one address each next one must wait, twice as long every time.
const (
	freeFailures  = 5
	firstWait     = time.Second
	longestWait   = 15 * time.Minute
	failuresKept  = 10_000
	failureMemory = time.Hour
)

type failures struct {
	n     int
	last  time.Time
	until time.Time
}

// marks are what failures are counted by. A name and an address are kept apart, so that nobody is called what an address is.
func marks(name, from string) []string { return []string{"name " + name, "from " + from} }

// wait is how long a log-in must wait; 0: it need not.
func (g *Guard) wait(name, from string) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, mark := range marks(name, from) {
		if f := g.failures[mark]; f != nil {
			wait = max(wait, f.until.Sub(g.now()))
		}
	}
	return wait
}

func (g *Guard) failed(name, from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for mark, f := range g.failures {
		if now.Sub(f.last) > failureMemory || len(g.failures) > failuresKept {
			delete(g.failures, mark)
		}
	}
	for _, mark := range marks(name, from) {
		f := g.failures[mark]
		if f == nil {
			f = &failures{}
			g.failures[mark] = f
		}
		f.n, f.last = f.n+1, now
		if over := f.n - freeFailures; over >= 0 {
			f.until = now.Add(min(firstWait<<min(over, 20), longestWait))
		}
	}
}

func (g *Guard) succeeded(name, from string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, mark := range marks(name, from) {
		delete(g.failures, mark)
	}
}
