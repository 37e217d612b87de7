package sqlite

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Chains behave like a sorted list for every key.
func TestChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChains()
		model := map[int64][]int64{}
		hashes, seqs := rapid.Int64Range(1, 3), rapid.Int64Range(1, 6)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				hash, seq := hashes.Draw(t, "hash"), seqs.Draw(t, "seq")
				c.insert(hash, seq)
				if i, ok := slices.BinarySearch(model[hash], seq); !ok {
					model[hash] = slices.Insert(model[hash], i, seq)
				}
			},
			"remove": func(t *rapid.T) {
				hash, seq := hashes.Draw(t, "hash"), seqs.Draw(t, "seq")
				c.remove(hash, seq)
				if i, ok := slices.BinarySearch(model[hash], seq); ok {
					model[hash] = slices.Delete(model[hash], i, i+1)
				}
			},
			"": func(t *rapid.T) { compareChains(t, c, model) },
		})
	})
}

func compareChains(t *rapid.T, c chains, model map[int64][]int64) {
	total := 0
	for hash := int64(1); hash <= 3; hash++ {
		want := model[hash]
		total += len(want)
		for after := range int64(7) {
			i, has := slices.BinarySearch(want, after)
			if c.has(hash, after) != has {
				t.Fatalf("has(%d, %d) is %v; records %v", hash, after, !has, want)
			}
			if has {
				i++
			}
			for limit := range 4 {
				got := c.appendAfter(nil, hash, after, limit)
				if later := want[i:min(len(want), i+limit)]; !slices.Equal(got, later) {
					t.Fatalf("%d records of %d after %d are %v; want %v", limit, hash, after, got, later)
				}
			}
		}
	}
	all := c.appendAll(nil)
	if len(all) != total {
		t.Fatalf("all are %v; want those of %v", all, model)
	}
	for _, f := range all {
		if _, ok := slices.BinarySearch(model[f.hash], f.seq); !ok {
			t.Fatalf("all are %v; want those of %v", all, model)
		}
	}
}
