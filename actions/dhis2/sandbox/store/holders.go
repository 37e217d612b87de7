package store

import (
	"strings"
)

// heldValue is a value of an attribute, in lower case, as filters compare.
type heldValue struct{ attribute, value string }

func held(attribute, value string) heldValue { return heldValue{attribute, strings.ToLower(value)} }

// SetHolder keeps who holds which value of an attribute; "" stands for no value.
func (st *Store) SetHolder(t *TrackedEntity, attribute, old, value string) {
	before, after := held(attribute, old), held(attribute, value)
	if before == after {
		return
	}
	if old != "" {
		st.dropHolder(t, before)
	}
	if value != "" {
		st.holders[after] = append(st.holders[after], t)
	}
}

func (st *Store) dropHolder(t *TrackedEntity, of heldValue) {
	all := st.holders[of]
	for i := range all {
		if all[i] != t {
			continue
		}
		if len(all) == 1 {
			delete(st.holders, of)
			return
		}
		all[i] = all[len(all)-1]
		all[len(all)-1] = nil
		st.holders[of] = all[:len(all)-1]
		return
	}
}

// HoldersOf gives the tracked entities that hold exactly this value.
func (st *Store) HoldersOf(attribute, value string) []*TrackedEntity {
	var out []*TrackedEntity
	for _, t := range st.holders[held(attribute, value)] {
		if has, _ := t.Attribute(attribute); has == value {
			out = append(out, t)
		}
	}
	return out
}

// NamedValues are values of an attribute, in lower case, one of which is wanted.
type NamedValues struct {
	Attribute string
	Values    []string
}

// Fewest gives the tracked entities among which those that are wanted are: those who hold the
// values that the fewest hold. The second result is false where nothing is asked.
func (st *Store) Fewest(asked []NamedValues) ([]*TrackedEntity, bool) {
	var best [][]*TrackedEntity
	size, named := 0, false
	for _, a := range asked {
		var lists [][]*TrackedEntity
		n := 0
		for _, value := range a.Values {
			list := st.holders[heldValue{a.Attribute, value}]
			lists, n = append(lists, list), n+len(list)
		}
		if !named || n < size {
			best, size, named = lists, n, true
		}
	}
	out := make([]*TrackedEntity, 0, size)
	for _, list := range best {
		out = append(out, list...)
	}
	return out, named
}
