package sqlite

import "slices"

// chains knows the unsettled records of keys by the keys' hashes. Nearly every key has one, which
// is kept without a pointer: the garbage collector passes over it.
type chains struct {
	one  map[int64]int64
	more map[int64][]int64 // of keys with several, ascending; such a key is not in one
}

func newChains() chains { return chains{one: map[int64]int64{}, more: map[int64][]int64{}} }

// insert adds a record to its key unless it is there.
func (c chains) insert(hash, seq int64) {
	if seqs, ok := c.more[hash]; ok {
		if i, there := slices.BinarySearch(seqs, seq); !there {
			c.more[hash] = slices.Insert(seqs, i, seq)
		}
		return
	}
	first, ok := c.one[hash]
	switch {
	case !ok:
		c.one[hash] = seq
	case first != seq:
		c.more[hash] = []int64{min(first, seq), max(first, seq)}
		delete(c.one, hash)
	}
}

func (c chains) remove(hash, seq int64) {
	if first, ok := c.one[hash]; ok {
		if first == seq {
			delete(c.one, hash)
		}
		return
	}
	seqs := c.more[hash]
	i, ok := slices.BinarySearch(seqs, seq)
	if !ok {
		return
	}
	if seqs = slices.Delete(seqs, i, i+1); len(seqs) > 1 {
		c.more[hash] = seqs
		return
	}
	delete(c.more, hash)
	c.one[hash] = seqs[0]
}

func (c chains) has(hash, seq int64) bool {
	if first, ok := c.one[hash]; ok {
		return first == seq
	}
	_, ok := slices.BinarySearch(c.more[hash], seq)
	return ok
}

// appendAfter adds the records of a key that come after a seq to seqs, ascending, until these are limit.
func (c chains) appendAfter(seqs []int64, hash, after int64, limit int) []int64 {
	if len(seqs) >= limit {
		return seqs
	}
	if first, ok := c.one[hash]; ok {
		if first > after {
			seqs = append(seqs, first)
		}
		return seqs
	}
	all := c.more[hash]
	i, _ := slices.BinarySearch(all, after+1)
	return append(seqs, all[i:min(len(all), i+limit-len(seqs))]...)
}

// appendAll adds every record with its key's hash to all.
func (c chains) appendAll(all []found) []found {
	for hash, seq := range c.one {
		all = append(all, found{hash, seq})
	}
	for hash, seqs := range c.more {
		for _, seq := range seqs {
			all = append(all, found{hash, seq})
		}
	}
	return all
}
