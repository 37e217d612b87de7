package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/culvert/culvert/engine/journal"
)

// The first byte of every stored payload says how the rest is to be read, so that a journal may
// become encrypted while it holds clear payloads.
const (
	formClear  = 0
	formSealed = 1
)

// Purposes are bound to what is sealed, so that one payload cannot be put in the place of another kind.
const (
	PurposeBody    = "body"
	PurposeOrigin  = "origin"
	PurposeProblem = "problem"
	purposeShare   = "contribution"
	purposeCheck   = "check"
	purposeNames   = "names"
)

const (
	minKey    = 16
	checkText = "culvert journal"
)

// Sealer encrypts payloads with AES-256-GCM, or passes them on in clear when there is no key.
type Sealer struct {
	aead  cipher.AEAD
	older []cipher.AEAD // of keys that were in use before: they only open
	// What names are hidden with: by each of the keys, the newest first; and by the one that the
	// journal's note says. None while they are in clear.
	namesOf []*names
	names   atomic.Pointer[names]
}

// NewSealer makes a sealer from the operator's key and those that were in use before; an empty key
// keeps payloads in clear.
func NewSealer(key []byte, older ...[]byte) (*Sealer, error) {
	if len(key) == 0 {
		return &Sealer{}, nil
	}
	s := &Sealer{}
	for i, k := range append([][]byte{key}, older...) {
		aead, err := newAEAD(k)
		if err != nil {
			return nil, err
		}
		n, err := newNames(k)
		if err != nil {
			return nil, err
		}
		s.namesOf = append(s.namesOf, n)
		if i == 0 {
			s.aead = aead
			continue
		}
		s.older = append(s.older, aead)
	}
	return s, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("the key for payloads has %d bytes: give at least %d, best 32 random ones", len(key), minKey)
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "culvert journal payloads", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key for payloads: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make the cipher for payloads: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher for payloads: %w", err)
	}
	return aead, nil
}

// Sealing tells whether there is a key.
func (s *Sealer) Sealing() bool { return s.aead != nil }

// Seal gives what is stored for a payload of the record with this identity; nil for nil.
func (s *Sealer) Seal(purpose string, ident int64, payload []byte) []byte {
	if payload == nil {
		return nil
	}
	if s.aead == nil {
		return append(append(make([]byte, 0, 1+len(payload)), formClear), payload...)
	}
	out := append(make([]byte, 0, 1+len(payload)+s.aead.Overhead()), formSealed)
	return s.aead.Seal(out, nil, payload, bound(purpose, ident))
}

// Open gives the payload of what is stored. The error is journal.ErrKeyMissing or ErrKeyWrong when
// it is sealed and cannot be opened.
func (s *Sealer) Open(purpose string, ident int64, stored []byte) ([]byte, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	switch stored[0] {
	case formClear:
		return stored[1:], nil
	case formSealed:
		if s.aead == nil {
			return nil, journal.ErrKeyMissing
		}
		for _, aead := range append([]cipher.AEAD{s.aead}, s.older...) {
			if payload, err := aead.Open(nil, nil, stored[1:], bound(purpose, ident)); err == nil {
				return payload, nil
			}
		}
		return nil, journal.ErrKeyWrong
	}
	return nil, fmt.Errorf("a stored payload has the unknown form %d: the journal is damaged", stored[0])
}

// Reseal gives what is stored for a payload once it is sealed with the newest key; changed is false when it is already.
func (s *Sealer) Reseal(purpose string, ident int64, stored []byte) (fresh []byte, changed bool, err error) {
	return s.Rebind(purpose, ident, ident, stored)
}

// Rebind is Reseal for a record that gets another identity.
func (s *Sealer) Rebind(purpose string, ident, newIdent int64, stored []byte) (fresh []byte, changed bool, err error) {
	if len(stored) == 0 || s.aead == nil {
		return stored, false, nil
	}
	if stored[0] == formSealed && ident == newIdent {
		if _, err := s.aead.Open(nil, nil, stored[1:], bound(purpose, ident)); err == nil {
			return stored, false, nil
		}
	}
	payload, err := s.Open(purpose, ident, stored)
	if err != nil {
		return nil, false, err
	}
	return s.Seal(purpose, newIdent, payload), true, nil
}

// ResealShare is Reseal of what Share stored.
func (s *Sealer) ResealShare(server, slot, stored string) (fresh string, changed bool, err error) {
	if stored == "" || s.aead == nil {
		return stored, false, nil
	}
	if text, ok := strings.CutPrefix(stored, shareSealed); ok {
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", false, errors.New("what a record gives to an aggregate value cannot be read: the journal is damaged")
		}
		sealed, changed, err = s.Reseal(purposeShare, int64(Object(server, slot)), sealed)
		return shareSealed + base64.StdEncoding.EncodeToString(sealed), changed, err
	}
	value, err := s.OpenShare(server, slot, stored)
	return s.Share(server, slot, value), true, err
}

// How a contribution's value is kept as a text.
const (
	shareClear  = "="
	shareSealed = "enc:"
)

// Share gives the text that is stored for what is contributed to the slot of a server.
func (s *Sealer) Share(server, slot, value string) string {
	if s.aead == nil {
		return shareClear + value
	}
	return shareSealed + base64.StdEncoding.EncodeToString(s.Seal(purposeShare, int64(Object(server, slot)),
		[]byte(value)))
}

// OpenShare gives the value of what Share stored; empty for nothing.
func (s *Sealer) OpenShare(server, slot, stored string) (string, error) {
	if value, ok := strings.CutPrefix(stored, shareClear); ok || stored == "" {
		return value, nil
	}
	text, ok := strings.CutPrefix(stored, shareSealed)
	sealed, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return "", errors.New("what a record gives to an aggregate value cannot be read: the journal is damaged")
	}
	value, err := s.Open(purposeShare, int64(Object(server, slot)), sealed)
	return string(value), err
}

// Check gives a text that Checks can tell the newest key by; empty without a key.
func (s *Sealer) Check() string {
	if s.aead == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(s.Seal(purposeCheck, 0, []byte(checkText)))
}

// Checks compares the keys with a journal's note: a check text for each key in use, the newest
// first, and which of them hides names; none means that the journal was never encrypted. From then on
// names are hidden as the journal's are. It gives the note as it is to be kept from now on: with a
// check text of the newest key.
func (s *Sealer) Checks(note string) (string, error) {
	hidden, err := s.hiddenWith(note)
	if err != nil {
		return "", err
	}
	for _, check := range checksOf(note) {
		if err := s.verify(check); err != nil {
			return "", err
		}
	}
	s.names.Store(hidden)
	if s.seals(note) {
		return note, nil
	}
	return strings.TrimSpace(s.Check() + " " + note), nil
}

// Fits tells whether a journal with this note takes what is sealed with the newest key, and hides
// names as this sealer does: those who open it have that key. Payloads that are not sealed it always
// takes.
func (s *Sealer) Fits(note string) bool {
	hidden, err := s.hiddenWith(note)
	return err == nil && hidden == s.names.Load() && s.seals(note)
}

func (s *Sealer) seals(note string) bool {
	return s.aead == nil || slices.ContainsFunc(checksOf(note), func(check string) bool {
		return (&Sealer{aead: s.aead}).verify(check) == nil
	})
}

// hiddenNote begins the part of a journal's note that says which key hides its names.
const hiddenNote = "names:"

func checksOf(note string) []string {
	return slices.DeleteFunc(strings.Fields(note), func(part string) bool { return strings.HasPrefix(part, hiddenNote) })
}

// Encryption says what is encrypted in a journal with this note.
func Encryption(note string) journal.Encryption {
	return journal.Encryption{Payloads: note != "", Names: Hidden(note), OldKeys: len(checksOf(note)) > 1}
}

// Hidden tells whether a journal with this note hides names.
func Hidden(note string) bool { return len(checksOf(note)) < len(strings.Fields(note)) }

// hiddenWith gives what the names of a journal with this note are hidden with, nil when they are in clear.
func (s *Sealer) hiddenWith(note string) (*names, error) {
	for _, part := range strings.Fields(note) {
		text, ok := strings.CutPrefix(part, hiddenNote)
		if !ok {
			continue
		}
		if s.aead == nil {
			return nil, journal.ErrKeyMissing
		}
		stored, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(stored) == 0 {
			return nil, errBadNote
		}
		for i, aead := range append([]cipher.AEAD{s.aead}, s.older...) {
			if _, err := aead.Open(nil, nil, stored[1:], bound(purposeNames, 0)); err == nil {
				return s.namesOf[i], nil
			}
		}
		return nil, journal.ErrKeyWrong
	}
	return nil, nil
}

var errBadNote = errors.New("the journal's note about its encryption cannot be read: restore a backup")

// HiddenNote gives the note of a journal of which all is sealed with the newest key, and names are hidden with it.
func (s *Sealer) HiddenNote() string {
	return s.Check() + " " + hiddenNote +
		base64.StdEncoding.EncodeToString(s.Seal(purposeNames, 0, []byte(checkText)))
}

// Renew gives a sealer that hides names with the newest key; nil when this one does, or when there is no key.
func (s *Sealer) Renew() *Sealer {
	if s.aead == nil || s.names.Load() == s.namesOf[0] {
		return nil
	}
	fresh := &Sealer{aead: s.aead, older: s.older, namesOf: s.namesOf}
	fresh.names.Store(s.namesOf[0])
	return fresh
}

func (s *Sealer) verify(check string) error {
	stored, err := base64.StdEncoding.DecodeString(check)
	if err != nil {
		return errBadNote
	}
	text, err := s.Open(purposeCheck, 0, stored)
	if err != nil {
		return err
	}
	if string(text) != checkText {
		return journal.ErrKeyWrong
	}
	return nil
}

func bound(purpose string, ident int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(purpose), uint64(ident))
}
