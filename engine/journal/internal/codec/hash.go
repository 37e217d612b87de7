// Package codec turns what the journal keeps into what its stores hold: numbers for states, hashes
// of names, sealed payloads.
package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/culvert/culvert/engine/journal"
)

// The kinds of name that are hashed. The lowest bit of a hash tells identities from keys, so that
// both can share one index.
const (
	identKind = "\x01"
	chainKind = "\x02"
	thingKind = "\x03"
	termKind  = "\x04"
	causeKind = "\x05"
)

// Ident is the hash of a record's identity: its rule and its id.
func Ident(rule, id string) int64 { return int64(hash(identKind, rule, id) &^ 1) }

// Chain is the hash of a key. Two keys of one hash, which is next to impossible, merely wait for each other.
func Chain(key string) int64 { return int64(hash(chainKind, "", key) | 1) }

// ObjectBits is the length of an object's hash. With ten million objects about one pair shares a
// hash; they are sent again more often than needed, and never taken for unchanged, because their
// sums differ too.
const ObjectBits = 46

// Object is the hash of an object on a server, in the low ObjectBits.
func Object(server, object string) uint64 {
	return hash(thingKind, server, object) >> (64 - ObjectBits)
}

func hash(kind, a, b string) uint64 {
	var short [256]byte
	text := append(append(append(append(short[:0], kind...), a...), 0), b...)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:])
}

// Term is the hash of a text that records are searched by: an id, a key, an object. Records of one
// hash are compared with the text itself.
func Term(text string) int64 { return int64(hash(termKind, "", text) >> (64 - TermBits)) }

// TermBits is the length of such a hash: few, for there are several to a record.
const TermBits = 46

// CauseOf is the hash of why a record of a rule failed: records of one cause have one. It is never 0.
func CauseOf(rule string, p *journal.Problem) int64 {
	if p == nil {
		p = &journal.Problem{}
	}
	return int64(hash(causeKind, rule, strings.Join([]string{string(p.Class), p.Code, p.Cause, p.Place}, "\x00"))>>1 | 1)
}
