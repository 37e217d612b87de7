package access

import (
	"net/netip"
	"time"
)

// After some failed log-ins from one address each next one from there must wait, twice as long
// every time. Those who try a user's name from many addresses wait for each other, too, but not so
// long, and not at an address from which this user has logged in before: nobody can lock out
// somebody else.
const (
	freeFailures    = 5
	firstWait       = time.Second
	longestWait     = 15 * time.Minute
	freeOfName      = 50
	longestOfName   = time.Minute
	failuresKept    = 10_000
	failureMemory   = time.Hour
	familiarFor     = 30 * 24 * time.Hour
	familiarKept    = 10_000
	hashesAtOnce    = 2 // bcrypt takes a core for long on purpose
	longestForAHash = 5 * time.Second
)

type failures struct {
	n     int
	last  time.Time
	until time.Time
}

// count counts one more failure, of which some are free.
func (f *failures) count(now time.Time, free int, longest time.Duration) {
	f.n, f.last = f.n+1, now
	if over := f.n - free; over >= 0 {
		f.until = now.Add(min(firstWait<<min(over, 20), longest))
	}
}

// visit is a name at an address.
type visit struct{ name, from string }

// throttle counts failed log-ins. The Guard's lock guards it.
type throttle struct {
	addresses map[string]*failures
	names     map[string]*failures // of users that there are: as many as these
	familiar  map[visit]time.Time  // where users have logged in lately
}

func newThrottle() throttle {
	return throttle{addresses: map[string]*failures{}, names: map[string]*failures{}, familiar: map[visit]time.Time{}}
}

// addressOf gives the address that failures are counted by: of IPv6 the network, in which one
// sender has as many addresses as it likes.
func addressOf(from string) string {
	ip, err := netip.ParseAddr(from)
	if err != nil || ip.Unmap().Is4() {
		return from
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return from
	}
	return network.String()
}

func (t *throttle) isFamiliar(v visit, now time.Time) bool {
	at, ok := t.familiar[v]
	return ok && now.Sub(at) < familiarFor
}

// begin is how long a log-in must wait. When it need not, it counts as failed until it has
// succeeded, so that many at once are no more than one after the other. known tells whether there
// is such a user.
func (t *throttle) begin(v visit, known bool, now time.Time) (wait time.Duration) {
	address, name := t.addresses[v.from], t.names[v.name]
	if address != nil && now.Sub(address.last) > failureMemory {
		address = nil
	}
	if address != nil {
		wait = max(wait, address.until.Sub(now))
	}
	byName := known && !t.isFamiliar(v, now)
	if byName && name != nil {
		wait = max(wait, name.until.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	if address == nil {
		delete(t.addresses, v.from)
		t.makeRoom(now)
		address = &failures{}
		t.addresses[v.from] = address
	}
	address.count(now, freeFailures, longestWait)
	if byName {
		if name == nil || now.Sub(name.last) > failureMemory {
			name = &failures{}
			t.names[v.name] = name
		}
		name.count(now, freeOfName, longestOfName)
	}
	return 0
}

// succeeded forgets the failures of an address, and takes it for the user's own. Failures of the
// name from elsewhere stay.
func (t *throttle) succeeded(v visit, now time.Time) {
	delete(t.addresses, v.from)
	if len(t.familiar) >= familiarKept {
		for other, at := range t.familiar {
			if now.Sub(at) >= familiarFor {
				delete(t.familiar, other)
			}
		}
	}
	if len(t.familiar) < familiarKept {
		t.familiar[v] = now
	}
}

// forgive takes back the last failure of an address.
func (t *throttle) forgive(v visit) {
	f := t.addresses[v.from]
	if f == nil {
		return
	}
	if f.n--; f.n <= 0 {
		delete(t.addresses, v.from)
		return
	}
	f.until = time.Time{}
}

// makeRoom lets go of what is old, and of one address when there is no room left: that which has
// the least to lose by it. So a flood from many addresses does not set those free that wait the
// longest.
func (t *throttle) makeRoom(now time.Time) {
	if len(t.addresses) < failuresKept {
		return
	}
	least := ""
	for address, f := range t.addresses {
		if now.Sub(f.last) > failureMemory {
			delete(t.addresses, address)
			continue
		}
		if other := t.addresses[least]; other == nil || f.n < other.n || f.n == other.n && f.last.Before(other.last) {
			least = address
		}
	}
	if len(t.addresses) >= failuresKept {
		delete(t.addresses, least)
	}
}
