package catalog

import (
	"crypto/subtle"
)

// The superuser that every sandbox has, with DHIS2's own first password.
const (
	AdminName     = "admin"
	adminPassword = "district"
	adminID       = "M5zQapPyTZI"
	superRole     = "yrB6vc5Ip3r"
)

// User is an account with what it may do.
type User struct {
	UID, Username      string
	FirstName, Surname string
	Password           string
	Authorities        map[string]bool
	Super              bool
	Capture            []string // org units at and below which it may write data
	Search             []string // org units at and below which it may look for tracked entities
	View               []string
	Groups             map[string]bool
}

func (u *User) May(authority string) bool { return u.Super || u.Authorities[authority] }

func (u *User) SearchRoots() []string {
	if len(u.Search) == 0 {
		return u.Capture
	}
	return append(append([]string{}, u.Search...), u.Capture...)
}

func (u *User) Captures(o *OrgUnit) bool { return u.Super || o.Descends(u.Capture) }

func (u *User) Searches(o *OrgUnit) bool { return u.Super || o.Descends(u.SearchRoots()) }

// Knows tells whether a password is that of the user.
func (u *User) Knows(password string) bool {
	return u.Password != "" && subtle.ConstantTimeCompare([]byte(password), []byte(u.Password)) == 1
}

// access gives the rights that a sharing grants to a user, as DHIS2's eight letters.
func (s Sharing) allows(u *User, position int, right byte) bool {
	if u.Super || s.Owner != "" && s.Owner == u.UID {
		return true
	}
	has := func(a string) bool { return len(a) > position && a[position] == right }
	if has(s.Public) || has(s.Users[u.UID]) {
		return true
	}
	for g, a := range s.Groups {
		if u.Groups[g] && has(a) {
			return true
		}
	}
	return false
}

func (s Sharing) Read(u *User) bool { return s.allows(u, 0, 'r') }

func (s Sharing) Update(u *User) bool { return s.allows(u, 1, 'w') }

func (s Sharing) DataWrite(u *User) bool { return s.allows(u, 3, 'w') }

// DataRead: who may write data may read it.
func (s Sharing) DataRead(u *User) bool { return s.allows(u, 2, 'r') || s.DataWrite(u) }
