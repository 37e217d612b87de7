package tabular

import (
	"testing"
)

// TestBadLinks takes nothing else for a link.
func TestBadLinks(t *testing.T) {
	for _, text := range []string{"", "file", "file:", ":1", "file:0", "file:-1", "file:x", "1"} {
		if _, _, ok := ParseLink(text); ok {
			t.Errorf("%q is taken for a link", text)
		}
	}
}
