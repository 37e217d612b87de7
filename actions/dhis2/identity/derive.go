package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// The ids below are derived, so that the same record always reaches the same object: a retry, a
// crash or a second runner updates instead of duplicating. How they are derived must never change:
// the golden test of this file holds it.

// TrackedEntityUID derives the uid of a tracked entity. The generation goes up when DHIS2 says that
// the uid was deleted.
func TrackedEntityUID(project, trackedEntityType, externalID string, generation int) string {
	return uidOf("tracked entity", project, trackedEntityType, externalID, generationText(generation))
}

// EnrollmentUID derives the uid of an enrollment. again tells the enrollments of a person in one
// program apart where a rule asks for that (enrollment_id or reenroll); it is empty otherwise, so
// that a corrected date never makes a second enrollment.
func EnrollmentUID(program, trackedEntity, again string, generation int) string {
	return uidOf("enrollment", program, trackedEntity, again, generationText(generation))
}

// EventUID derives the uid of an event from its stage and its parent: the enrollment, or for an
// event program the project. eventID is empty for a stage that does not repeat: an enrollment has
// one event of it.
func EventUID(stage, parent, eventID string, generation int) string {
	return uidOf("event", stage, parent, eventID, generationText(generation))
}

// RelationshipUID derives the uid of a relationship from its type and both ends.
func RelationshipUID(relationshipType, from, to string, generation int) string {
	return uidOf("relationship", relationshipType, from, to, generationText(generation))
}

// NoteUID derives the uid of a note, so that DHIS2 does not add the same remark twice.
func NoteUID(object, text string) string { return uidOf("note", object, text) }

// FileUID derives the uid of a file from the value that it is of and the SHA-256 of its content:
// the same file is uploaded once for a value, and another value never shares it.
func FileUID(object, field, sum string, generation int) string {
	return uidOf("file", object, field, sum, generationText(generation))
}

// OrgUnitUID derives the uid of an org unit that a registry brings, from its code.
func OrgUnitUID(project, code string) string { return uidOf("org unit", project, code) }

func generationText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

const (
	letters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alphabet = letters + "0123456789"
)

// uidOf maps the SHA-256 of the parts, each preceded by its length, to DHIS2's alphabet: a letter,
// then ten letters or digits.
func uidOf(parts ...string) string {
	buffer := make([]byte, 0, 160)
	for _, part := range parts {
		buffer = binary.AppendUvarint(buffer, uint64(len(part)))
		buffer = append(buffer, part...)
	}
	sum := sha256.Sum256(buffer)
	var out [11]byte
	out[0] = letters[binary.BigEndian.Uint64(sum[0:])%uint64(len(letters))]
	for half, n := range []uint64{binary.BigEndian.Uint64(sum[8:]), binary.BigEndian.Uint64(sum[16:])} {
		for i := range 5 {
			out[1+half*5+i] = alphabet[n%uint64(len(alphabet))]
			n /= uint64(len(alphabet))
		}
	}
	return string(out[:])
}

// IsUID tells whether a text has the form of a DHIS2 uid.
func IsUID(s string) bool {
	if len(s) != 11 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return true
}
