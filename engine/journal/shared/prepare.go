package shared

import (
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Prepared is what a store keeps of a new record, sealed. It is made outside of the store's
// transaction, so that sealing runs on all cores.
type Prepared struct {
	State                 int
	Ident, Chain          int64 // hashes of rule and id, and of the key
	Origin, Private, Body []byte
}

// Prepare seals a record that is whole.
func Prepare(sealer *codec.Sealer, r *journal.Record) (p Prepared, err error) {
	if p.State, err = codec.StateCode(r.State); err != nil {
		return p, err
	}
	if err := Whole(r); err != nil {
		return p, err
	}
	p.Ident, p.Chain = sealer.Ident(r.Rule, r.ID), sealer.Chain(r.Key)
	if p.Origin, err = sealer.Origin(p.Ident, r.Origin); err != nil {
		return p, err
	}
	if p.Private, err = sealer.Private(p.Ident, r.Problem); err != nil {
		return p, err
	}
	p.Body = sealer.Seal(codec.PurposeBody, p.Ident, r.Body)
	return p, nil
}

// Appended writes into a caller's record what the journal gave it: its number, and its state unless
// it was known before.
func Appended(r *journal.Record, seq int64, duplicate bool, state int, touched int64) {
	r.Seq = seq
	if duplicate {
		return
	}
	r.State = codec.StateOf(state)
	if !codec.Unsettled(state) {
		r.Settled = codec.Time(touched)
	}
}
