package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFilesAreReadAsServiceManagersReadThem(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       [][2]string
		err        string
	}{
		{name: "bare, quoted, exported", text: "A=1\nB=\"two words\"\nexport C='a $b'\n",
			want: [][2]string{{"A", "1"}, {"B", "two words"}, {"C", "a $b"}}},
		{name: "comments, blank lines, spaces, Windows line ends", text: "# x\r\n\r\n; y\r\n A = b c \r\n",
			want: [][2]string{{"A", "b c"}}},
		{name: "a byte order mark", text: "\xef\xbb\xbfA=1", want: [][2]string{{"A", "1"}}},
		{name: "an equals sign and a hash in a value", text: "A=p#w=d", want: [][2]string{{"A", "p#w=d"}}},
		{name: "escapes", text: `A="a\"b\\c\$d\n"`, want: [][2]string{{"A", `a"b\c$d\n`}}},
		{name: "empty", text: "A=\nB=\"\"", want: [][2]string{{"A", ""}, {"B", ""}}},
		{name: "no equals sign", text: "A=1\nsecret-without-name", err: "f:2: this is no line of the form NAME=value"},
		{name: "a name that is none", text: "9A=secret", err: "f:1: this is no line of the form NAME=value"},
		{name: "an open quote", text: `A="secret`, err: "f:1: the quote that opens the value of A is not closed on its line"},
		{name: "text behind a quote", text: `A="sec"ret`,
			err: "f:1: the quote that opens the value of A is not closed on its line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseEnv("f", []byte(c.text))
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTheRunIsAskedWhereItListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080", "0.0.0.0:80": "http://127.0.0.1:80",
		"[::]:8080":                "http://[::1]:8080",
		"culvert.example.org:8080": "http://culvert.example.org:8080",
	} {
		if got, err := localURL(listen); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", listen, got, err, want)
		}
	}
	if _, err := localURL("8080"); err == nil {
		t.Error("8080 alone is no address")
	}
}
