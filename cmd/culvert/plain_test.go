package main

import (
	"bytes"
	"testing"
)

func TestPlainWriter(t *testing.T) {
	for in, want := range map[string]string{
		"Amina ñ 健康 \u200f\n\tx":           "Amina ñ 健康 \u200f\n\tx",
		"\x1b]0;title\x07":                 "␛]0;title␇",
		"\x1b[2J\x1b[1;31mred\x1b[0m":      "␛[2J\x1b[1;31mred\x1b[0m",
		"\x1b[8mhidden":                    "␛[8mhidden",
		"a\rb\bc\x00\x7f":                  "a␍b␈c␀␡",
		"\u009b2J and \u202egnp.exe\u2066": "\uFFFD2J and \uFFFDgnp.exe\uFFFD",
		"\xff":                             "\xff",
	} {
		for _, step := range []int{1, 2, 3, len(in)} {
			var out bytes.Buffer
			w := &plainWriter{to: &out, colours: true}
			for rest := []byte(in); len(rest) > 0; {
				n := min(step, len(rest))
				if wrote, err := w.Write(rest[:n]); wrote != n || err != nil {
					t.Fatalf("wrote %d of %d: %v", wrote, n, err)
				}
				rest = rest[n:]
			}
			if got := out.String(); got != want {
				t.Errorf("%q in steps of %d is printed as %q, want %q", in, step, got, want)
			}
		}
	}
	var out bytes.Buffer
	if _, err := (&plainWriter{to: &out}).Write([]byte("\x1b[1mbold")); err != nil || out.String() != "␛[1mbold" {
		t.Errorf("without colours: %q", out.String())
	}
}
