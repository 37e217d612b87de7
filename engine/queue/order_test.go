package queue

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestKeysModel lets items in and out at random and checks: never two of a key at once, each key in
// order, nothing lost.
func TestKeysModel(t *testing.T) {
	type item struct {
		key string
		n   int
	}
	rapid.Check(t, func(t *rapid.T) {
		keys := NewKeys[item]()
		entered := map[string]int{}
		finished := map[string]int{}
		under := map[string]item{}
		begin := func(i item) {
			if other, busy := under[i.key]; busy {
				t.Fatalf("item %d of key %s goes while %d is on its way", i.n, i.key, other.n)
			}
			if i.n != finished[i.key] {
				t.Fatalf("item %d of key %s goes, %d is next", i.n, i.key, finished[i.key])
			}
			under[i.key] = i
		}
		leave := func(key string) {
			delete(under, key)
			finished[key]++
			if next, ok := keys.Leave(key); ok {
				begin(next)
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "key"))
			if rapid.Bool().Draw(t, "enter") {
				i := item{key, entered[key]}
				entered[key]++
				if keys.Enter(key, i) {
					begin(i)
				}
			} else if _, busy := under[key]; busy {
				leave(key)
			}
		}
		for len(under) > 0 {
			for key := range under {
				leave(key)
			}
		}
		for key, n := range entered {
			if finished[key] != n {
				t.Fatalf("%d of %d items of key %s came out", finished[key], n, key)
			}
		}
		if keys.Len() != 0 {
			t.Fatalf("%d keys are left over", keys.Len())
		}
	})
}

// TestKeysWithdraw takes items out of the middle of those that wait: the others keep their order,
// and who goes is left alone.
func TestKeysWithdraw(t *testing.T) {
	keys := NewKeys[int]()
	if out := keys.Withdraw("a", func(int) bool { return true }); out != nil {
		t.Errorf("an unknown key gave %v", out)
	}
	for n := range 6 {
		keys.Enter("a", n)
	}
	if out := keys.Withdraw("a", func(n int) bool { return n%2 == 0 }); !slices.Equal(out, []int{2, 4}) {
		t.Errorf("withdrawn: %v", out)
	}
	for _, want := range []int{1, 3, 5} {
		if next, ok := keys.Leave("a"); !ok || next != want {
			t.Errorf("next is %d, %t; want %d", next, ok, want)
		}
	}
	if _, ok := keys.Leave("a"); ok || keys.Len() != 0 {
		t.Error("something is left over")
	}
}
