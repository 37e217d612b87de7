package files

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

func TestCompareNames(t *testing.T) {
	want := []string{"", "1.csv", "2.csv", "10.csv", "a.csv", "export-9.csv", "export-09b.csv", "export-10.csv",
		"export-10-2.csv", "export-10-10.csv", "export-99999999999999999999999.csv", "export.csv", "z"}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, CompareNames)
	for _, a := range got {
		for _, b := range got {
			if CompareNames(a, b) != -CompareNames(b, a) || (CompareNames(a, b) == 0) != (a == b) {
				t.Errorf("%q and %q are not ordered: %d, %d", a, b, CompareNames(a, b), CompareNames(b, a))
			}
		}
	}
	for _, pair := range [][2]string{{"export-9.csv", "export-10.csv"}, {"2026-1.csv", "2026-02.csv"},
		{"a2b10", "a2b9a"}} {
		if pair[0] == "a2b10" {
			pair[0], pair[1] = pair[1], pair[0]
		}
		if CompareNames(pair[0], pair[1]) >= 0 {
			t.Errorf("%q does not come before %q", pair[0], pair[1])
		}
	}
}

// TestOrderOfFiles drops files of different times and names at once, and takes them up anew after a
// stop before they were accepted.
func TestOrderOfFiles(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprint("restarted ", restarted), func(t *testing.T) {
			root := t.TempDir()
			c := testConfig(root, WatchedRule{Rule: "anc", Glob: "*.csv"})
			folder := c.Rules[0].Folder
			if err := os.MkdirAll(folder, 0o750); err != nil {
				t.Fatal(err)
			}
			var want []string
			base := time.Now().Add(-time.Hour)
			drop := func(name string, minutes int) {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte("a\n"+name+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				at := base.Add(time.Duration(minutes) * time.Minute)
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
				want = append(want, name)
			}
			drop("zz-oldest.csv", 0)
			for n := range 12 {
				drop(fmt.Sprintf("export-%d.csv", n+1), 5)
			}
			drop("aa-newest.csv", 10)
			s := newSink()
			if restarted {
				s.refuse = func(sources.File) error { return &sources.ErrBusy{RetryAfter: time.Hour, Reason: "full"} }
				stop := start(t, c, s)
				for range want {
					await(t, s.offered)
				}
				stop()
				s = newSink()
			}
			start(t, c, s)
			var got []string
			for range want {
				got = append(got, await(t, s.took).Name)
			}
			if !slices.Equal(got, want) {
				t.Errorf("taken in the order\n%q, want\n%q", got, want)
			}
		})
	}
}
