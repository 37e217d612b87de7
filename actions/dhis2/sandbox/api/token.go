package api

import (
	"crypto/rand"
	"hash/crc32"
	mrand "math/rand/v2"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
)

// Personal access tokens carry a checksum (DHIS2 ApiTokenType): the newer form is d2p_, 44
// characters and the CRC-32 of them in base 62.
const (
	tokenPrefix    = "d2p_"
	oldTokenPrefix = "d2pat_"
	tokenLength    = 44
)

// PracticeToken signs in as admin on every sandbox, as the password that everybody knows does, so
// that a project which signs in with a token can practise.
var PracticeToken = tokenPrefix + practiceCode + checksum(practiceCode)

const practiceCode = "PracticeServerOnlyPracticeServerOnlyPractice"

func newToken() string {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails, see crypto/rand
	src := mrand.New(mrand.NewChaCha8(seed))
	b := make([]byte, tokenLength)
	for i := range b {
		b[i] = ids.Alphanumeric[src.IntN(len(ids.Alphanumeric))]
	}
	return tokenPrefix + string(b) + checksum(string(b))
}

func checksum(code string) string {
	sum := crc32.ChecksumIEEE([]byte(code))
	out := make([]byte, 6)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = ids.Alphanumeric[sum%62]
		sum /= 62
	}
	return string(out)
}

// soundToken tells whether a token's checksum holds.
func soundToken(token string) bool {
	code, ok := strings.CutPrefix(token, tokenPrefix)
	return ok && len(code) == tokenLength+6 && checksum(code[:tokenLength]) == code[tokenLength:]
}
