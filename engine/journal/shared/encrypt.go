package shared

import (
	"strconv"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// IsEmpty asks whether a journal holds nothing yet: such a one hides names from the beginning.
const IsEmpty = `SELECT NOT EXISTS (SELECT 1 FROM records) AND NOT EXISTS (SELECT 1 FROM identities)
	AND NOT EXISTS (SELECT 1 FROM contributions) AND NOT EXISTS (SELECT 1 FROM audit)
	AND NOT EXISTS (SELECT 1 FROM meta WHERE name NOT LIKE 'journal.%')`

// BeginsToEncrypt says what a journal with this note encrypts from now on.
func BeginsToEncrypt(note string) string {
	if codec.Hidden(note) {
		return "the journal is encrypted with this key from now on"
	}
	return "payloads in the journal are encrypted with this key from now on; what it held before, and all record " +
		"ids, keys and external ids, stay in clear until `culvert rekey`"
}

// Rename hides texts of a row with another key.
func Rename(from, to *codec.Sealer, row []any, columns ...int) error {
	for _, i := range columns {
		text, err := from.Show(row[i].(string))
		if err != nil {
			return err
		}
		row[i] = to.Hide(text)
	}
	return nil
}

// IdentOf is the hash of a record's identity under another key. Of a forgotten one nothing is left
// that it could be made of again: it gets one that is nobody else's.
func IdentOf(to *codec.Sealer, rule, id string, seq int64) int64 {
	if id == ForgottenKey {
		return to.Ident(rule, id+" "+strconv.FormatInt(seq, 10))
	}
	return to.Ident(rule, id)
}
