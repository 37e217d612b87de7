package sandbox

import "strings"

// heldValue is a value of an attribute, in lower case, as filters compare.
type heldValue struct{ attribute, value string }

func held(attribute, value string) heldValue { return heldValue{attribute, strings.ToLower(value)} }

// setHolder keeps who holds which value of an attribute; "" stands for no value.
func (st *store) setHolder(t *trackedEntity, attribute, old, value string) {
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

func (st *store) dropHolder(t *trackedEntity, of heldValue) {
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

// holdersOf gives the tracked entities that hold exactly this value.
func (st *store) holdersOf(attribute, value string) []*trackedEntity {
	var out []*trackedEntity
	for _, t := range st.holders[held(attribute, value)] {
		if has, _ := t.attribute(attribute); has == value {
			out = append(out, t)
		}
	}
	return out
}

// namedValues are values of an attribute, in lower case, one of which is wanted.
type namedValues struct {
	attribute string
	values    []string
}

// fewest gives the tracked entities among which those that are wanted are: those who hold the values that the fewest hold. The second result is
// false where nothing is asked.
func (st *store) fewest(asked []namedValues) ([]*trackedEntity, bool) {
	var best [][]*trackedEntity
	size, named := 0, false
	for _, a := range asked {
		var lists [][]*trackedEntity
		n := 0
		for _, value := range a.values {
			list := st.holders[heldValue{a.attribute, value}]
			lists, n = append(lists, list), n+len(list)
		}
		if !named || n < size {
			best, size, named = lists, n, true
		}
	}
	out := make([]*trackedEntity, 0, size)
	for _, list := range best {
		out = append(out, list...)
	}
	return out, named
}
