package mail

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/remote"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var found diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &found)
	if len(found) > 0 {
		t.Fatal(found)
	}
	return &rules.Trigger{Kind: word, Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

// A trigger must say whose mails are read; anyone is warned of.
func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{connection: c, from: a@b.example}":                                       "",
		"{connection: c, from: [a@b.example, \"@c.example\"], subject: weekly}":    "",
		"{connection: c, from: a@b.example, since: 2026-01-01, after: flag}":       "",
		"{connection: c, from: a@b.example, folder: Reports/in, done: Reports/ok}": "",
		"{connection: c}":                                              "mail needs from",
		"{from: a@b.example}":                                          "mail needs connection",
		"{connection: c, from: District data}":                         "from names no sender",
		"{connection: c, from: \"District <a@b.example>\"}":            "from names no sender",
		"{connection: c, from: b.example}":                             "from names no sender",
		"{connection: c, from: anyone}":                                "warning: files of anybody",
		"{connection: c, from: a@b.example, after: tag}":               `after cannot be "tag"`,
		"{connection: c, from: a@b.example, done: INBOX}":              "done is the folder that files are taken from",
		"{connection: c, from: a@b.example, after: flag, done: ready}": "done is for files that are moved",
		"{connection: c, from: a@b.example, results: out}":             "results",
		"{connection: c, from: a@b.example, since: yesterday}":         "since",
		"{connection: c, from: a@b.example, glob: a/b}":                "glob is for file names",
	} {
		var found []string
		Kind().Check(trigger(t, text), func(d diag.Diagnostic) {
			found = append(found, map[bool]string{true: "warning: "}[d.Severity == diag.Warning]+d.Message)
		})
		if got := strings.Join(found, "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// What is left out is the inbox, from which mails are moved.
func TestDefaults(t *testing.T) {
	t.Parallel()
	r := Kind().(kind).Rule(trigger(t, "{connection: c, from: a@b.example}"), func(diag.Diagnostic) {}) //nolint:forcetypeassert // ours
	if r.Folder != "INBOX" || r.After != remote.Move || r.Done != "INBOX/done" || r.Failed != "INBOX/failed" {
		t.Errorf("%+v", r)
	}
}

// Two rules must not take mails away from each other.
func TestCheckAll(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"{connection: c, from: a@b.example}", "{connection: c, from: a@b.example, glob: x*}", true},
		{"{connection: c, from: a@b.example}", "{connection: c, from: \"@b.example\", folder: inbox}", true},
		{"{connection: c, from: anyone}", "{connection: c, from: a@b.example, after: leave}", true},
		{"{connection: c, from: a@b.example, after: leave}", "{connection: c, from: a@b.example, after: leave}", false},
		{"{connection: c, from: a@b.example}", "{connection: c, from: b@b.example}", false},
		{"{connection: c, from: a@b.example}", "{connection: c, from: \"@c.example\"}", false},
		{"{connection: c, from: a@b.example, subject: tb}", "{connection: c, from: a@b.example, subject: malaria}", false},
		{"{connection: c, from: a@b.example, subject: tb}", "{connection: c, from: a@b.example}", true},
		{"{connection: c, from: a@b.example}", "{connection: d, from: a@b.example}", false},
		{"{connection: c, from: a@b.example}", "{connection: c, from: a@b.example, folder: other}", false},
	} {
		n := 0
		Kind().(kind).CheckAll([]*rules.Rule{{Name: "a", Trigger: *trigger(t, c.a)}, //nolint:forcetypeassert // ours
			{Name: "b", Trigger: *trigger(t, c.b)}}, func(diag.Diagnostic) { n++ })
		if (n == 1) != c.want {
			t.Errorf("%s and %s: %d findings", c.a, c.b, n)
		}
	}
}

// Who sent a mail is its one From address, whatever name stands beside it.
func TestWhoIsLetIn(t *testing.T) {
	t.Parallel()
	f := &filter{from: []string{"data@district.example.org", "@ministry.example.org"}}
	for head, want := range map[string]bool{
		"From: data@district.example.org":                                           true,
		"From: =?utf-8?B?RGF0YQ==?= <Data@District.Example.ORG>":                    true,
		"From: \"Anybody\" <who@ministry.example.org>":                              true,
		"From: who@sub.ministry.example.org":                                        false,
		"From: who@notministry.example.org":                                         false,
		"From: \"data@district.example.org\" <x@else.example.org>":                  false,
		"From: data@district.example.org, x@else.example.org":                       false,
		"From: data@district.example.org\r\nFrom: x@else.example.org":               false,
		"From: x@else.example.org\r\nSender: data@district.example.org":             false,
		"From: <data@district.example.org@else.example.org>":                        false,
		"From: undisclosed:;":                                                       false,
		"Subject: no sender":                                                        false,
		"From: data@district.example.org (comment)\r\nSubject: =?x-none?Q?weekly?=": true,
	} {
		if got := f.lets(readHeader([]byte(head+"\r\n\r\n")), morning); got != want {
			t.Errorf("%s: %v", head, got)
		}
	}
	f = &filter{from: []string{anyone}, subject: "weekly report", since: morning}
	head := readHeader([]byte("From: a@b.example\r\nSubject: RE: =?iso-8859-1?Q?Weekly?=\r\n  report\r\n\r\n"))
	if !f.lets(head, morning) || f.lets(head, morning.Add(-1)) {
		t.Errorf("subject %q", head.subject)
	}
}
