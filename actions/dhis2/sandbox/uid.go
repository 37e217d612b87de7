package sandbox

import (
	"crypto/rand"
	"hash/crc32"
	mrand "math/rand/v2"
	"strings"
)

const (
	letters      = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphanumeric = letters + "0123456789"
)

// newUID makes a random identifier of DHIS2's form: a letter, then ten letters or digits (DHIS2 CodeGenerator).
func newUID() string {
	var b [11]byte
	b[0] = letters[mrand.IntN(len(letters))]
	for i := 1; i < len(b); i++ {
		b[i] = alphanumeric[mrand.IntN(len(alphanumeric))]
	}
	return string(b[:])
}

// validUID tells whether a text has the form of an identifier of DHIS2.
func validUID(s string) bool {
	if len(s) != 11 || strings.IndexByte(letters, s[0]) < 0 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(alphanumeric, s[i]) < 0 {
			return false
		}
	}
	return true
}

// Personal access tokens carry a checksum (DHIS2 ApiTokenType): the newer form is d2p_, 44 characters and the CRC-32 of them in base 62.
const (
	tokenPrefix    = "d2p_"
	oldTokenPrefix = "d2pat_"
	tokenLength    = 44
)

func newToken() string {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails, see crypto/rand
	src := mrand.New(mrand.NewChaCha8(seed))
	b := make([]byte, tokenLength)
	for i := range b {
		b[i] = alphanumeric[src.IntN(len(alphanumeric))]
	}
	return tokenPrefix + string(b) + checksum(string(b))
}

func checksum(code string) string {
	sum := crc32.ChecksumIEEE([]byte(code))
	out := make([]byte, 6)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = alphanumeric[sum%62]
		sum /= 62
	}
	return string(out)
}

// soundToken tells whether a token's checksum holds.
func soundToken(token string) bool {
	code, ok := strings.CutPrefix(token, tokenPrefix)
	return ok && len(code) == tokenLength+6 && checksum(code[:tokenLength]) == code[tokenLength:]
}
