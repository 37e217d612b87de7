// Package access says who may use the console and what each may do: users with roles, log-in with a
// throttle, sessions. It knows neither pages nor the journal.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Role is what a user may do; each may also do what those before it may.
type Role int

// Roles. A viewer sees counts, causes and rules, but nothing that a record says; an operator looks
// into records and acts on them; an admin also sees who did what.
const (
	Viewer Role = iota + 1
	Operator
	Admin
)

var roleNames = map[Role]string{Viewer: "viewer", Operator: "operator", Admin: "admin"}

// String is the role's name in culvert.yaml.
func (r Role) String() string { return roleNames[r] }

// ParseRole reads a role by its name.
func ParseRole(name string) (Role, error) {
	for r, n := range roleNames {
		if n == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is not a role: use viewer, operator or admin", name)
}

// User is somebody who may log in, by a password or by the bcrypt hash of one, or whom an identity
// provider has let in.
type User struct {
	Name     string
	Role     Role
	Password string
	Hash     []byte
	Provided bool // by an identity provider: another than a user of this name with a password
}

// Identity is somebody for whom an identity provider vouches, with what it said of the one claim that
// roles are given by.
type Identity struct {
	Issuer, Client string // who vouches, and to whom
	Subject, Name  string // a name may change hands at some providers; the subject does not
	Claim          string
	Values         []string
}

// Guard checks passwords and keeps sessions. Make it with New.
type Guard struct {
	users  func() []User
	grants func(*Identity) Role // 0: none
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]*session
	throttle throttle
	checked  map[[sha256.Size]byte]time.Time // passwords that a hash was found to fit lately: bcrypt takes long on purpose
	hashing  chan struct{}                   // who compares a hash has a place in it
	familiar chan struct{}                   // another place, for users at an address of theirs: a flood of others does not hold them up
}

// New makes a guard of users, who are asked for each time: they may change while it serves.
func New(users func() []User, log *slog.Logger, now func() time.Time) *Guard {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Guard{
		users: users, log: log, now: now, sessions: map[[sha256.Size]byte]*session{}, throttle: newThrottle(),
		checked: map[[sha256.Size]byte]time.Time{},
		hashing: make(chan struct{}, hashesAtOnce), familiar: make(chan struct{}, 1),
	}
}

// Grant has sessions of identities live for as long as roles, which is asked at each request, gives
// them one. Call it before the guard is in use; without it nobody comes in by an identity.
func (g *Guard) Grant(roles func(*Identity) Role) { g.grants = roles }

// Anybody tells whether there is a user at all.
func (g *Guard) Anybody() bool { return len(g.users()) > 0 }

// ErrThrottled says that there were too many failed log-ins and when the next one is looked at.
type ErrThrottled struct{ After time.Duration }

// Error says how long to wait.
func (e *ErrThrottled) Error() string {
	return fmt.Sprintf("too many failed log-ins: try again in %s", e.After.Round(time.Second))
}

// Check gives the user whom a name and password belong to, nil when they belong to nobody. from is
// the caller's address; it and the name are throttled after a few failures, and each failure is
// logged, without the name where there is no such user: it may be a password typed into the wrong
// field.
func (g *Guard) Check(name, password, from string) (*User, error) {
	user := g.named(name)
	v := visit{name, addressOf(from)}
	wait, done := g.begin(v, user != nil)
	if wait > 0 {
		return nil, &ErrThrottled{wait}
	}
	defer done()
	if g.fits(user, password) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.throttle.succeeded(v, g.now())
		return user, nil
	}
	known := ""
	if user != nil {
		known = user.Name
	}
	g.log.Warn("a log-in to the console failed", "user", known, "from", from)
	return nil, nil
}

// Attempt begins a log-in that an identity provider decides on. It counts as a failure of the address
// until it has succeeded or is forgiven, because it was not the caller's fault.
func (g *Guard) Attempt(from string) (*Attempt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := visit{from: addressOf(from)}
	if wait := g.throttle.begin(v, false, g.now()); wait > 0 {
		return nil, &ErrThrottled{wait}
	}
	return &Attempt{g, v}, nil
}

// Attempt is a log-in that an identity provider decides on.
type Attempt struct {
	guard *Guard
	visit visit
}

// Succeeded forgets the failures of the address.
func (a *Attempt) Succeeded() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	delete(a.guard.throttle.addresses, a.visit.from)
}

// Forgive takes back that this attempt counts as a failure.
func (a *Attempt) Forgive() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	a.guard.throttle.forgive(a.visit)
}

// begin lets a log-in be looked at, or says how long it must wait. done is called once it was.
func (g *Guard) begin(v visit, known bool) (wait time.Duration, done func()) {
	places := g.hashing
	g.mu.Lock()
	if g.throttle.isFamiliar(v, g.now()) {
		places = g.familiar
	}
	g.mu.Unlock()
	patience := time.NewTimer(longestForAHash)
	defer patience.Stop()
	select {
	case places <- struct{}{}:
	case <-patience.C:
		return firstWait, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if wait = g.throttle.begin(v, known, g.now()); wait > 0 {
		<-places
		return wait, nil
	}
	return 0, func() { <-places }
}

func (g *Guard) named(name string) *User {
	for _, u := range g.users() {
		if u.Name == name {
			return &u
		}
	}
	return nil
}

// decoy is the hash of a password that nobody knows, of bcrypt's usual cost.
const decoy = "$2a$10$Tb/bf/7nvkqrAUOiatxr4eK7miUt8xXXfDUICR0.uqXjkF898ssIG"

// fits compares a password. It takes as long for a user who does not exist as for one who does.
func (g *Guard) fits(user *User, password string) bool {
	switch {
	case user == nil:
		_ = bcrypt.CompareHashAndPassword([]byte(decoy), []byte(password))
		return false
	case len(user.Hash) > 0:
		return g.fitsHash(user, password)
	case user.Password == "":
		return false
	}
	x, y := sha256.Sum256([]byte(user.Password)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// hashLife is how long a password that fits a hash is believed without hashing it again.
const hashLife = 5 * time.Minute

func (g *Guard) fitsHash(user *User, password string) bool {
	key := sha256.Sum256([]byte(user.Name + "\x00" + string(user.Hash) + "\x00" + password))
	g.mu.Lock()
	until := g.checked[key]
	g.mu.Unlock()
	if g.now().Before(until) {
		return true
	}
	if bcrypt.CompareHashAndPassword(user.Hash, []byte(password)) != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, t := range g.checked {
		if !g.now().Before(t) {
			delete(g.checked, k)
		}
	}
	g.checked[key] = g.now().Add(hashLife)
	return true
}
