package codec_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func sealer(t testing.TB, key string) *codec.Sealer {
	t.Helper()
	s, err := codec.NewSealer([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStates(t *testing.T) {
	t.Parallel()
	for _, state := range []journal.State{journal.Pending, journal.Held, journal.Delivered, journal.Skipped,
		journal.Failed, journal.Dismissed} {
		code, err := codec.StateCode(state)
		if err != nil || codec.StateOf(code) != state {
			t.Errorf("%s becomes %d, %s: %v", state, code, codec.StateOf(code), err)
		}
		if codec.Unsettled(code) != (state == journal.Pending || state == journal.Held) {
			t.Errorf("%s is unsettled: %v", state, codec.Unsettled(code))
		}
	}
	if code, err := codec.StateCode(""); code != codec.Pending || err != nil {
		t.Errorf("no state is %d: %v", code, err)
	}
	if _, err := codec.StateCode("lost"); err == nil {
		t.Error("lost is a state")
	}
	if got := codec.StateOf(17); got != "unknown-17" {
		t.Errorf("17 is %s", got)
	}
}

// TestHashes keeps hashes as they are: they are in every journal.
func TestHashes(t *testing.T) {
	t.Parallel()
	clear := sealer(t, "")
	for what, c := range map[string]struct{ got, want int64 }{
		"identity":         {clear.Ident("anc", "form-1"), -3459683374838579596},
		"key":              {clear.Chain("case-1"), 7868583566899876059},
		"object":           {int64(codec.Object("national", "event x")), 1815812294481},
		"parts are apart":  {clear.Ident("an", "cform-1"), -8818269140694884144},
		"kinds are apart":  {clear.Chain(""), -7368347505906802669},
		"a long text, too": {clear.Chain(string(bytes.Repeat([]byte("x"), 5000))), 1468135513295372925},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, not %d", what, c.got, c.want)
		}
	}
}

func TestHashKinds(t *testing.T) {
	t.Parallel()
	clear := sealer(t, "")
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String().Draw(rt, "text")
		if clear.Ident("anc", text)&1 != 0 || clear.Chain(text)&1 != 1 || codec.Object("s", text)>>codec.ObjectBits != 0 {
			rt.Fatal("an identity must be even, a key odd, an object short")
		}
	})
}

func TestSeal(t *testing.T) {
	t.Parallel()
	clear, one, other := sealer(t, ""), sealer(t, "0123456789abcdef"), sealer(t, "another key of 16")
	rapid.Check(t, func(rt *rapid.T) {
		payload := rapid.SliceOf(rapid.Byte()).Draw(rt, "payload")
		ident := rapid.Int64().Draw(rt, "ident")
		for _, s := range []*codec.Sealer{clear, one} {
			got, err := s.Open(codec.PurposeBody, ident, s.Seal(codec.PurposeBody, ident, payload))
			if err != nil || !bytes.Equal(got, payload) {
				rt.Fatalf("%x became %x: %v", payload, got, err)
			}
		}
		sealed := one.Seal(codec.PurposeBody, ident, payload)
		if len(payload) > 8 && bytes.Contains(sealed, payload) {
			rt.Fatal("the payload can be read")
		}
		if _, err := clear.Open(codec.PurposeBody, ident, sealed); !errors.Is(err, journal.ErrKeyMissing) {
			rt.Fatalf("without a key: %v", err)
		}
		for _, open := range []func() ([]byte, error){
			func() ([]byte, error) { return other.Open(codec.PurposeBody, ident, sealed) },
			func() ([]byte, error) { return one.Open(codec.PurposeOrigin, ident, sealed) },
			func() ([]byte, error) { return one.Open(codec.PurposeBody, ident+1, sealed) },
			func() ([]byte, error) { return one.Open(codec.PurposeBody, ident, sealed[:len(sealed)-1]) },
		} {
			if _, err := open(); !errors.Is(err, journal.ErrKeyWrong) {
				rt.Fatalf("something else was opened: %v", err)
			}
		}
	})
	if one.Seal(codec.PurposeBody, 1, nil) != nil {
		t.Error("no payload is something")
	}
	if bytes.Equal(one.Seal(codec.PurposeBody, 1, []byte("x")), one.Seal(codec.PurposeBody, 1, []byte("x"))) {
		t.Error("the same payload is sealed the same way twice")
	}
	if _, err := one.Open(codec.PurposeBody, 1, []byte{9, 1, 2}); err == nil {
		t.Error("an unknown form was opened")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	clear, one, other := sealer(t, ""), sealer(t, "0123456789abcdef"), sealer(t, "another key of 16")
	for _, c := range []struct {
		s     *codec.Sealer
		check string
		want  error
	}{
		{clear, "", nil}, {one, "", nil}, {one, one.Check(), nil}, {clear, clear.Check(), nil},
		{clear, one.Check(), journal.ErrKeyMissing}, {other, one.Check(), journal.ErrKeyWrong},
	} {
		if _, err := c.s.Checks(c.check); !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	if _, err := one.Checks("%%%"); err == nil {
		t.Error("a damaged check was taken")
	}
	newer, err := codec.NewSealer([]byte("another key of 16"), []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	checks, err := newer.Checks(one.Check())
	if err != nil || len(strings.Fields(checks)) != 2 {
		t.Errorf("with a newer key: %q: %v", checks, err)
	}
	if same, err := newer.Checks(checks); err != nil || same != checks {
		t.Errorf("once more: %q: %v", same, err)
	}
	for _, alone := range []*codec.Sealer{one, other} {
		if _, err := alone.Checks(checks); !errors.Is(err, journal.ErrKeyWrong) {
			t.Errorf("one of two keys in use: %v", err)
		}
	}
	for _, keys := range [][]string{{"short"}, {"0123456789abcdef", "short"}} {
		if _, err := codec.NewSealer([]byte(keys[0]), []byte(keys[len(keys)-1])); err == nil {
			t.Error("a short key was taken")
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	s := sealer(t, "0123456789abcdef")
	origin := sources.Origin{Trigger: "files", File: "a.csv", FileID: "f", Row: 3, Headers: map[string]string{"A": "b"}}
	stored, err := s.Origin(5, origin)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.OpenOrigin(5, stored)
	if d := cmp.Diff(origin, got); d != "" || err != nil {
		t.Errorf("origin: %v\n%s", err, d)
	}
	p := journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date", Value: "31.31."},
		Detail: "of Amina", Objects: []string{"a", "b"}}
	private, err := s.Private(5, &p)
	if err != nil {
		t.Fatal(err)
	}
	back := journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}
	if err := s.OpenPrivate(5, private, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(p, back); d != "" {
		t.Errorf("problem:\n%s", d)
	}
	if private, err := s.Private(5, &journal.Problem{Problem: diag.Problem{Code: "E1"}}); private != nil || err != nil {
		t.Errorf("a problem without data: %x %v", private, err)
	}
	for _, ids := range [][]string{nil, {"a"}, {"event a", "tei b"}} {
		if d := cmp.Diff(ids, codec.SplitObjects(codec.Objects(ids))); d != "" {
			t.Error(d)
		}
	}
	for _, at := range []time.Time{{}, time.Date(2026, 3, 2, 8, 0, 0, 1000, time.UTC)} {
		if got := codec.Time(codec.Micros(at)); !got.Equal(at) {
			t.Errorf("%s became %s", at, got)
		}
	}
}
