package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/culvert/culvert/engine/journal"
)

// Ids, keys and external ids are what records are found by, so that they cannot be sealed as
// payloads are: the same text has to look the same each time. With a key, columns that are only
// compared hold a keyed hash, and those that are also shown hold the text sealed with a nonce that
// is a keyed hash of it (as SIV, RFC 5297, does): equal texts are equal, and who lacks the key
// learns nothing but that, and how long a text is.

// names hides texts with a key that is derived from the operator's.
type names struct {
	hashes, nonces sync.Pool // of hash.Hash
	block          cipher.Block
}

const nonceBytes = aes.BlockSize

func newNames(key []byte) (*names, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "culvert journal names", 96)
	if err != nil {
		return nil, fmt.Errorf("derive the key for names: %w", err)
	}
	n := &names{}
	n.hashes.New = func() any { return hmac.New(sha256.New, derived[:32]) }
	n.nonces.New = func() any { return hmac.New(sha256.New, derived[32:64]) }
	if n.block, err = aes.NewCipher(derived[64:]); err != nil {
		return nil, fmt.Errorf("make the cipher for names: %w", err)
	}
	return n, nil
}

func mac(pool *sync.Pool, text []byte) (sum [sha256.Size]byte) {
	h := pool.Get().(hash.Hash)
	h.Reset()
	_, _ = h.Write(text) // a hash takes everything
	h.Sum(sum[:0])
	pool.Put(h)
	return sum
}

func (n *names) hash(text []byte) uint64 {
	sum := mac(&n.hashes, text)
	return binary.BigEndian.Uint64(sum[:])
}

func (n *names) hide(text string) string {
	if text == "" {
		return ""
	}
	nonce := mac(&n.nonces, []byte(text))
	out := make([]byte, nonceBytes+len(text))
	copy(out, nonce[:nonceBytes])
	cipher.NewCTR(n.block, out[:nonceBytes]).XORKeyStream(out[nonceBytes:], []byte(text))
	return base64.RawURLEncoding.EncodeToString(out)
}

// show gives the text that hide made a name of.
func (n *names) show(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || len(sealed) < nonceBytes {
		return "", errors.New("an id, a key or a note cannot be read: the journal is damaged")
	}
	text := make([]byte, len(sealed)-nonceBytes)
	cipher.NewCTR(n.block, sealed[:nonceBytes]).XORKeyStream(text, sealed[nonceBytes:])
	if nonce := mac(&n.nonces, text); !hmac.Equal(nonce[:nonceBytes], sealed[:nonceBytes]) {
		return "", journal.ErrKeyWrong
	}
	return string(text), nil
}

// Ident is the hash of a record's identity: its rule and its id.
func (s *Sealer) Ident(rule, id string) int64 { return int64(s.hash(identKind, rule, id) &^ 1) }

// Chain is the hash of a key. Two keys of one hash, which is next to impossible, merely wait for each other.
func (s *Sealer) Chain(key string) int64 { return int64(s.hash(chainKind, "", key) | 1) }

// Term is the hash of a text that records are searched by: an id, a key, an object. Records of one
// hash are compared with the text itself.
func (s *Sealer) Term(text string) int64 { return int64(s.hash(termKind, "", text) >> (64 - TermBits)) }

// Lock is the hash of a name that a runner has taken: of an object, or of a person who is looked for.
func (s *Sealer) Lock(server, name string) int64 {
	return int64(s.hash(thingKind, server, name) >> (64 - ObjectBits))
}

// hash makes texts equal that differ only in what PostgreSQL does not keep when they are hidden:
// then they are hashed anew from what is kept.
func (s *Sealer) hash(kind, a, b string) uint64 {
	n := s.names.Load()
	if n == nil {
		return hash64(kind, a, b)
	}
	var short [256]byte
	return n.hash(named(short[:0], kind, Clean(a), Clean(b)))
}

// Hides tells whether ids, keys and external ids are hidden.
func (s *Sealer) Hides() bool { return s.names.Load() != nil }

// Hide gives what is stored of an id, a key, an external id or another short text that is compared
// and shown: the text itself while names are in clear. Nothing is nothing.
func (s *Sealer) Hide(text string) string {
	n := s.names.Load()
	if n == nil {
		return text
	}
	return n.hide(text)
}

// Show gives the text of what Hide stored.
func (s *Sealer) Show(stored string) (string, error) {
	n := s.names.Load()
	if n == nil {
		return stored, nil
	}
	return n.show(stored)
}

// ShowAll puts texts in the place of what Hide stored.
func (s *Sealer) ShowAll(stored ...*string) error {
	for _, text := range stored {
		shown, err := s.Show(*text)
		if err != nil {
			return err
		}
		*text = shown
	}
	return nil
}

// HideAll is Hide of several texts.
func (s *Sealer) HideAll(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = s.Hide(text)
	}
	return out
}
