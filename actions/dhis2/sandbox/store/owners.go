package store

import (
	"time"
)

// programOwner is the org unit that owns a tracked entity in a program: that of its first
// enrollment there, until it is transferred.
type programOwner struct {
	Program string `json:"program"`
	OrgUnit string `json:"orgUnit"`
}

// TemporaryOwner is a user who was let in to a tracked entity of a protected program.
type TemporaryOwner struct {
	Program string    `json:"program"`
	User    string    `json:"user"`
	Until   time.Time `json:"until"`
}

// Owner gives the org unit that owns a tracked entity in a program; empty when nobody does.
func (t *TrackedEntity) Owner(program string) string {
	for _, o := range t.Owners {
		if o.Program == program {
			return o.OrgUnit
		}
	}
	return ""
}

// SetOwner makes an org unit the owner in a program.
func (t *TrackedEntity) SetOwner(program, unit string) {
	for i := range t.Owners {
		if t.Owners[i].Program == program {
			t.Owners[i].OrgUnit = unit
			return
		}
	}
	t.Owners = append(t.Owners, programOwner{program, unit})
}

func (t *TrackedEntity) Lets(program, user string, now time.Time) bool {
	for _, o := range t.LetIn {
		if o.Program == program && o.User == user && now.Before(o.Until) {
			return true
		}
	}
	return false
}
