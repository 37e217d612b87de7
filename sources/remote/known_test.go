package remote

import (
	"fmt"
	"testing"

	"github.com/culvert/culvert/sources/sourcetest"
)

// TestKnownIsKeptInFewSteps has a folder of many files change at once: each part of what is known is
// written once, and read again as it was.
func TestKnownIsKeptInFewSteps(t *testing.T) {
	t.Parallel()
	sink := sourcetest.New()
	cursor := func(part string) string { return "remote/" + part }
	k, err := loadKnown(t.Context(), sink, cursor)
	if err != nil {
		t.Fatal(err)
	}
	var all []*entry
	var paths []string
	for i := range 500 {
		e := &entry{Path: fmt.Sprintf("/out/%d.csv", i), Version: "1"}
		all, paths = append(all, e), append(paths, e.Path)
	}
	if err := k.put(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if n := sink.Batches(); n > buckets {
		t.Errorf("%d files took %d writes", len(all), n)
	}
	if err := k.forget(t.Context(), paths[1:]); err != nil {
		t.Fatal(err)
	}
	again, err := loadKnown(t.Context(), sink, cursor)
	if err != nil || len(again.byPath) != 1 || again.byPath[paths[0]] == nil {
		t.Errorf("%d files are known: %v", len(again.byPath), err)
	}
}
