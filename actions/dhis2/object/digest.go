package object

import (
	"strconv"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// digest is FNV-1a over the parts of an object, each preceded by its length so that no two lists of
// parts look alike. What it is of must never change: the journal would take everything for changed.
type digest uint64

const (
	fnvOffset digest = 14695981039346656037
	fnvPrime  digest = 1099511628211
)

// newDigest begins with the parents of an object.
func newDigest(parents []string) digest {
	h := fnvOffset
	for _, uid := range parents {
		h.text(uid)
	}
	return h
}

// sum gives what the journal keeps: 32 bits, never 0.
func (h digest) sum() uint64 {
	short := uint64(uint32(h ^ h>>32))
	if short == 0 {
		short = 1
	}
	return short
}

func (h *digest) text(s string) {
	n := len(s)
	for range 4 {
		*h = (*h ^ digest(byte(n))) * fnvPrime
		n >>= 8
	}
	for i := range len(s) {
		*h = (*h ^ digest(s[i])) * fnvPrime
	}
}

func (h *digest) texts(list ...string) {
	for _, s := range list {
		h.text(s)
	}
}

func (h *digest) flag(b bool) { h.text(strconv.FormatBool(b)) }

func (h *digest) attributes(list []client.AttributeValue) {
	h.text(strconv.Itoa(len(list)))
	for _, v := range list {
		h.text(v.Attribute)
		h.text(v.Value)
	}
}

func (h *digest) notes(list []client.Note) {
	h.text(strconv.Itoa(len(list)))
	for _, n := range list {
		h.text(n.Value)
	}
}
