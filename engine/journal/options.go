package journal

import (
	"log/slog"
	"time"
)

// DefaultLease is how long a runner may be silent before its work is given to others. Two missed
// heartbeats of a third of it and a poll of one second stay below the 15 seconds in which a dead
// runner has to be replaced.
const DefaultLease = 10 * time.Second

// Options are what both stores take.
type Options struct {
	Logger *slog.Logger
	// Key encrypts what records hold of people: bodies, origins, values and details of problems, and
	// from the beginning or from Rekey on also ids, keys, external ids and the texts of the audit
	// trail. At least 16 bytes; nil keeps them in clear.
	Key []byte
	// OldKeys open what was encrypted before Key was in use, until Rekey.
	OldKeys [][]byte
	// Now is the clock of what is recorded. Leases are measured by the store's own clock.
	Now func() time.Time
	// Lease is how long an owner may be silent; 0 is DefaultLease.
	Lease time.Duration
}

// WithDefaults fills what was left out.
func (o Options) WithDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lease <= 0 {
		o.Lease = DefaultLease
	}
	return o
}
