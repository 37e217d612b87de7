package codec_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// hiding gives a sealer that hides names with a key.
func hiding(t testing.TB, key string) *codec.Sealer {
	t.Helper()
	s := sealer(t, key).Renew()
	if s == nil || !s.Hides() {
		t.Fatal("a key hides no names")
	}
	return s
}

// TestHide hides texts: equal ones are equal, others are not, and only their key shows them.
func TestHide(t *testing.T) {
	t.Parallel()
	one, again, other, clear := hiding(t, "0123456789abcdef"), hiding(t, "0123456789abcdef"),
		hiding(t, "another key of 16"), sealer(t, "")
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.String().Draw(rt, "a"), rapid.String().Draw(rt, "b")
		hidden := one.Hide(a)
		if hidden != again.Hide(a) || (hidden == one.Hide(b)) != (a == b) {
			rt.Fatalf("%q and %q are hidden as %q and %q", a, b, hidden, one.Hide(b))
		}
		if len(a) > 3 && strings.Contains(hidden, a) {
			rt.Fatalf("%q can be read in %q", a, hidden)
		}
		if got, err := again.Show(hidden); got != a || err != nil {
			rt.Fatalf("%q is shown as %q: %v", a, got, err)
		}
		if got, err := other.Show(hidden); a != "" && !errors.Is(err, journal.ErrKeyWrong) {
			rt.Fatalf("another key shows %q as %q: %v", a, got, err)
		}
		if got, err := clear.Show(clear.Hide(a)); got != a || err != nil || clear.Hide(a) != a {
			rt.Fatalf("in clear %q is %q: %v", a, got, err)
		}
	})
	for _, bad := range []string{"short", "not base64!", strings.Repeat("A", 40)} {
		if got, err := one.Show(bad); err == nil {
			t.Errorf("%q is shown as %q", bad, got)
		}
	}
}

// TestKeyedHashes makes hashes that nobody can guess a text by, and keeps them as they are: they are
// in every journal of that key.
func TestKeyedHashes(t *testing.T) {
	t.Parallel()
	one, other, clear := hiding(t, "0123456789abcdef"), hiding(t, "another key of 16"), sealer(t, "")
	for what, hash := range map[string]func(*codec.Sealer) int64{
		"identity": func(s *codec.Sealer) int64 { return s.Ident("anc", "form-1") },
		"key":      func(s *codec.Sealer) int64 { return s.Chain("form-1") },
		"term":     func(s *codec.Sealer) int64 { return s.Term("form-1") },
		"lock":     func(s *codec.Sealer) int64 { return s.Lock("national", "form-1") },
	} {
		if hash(one) == hash(clear) || hash(one) == hash(other) || hash(one) != hash(hiding(t, "0123456789abcdef")) {
			t.Errorf("%s: %d, with another key %d, in clear %d", what, hash(one), hash(other), hash(clear))
		}
	}
	for what, c := range map[string][2]int64{
		"identity": {one.Ident("anc", "form-1"), 5611101773742125986}, "key": {one.Chain("case-1"), 2223665895044565429},
		"term": {one.Term("case-1"), 27791480484429},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %d, not %d", what, c[0], c[1])
		}
	}
	if got, want := one.Hide("case-1"), "N3WvRVvjR42sUaU779lurzRi8ZYGqQ"; got != want {
		t.Errorf("hidden as %q, not %q", got, want)
	}
	// PostgreSQL keeps neither NUL nor broken UTF-8: hashed anew, the text is the same.
	if odd := "a\x00b\xff"; one.Chain(odd) != one.Chain(codec.Clean(odd)) || one.Term(odd) != one.Term(codec.Clean(odd)) {
		t.Error("an odd text is another once it is clean")
	}
}

// TestNotes goes from one key to the next by the note that a journal keeps.
func TestNotes(t *testing.T) {
	t.Parallel()
	sealerOf := func(keys ...string) *codec.Sealer {
		all := [][]byte{}
		for _, k := range keys {
			all = append(all, []byte(k))
		}
		s, err := codec.NewSealer(all[0], all[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first, second := "0123456789abcdef", "another key of 16"
	payloads, err := sealerOf(first).Checks("")
	if err != nil || codec.Hidden(payloads) {
		t.Fatalf("%q: %v", payloads, err)
	}
	note := sealerOf(first).HiddenNote()
	if !codec.Hidden(note) {
		t.Errorf("%q hides nothing", note)
	}
	for what, c := range map[string]struct {
		s    *codec.Sealer
		want error
	}{
		"the key": {sealerOf(first), nil}, "with a new one": {sealerOf(second, first), nil},
		"another": {sealerOf(second), journal.ErrKeyWrong}, "none": {sealer(t, ""), journal.ErrKeyMissing},
	} {
		_, err := c.s.Checks(note)
		if !errors.Is(err, c.want) || c.want == nil && (!c.s.Hides() || !c.s.Fits(note) == (what == "the key")) {
			t.Errorf("%s: %v", what, err)
		}
	}
	both := sealerOf(second, first)
	kept, err := both.Checks(note)
	if err != nil || !both.Fits(kept) || both.Hide("case-1") != hiding(t, first).Hide("case-1") {
		t.Errorf("while keys change, names are not hidden as they were: %v", err)
	}
	fresh := both.Renew()
	if fresh == nil || fresh.Hide("case-1") != hiding(t, second).Hide("case-1") || fresh.Renew() != nil {
		t.Error("names are not hidden with the newest key")
	}
	clear := sealerOf(first)
	if _, err := clear.Checks(payloads); err != nil || clear.Hides() || clear.Fits(note) {
		t.Errorf("who hides no names fits a journal that does: %v", err)
	}
	if _, err := sealerOf(first).Checks("names:! " + payloads); err == nil {
		t.Error("a broken note is taken")
	}
}
