package status

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Runner is how one runner stands, as it says so itself about once a second.
type Runner struct {
	Owner      string      `json:"owner"`
	At         time.Time   `json:"at"` // when it was said
	Started    time.Time   `json:"started"`
	Leading    bool        `json:"leading"` // it runs what only one may run
	Rules      int         `json:"rules"`
	Invalid    []string    `json:"invalid,omitempty"`  // rules that cannot run
	Disabled   []string    `json:"disabled,omitempty"` // rules that are switched off in their files
	Closed     []Closed    `json:"closed,omitempty"`   // rules that send nothing now because their windows are closed
	Servers    []Server    `json:"servers"`
	Conditions []Condition `json:"conditions,omitempty"` // what is wrong, the oldest first
	Stopped    bool        `json:"stopped,omitempty"`
}

// Closed is a rule whose window is closed: what it takes waits.
type Closed struct {
	Rule  string    `json:"rule"`
	Opens time.Time `json:"opens"`
}

// rests tells whether nothing of a rule, or of a part of it, is sent now because its file says so.
func (r *Runner) rests(rule string) bool {
	rule, _, _ = strings.Cut(rule, "@")
	return slices.Contains(r.Disabled, rule) || slices.ContainsFunc(r.Closed, func(c Closed) bool { return c.Rule == rule })
}

// ServerState is whether a server takes records.
type ServerState string

// The states of a server.
const (
	ServerReachable   ServerState = "reachable"   // it answers, and takes records
	ServerAway        ServerState = "away"        // unreachable or overloaded: everything for it waits
	ServerTrying      ServerState = "trying"      // it answered a probe; one batch is tried
	ServerCredentials ServerState = "credentials" // it refuses our credentials: everything waits until they are fixed
	ServerPaused      ServerState = "paused"      // by a person
	ServerClosed      ServerState = "closed"      // outside its delivery window
	ServerUnusable    ServerState = "unusable"    // what is needed to reach it is missing, such as a secret
)

// Server is how delivery to one server stands.
type Server struct {
	Name          string      `json:"name"`
	Description   string      `json:"description,omitempty"`
	State         ServerState `json:"state"`
	Since         time.Time   `json:"since,omitzero"`      // of a state that is not reachable
	Reason        string      `json:"reason,omitempty"`    // of a state that is not reachable, in words
	NextProbe     time.Time   `json:"next_probe,omitzero"` // while away or refused
	Batch         int         `json:"batch"`               // records in a batch, as the server likes them
	Concurrency   int         `json:"concurrency"`
	Queued        int         `json:"queued"`    // records in memory, ready to be sent
	InFlight      int         `json:"in_flight"` // batches
	Rate          float64     `json:"rate"`      // records a second over the last minute
	Settled       int64       `json:"settled"`   // records since the start
	Failed        int64       `json:"failed"`    // of them
	LastDelivered time.Time   `json:"last_delivered,omitzero"`
	LastError     string      `json:"last_error,omitempty"`
	LastErrorAt   time.Time   `json:"last_error_at,omitzero"`
	Rules         []string    `json:"rules,omitempty"` // that send to it
	// An overview fills these in from the journal: what waits for the server, and since when.
	Waiting int64     `json:"waiting"`
	Oldest  time.Time `json:"oldest_pending,omitzero"`

	Breaker string `json:"-"` // what its breaker lets through, for the metrics
}

// Concern says in a sentence why a server does not take records; empty when it does, or when that is as people want it.
func (s *Server) Concern() string {
	since := s.Since.UTC().Format("2006-01-02 15:04 MST")
	switch s.State {
	case ServerAway, ServerTrying:
		return fmt.Sprintf("server %s is away since %s, everything for it waits: %s", s.Name, since, s.Reason)
	case ServerCredentials:
		return fmt.Sprintf("server %s refuses our credentials since %s, everything for it waits: fix its token or "+
			"password in culvert.yaml or the environment (%s)",
			s.Name, since, s.Reason)
	case ServerUnusable:
		return fmt.Sprintf("server %s cannot be used, everything for it waits: %s", s.Name, s.Reason)
	default:
		return ""
	}
}

// says tells whether one of the runner's conditions is about a subject.
func (r *Runner) says(subject string) bool {
	return slices.ContainsFunc(r.Conditions, func(c Condition) bool { return c.Subject == subject })
}
