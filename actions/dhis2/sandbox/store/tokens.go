package store

import (
	"time"
)

// TokenState is a personal access token: whose it is, until when, and what it may be used for. What
// is empty limits nothing.
type TokenState struct {
	Token    string     `json:"token"`
	User     string     `json:"user"`
	UID      string     `json:"uid,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Methods  []string   `json:"methods,omitempty"`
	IPs      []string   `json:"ips,omitempty"`
	Referers []string   `json:"referers,omitempty"`
	Gone     bool       `json:"gone,omitempty"`
}

// KeepToken locks by itself.
func (st *Store) KeepToken(given *TokenState) error {
	st.Lock()
	defer st.Unlock()
	st.Tokens[given.Token] = given
	st.Keep(given)
	return st.Flush()
}
