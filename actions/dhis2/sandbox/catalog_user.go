package sandbox

import "crypto/subtle"

// The superuser that every sandbox has, with DHIS2's own first password.
const (
	adminName     = "admin"
	adminPassword = "district"
	adminID       = "M5zQapPyTZI"
	superRole     = "yrB6vc5Ip3r"
)

// user is an account with what it may do.
type user struct {
	uid, username      string
	firstName, surname string
	password           string
	authorities        map[string]bool
	super              bool
	capture            []string // org units at and below which it may write data
	search             []string // org units at and below which it may look for tracked entities
	view               []string
	groups             map[string]bool
}

func (u *user) may(authority string) bool { return u.super || u.authorities[authority] }

func (u *user) searchRoots() []string {
	if len(u.search) == 0 {
		return u.capture
	}
	return append(append([]string{}, u.search...), u.capture...)
}

func (u *user) captures(o *orgUnit) bool { return u.super || o.descends(u.capture) }

func (u *user) searches(o *orgUnit) bool { return u.super || o.descends(u.searchRoots()) }

// knows tells whether a password is that of the user.
func (u *user) knows(password string) bool {
	return u.password != "" && subtle.ConstantTimeCompare([]byte(password), []byte(u.password)) == 1
}

// access gives the rights that a sharing grants to a user, as DHIS2's eight letters.
func (s sharing) allows(u *user, position int, right byte) bool {
	if u.super || s.owner != "" && s.owner == u.uid {
		return true
	}
	has := func(a string) bool { return len(a) > position && a[position] == right }
	if has(s.public) || has(s.users[u.uid]) {
		return true
	}
	for g, a := range s.groups {
		if u.groups[g] && has(a) {
			return true
		}
	}
	return false
}

func (s sharing) read(u *user) bool { return s.allows(u, 0, 'r') }

func (s sharing) update(u *user) bool { return s.allows(u, 1, 'w') }

func (s sharing) dataWrite(u *user) bool { return s.allows(u, 3, 'w') }

// dataRead: who may write data may read it.
func (s sharing) dataRead(u *user) bool { return s.allows(u, 2, 'r') || s.dataWrite(u) }
