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

// ObjectBits is the length of an object's hash. With ten million objects about one pair shares a
// hash; they are sent again more often than needed, and never taken for unchanged, because their
// sums differ too.
const ObjectBits = 46

// Object is the hash of an object on a server, in the low ObjectBits.
func Object(server, object string) uint64 {
	return hash64(thingKind, server, object) >> (64 - ObjectBits)
}

func hash64(kind, a, b string) uint64 {
	var short [256]byte
	sum := sha256.Sum256(named(short[:0], kind, a, b))
	return binary.BigEndian.Uint64(sum[:])
}

// named adds what is hashed of a name.
func named(to []byte, kind, a, b string) []byte {
	return append(append(append(append(to, kind...), a...), 0), b...)
}

// Clean makes a text one that PostgreSQL takes: a NUL or broken UTF-8 in one record must not keep all others out.
func Clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// TermBits is the length of such a hash: few, for there are several to a record.
const TermBits = 46

// CauseOf is the hash of why a record of a rule failed: records of one cause have one. It is never 0.
func CauseOf(rule string, p *journal.Problem) int64 {
	if p == nil {
		p = &journal.Problem{}
	}
	return int64(hash64(causeKind, rule, strings.Join([]string{string(p.Class), p.Code, p.Message, p.Place.String()},
		"\x00"))>>1 | 1)
}
