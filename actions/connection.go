package actions

import (
	"log/slog"
	"time"
)

// Connection is an outside system of culvert.yaml that actions write to, with its secrets. What its
// kind does not have is empty.
type Connection struct {
	Name                              string
	Kind                              string // the key of culvert.yaml that holds the address
	URL                               string
	Domain                            string // a part of the system: a project space of CommCare HQ
	Username, Password, APIKey, Token string
	Header                            string // in which APIKey is sent
}

// Placed is a Kind whose actions write to a connection of culvert.yaml, not to a server of DHIS2.
// Which one stands behind the key connection of the action.
type Placed interface {
	Kind
	// ConnectionKind is the kind of connection that they write to.
	ConnectionKind() string
}

// TargetOptions are what a target that writes to a connection needs besides it.
type TargetOptions struct {
	Memory  Memory // what is remembered of what was sent there
	Version string // of Culvert
	Timeout time.Duration
	Log     *slog.Logger
}

// Request is what a write asks an outside system for, as `culvert try` shows it.
type Request struct {
	Method, Path string
	Query        map[string]string
	Body         []byte // JSON; nil for other bodies
}

// Requesting is an object that can show its request.
type Requesting interface {
	Request() Request
}
