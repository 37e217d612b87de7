package ids

import (
	mrand "math/rand/v2"
	"strings"
)

const (
	Letters      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	Alphanumeric = Letters + "0123456789"
)

// New makes a random identifier of DHIS2's form: a letter, then ten letters or digits (DHIS2 CodeGenerator).
func New() string {
	var b [11]byte
	b[0] = Letters[mrand.IntN(len(Letters))]
	for i := 1; i < len(b); i++ {
		b[i] = Alphanumeric[mrand.IntN(len(Alphanumeric))]
	}
	return string(b[:])
}

// Valid tells whether a text has the form of an identifier of DHIS2.
func Valid(s string) bool {
	if len(s) != 11 || strings.IndexByte(Letters, s[0]) < 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(Alphanumeric, s[i]) < 0 {
			return false
		}
	}
	return true
}

// OrNew gives a uid, or a new one where there is none.
func OrNew(uid string) string {
	if uid == "" {
		return New()
	}
	return uid
}
