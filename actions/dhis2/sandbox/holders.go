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

// fewest gives the tracked entities among which those that pass the filters are, where a filter names values: those of the filter
// that names the fewest. The second result is false where no filter does.
func (st *store) fewest(filters []valueFilter) ([]*trackedEntity, bool) {
	var best [][]*trackedEntity
	size, named := 0, false
	for _, f := range filters {
		for _, t := range f.tests {
			values, ok := t.named()
			if !ok {
				continue
			}
			var lists [][]*trackedEntity
			n := 0
			for _, value := range values {
				list := st.holders[heldValue{f.uid, value}]
				lists, n = append(lists, list), n+len(list)
			}
			if !named || n < size {
				best, size, named = lists, n, true
			}
		}
	}
	out := make([]*trackedEntity, 0, size)
	for _, list := range best {
		out = append(out, list...)
	}
	return out, named
}

// named gives the values, in lower case, one of which passes the test; false where a test does not name them.
func (t valueTest) named() ([]string, bool) {
	switch {
	case t.negated:
		return nil, false
	case t.op == "eq" || t.op == "ieq":
		return []string{t.value}, true
	case t.op == "in":
		var out []string
		for value := range t.oneOf {
			out = append(out, value)
		}
		return out, true
	}
	return nil, false
}
