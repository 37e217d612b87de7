package store

// DuplicatePair are two tracked entities that somebody took for the same person.
type DuplicatePair struct {
	UID       string `json:"uid"`
	Original  string `json:"original"`
	Duplicate string `json:"duplicate"`
	Status    string `json:"status"`
	Made
}

func (st *Store) PutPair(p *DuplicatePair) {
	st.Pairs[p.UID] = p
	st.Keep(p)
}
