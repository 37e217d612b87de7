package sqlite

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// TestPages packs digests and finds each again, and no other.
func TestPages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		space := rapid.SampledFrom([]uint64{1 << 12, 1 << 31, 1 << 34, 1 << codec.ObjectBits}).Draw(rt, "space")
		sums := rapid.MapOfN(rapid.Uint64Range(0, space-1), rapid.Uint32Range(1, 1<<32-1), 0, 1500).Draw(rt, "digests")
		most := rapid.SampledFrom([]int64{0, 1 << 20, 1 << 40, 1<<62 - 1}).Draw(rt, "orders")
		known := map[uint64]entry{}
		var all []digest
		for hash, sum := range sums {
			known[hash] = entry{sum: sum, mark: uint16(sum) & uint16(most), version: int64(sum)*97%(most+1) - most/2,
				seq: int64(sum) * 31 % (most + 1)}
			all = append(all, digest{hash, known[hash]})
		}
		slices.SortFunc(all, func(a, b digest) int { return cmp.Compare(a.hash, b.hash) })
		pages := pack(all)
		var back []digest
		for _, p := range pages {
			if len(p.entries) > pageBytes {
				rt.Fatalf("a page has %d bytes", len(p.entries))
			}
			back = append(back, unpack(p.first, p.entries)...)
		}
		if !slices.Equal(back, all) {
			rt.Fatal("what comes out is not what went in")
		}
		for range 50 {
			hash := rapid.Uint64Range(0, space-1).Draw(rt, "hash")
			at, exact := slices.BinarySearchFunc(pages, hash,
				func(p digestPage, h uint64) int { return cmp.Compare(p.first, h) })
			if !exact {
				at--
			}
			if at < 0 {
				if known[hash] != (entry{}) {
					rt.Fatalf("%d lies before all pages", hash)
				}
				continue
			}
			if got := find(pages[at].first, pages[at].entries, hash); got != known[hash] {
				rt.Fatalf("of %d is kept %+v, not %+v", hash, got, known[hash])
			}
		}
		for hash, want := range known {
			at, exact := slices.BinarySearchFunc(pages, hash,
				func(p digestPage, h uint64) int { return cmp.Compare(p.first, h) })
			if !exact {
				at--
			}
			if got := find(pages[at].first, pages[at].entries, hash); got != want {
				rt.Fatalf("of %d is kept %+v, not %+v", hash, got, want)
			}
		}
	})
}

// TestEarlierPage reads a page of a format that knew no orders.
func TestEarlierPage(t *testing.T) {
	t.Parallel()
	page := []byte{4, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0, 9}
	want := []digest{{100, entry{sum: 7}}, {105, entry{sum: 9}}}
	if got := unpack(100, page); !slices.Equal(got, want) {
		t.Errorf("it holds %+v", got)
	}
	if got := find(100, page, 105); got != want[1].entry {
		t.Errorf("of 105 is kept %+v", got)
	}
	if got := find(100, page, 104); got != (entry{}) {
		t.Errorf("of 104 is kept %+v", got)
	}
}

// TestPageDensity packs objects as densely as ten million of them lie, one row of a large file
// after the other: together they must stay far below two hundred megabytes.
func TestPageDensity(t *testing.T) {
	t.Parallel()
	const objects, filePage = 300_000, 4096
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]digest, objects)
	for i := range all {
		all[i] = digest{random.Uint64N((1 << codec.ObjectBits) / 10_000_000 * objects),
			entry{sum: random.Uint32(), mark: uint16(random.UintN(200)), seq: random.Int64N(1 << 24)}}
	}
	slices.SortFunc(all, func(a, b digest) int { return cmp.Compare(a.hash, b.hash) })
	if each := float64(len(pack(all))*filePage) / objects; each > 12.4 {
		t.Errorf("an object takes %.2f bytes", each)
	}
}

// FuzzPage reads damaged pages: nothing but a missing digest may come of it.
func FuzzPage(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 0, 0, 0, 0, 7}, uint64(0))
	f.Add(pack([]digest{{5, entry{sum: 1, mark: 2, version: 3, seq: 4}}, {9, entry{sum: 1, version: -3}}})[0].entries,
		uint64(4))
	f.Add([]byte{0x84, 1, 1, 1}, uint64(1))
	f.Add([]byte{5}, uint64(1))
	f.Add([]byte{9, 1, 2, 3}, uint64(1))
	f.Fuzz(func(t *testing.T, text []byte, hash uint64) {
		find(0, text, hash)
		if n := len(unpack(0, text)); n > len(text) {
			t.Errorf("%d digests in %d bytes", n, len(text))
		}
	})
}
