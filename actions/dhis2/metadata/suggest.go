package metadata

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// maxSuggestions is how many nearest names a finding may list.
const maxSuggestions = 5

// minPart is how many letters a part of a name needs to stand for the whole.
const minPart = 4

// nearest gives the names most like the one that was written: first those that differ by a few
// letters, then those that contain it or are contained in it. None when nothing comes close.
func nearest(written string, names []string) []string {
	want := fold(written)
	if want == "" {
		return nil
	}
	found := diag.Nearest(written, names)
	if len(want) < minPart {
		return found
	}
	for _, name := range names {
		if len(found) >= maxSuggestions {
			break
		}
		part := fold(name)
		if len(part) >= minPart && (strings.Contains(part, want) || strings.Contains(want, part)) &&
			!slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}

func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
