package sources_test

import (
	"testing"

	"github.com/culvert/culvert/sources"
)

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		text, id string
		want     bool
	}{
		{"100001", "100001", true},
		{"1000012", "100001", false},
		{"2100001", "100001", false},
		{"1000012 and 100001", "100001", true},
		{"PT100001/visit", "100001", true},
		{"marianne", "marian", false},
		{"case_marian-1", "marian", true},
		{`{"note":"a\n100001"}`, "100001", true},
		{`{"note":"a\nmarian"}`, "marian", true},
		{`{"note":"\u003c100001\u003e"}`, "100001", true},
		{`{"note":"no\u00e9100001"}`, "100001", true},
		{"100001", "", false},
		{"", "100001", false},
		{"100001100001", "100001", false},
		{"Zoë-77001é", "ë-77001", false},
	} {
		if got := sources.Mentions(c.text, c.id); got != c.want {
			t.Errorf("Mentions(%q, %q) is %v", c.text, c.id, got)
		}
	}
}
