package files

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "files", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"folder: drop": nil,
		"{folder: /mnt/share/anc, glob: 'anc-*.csv', format: csv, delimiter: semicolon, encoding: windows-1252, header: " +
			"3, columns: [a, b], marker: .done, stable_for: 10s, done: archive, failed: /mnt/bad}": nil,
		"{folder: drop, format: xlsx, sheet: Forms, items: a.b}": nil,
		"foldr: drop":                       {`1:1 unknown-key: files has no "foldr"`, "0:0 missing-key: files needs folder"},
		"{folder: ../drop}":                 {`1:10 folder: folder "../drop" leads out of the project`},
		"{folder: ''}":                      {"1:10 wrong-type: folder is empty"},
		"{folder: drop, done: ./drop/}":     {"1:22 same-folder: done is the folder that is watched"},
		"{folder: drop, glob: a/b.csv}":     {"1:22 glob: glob is for file names and holds a folder"},
		"{folder: drop, glob: '[a'}":        {`1:23 glob: glob "[a" is not a pattern`},
		"{folder: drop, format: parquet}":   {`1:24 format: no format is named "parquet"`},
		"{folder: drop, delimiter: ab}":     {`1:27 delimiter: "ab" cannot be a delimiter`},
		"{folder: drop, delimiter: x}":      {`1:27 delimiter: "x" cannot be a delimiter`},
		"{folder: drop, encoding: klingon}": {`1:26 encoding: no encoding is named "klingon"`},
		"{folder: drop, header: none, columns: [a, b], short_rows: blank}": nil,
		"{folder: drop, columns: {required: [a], optional: [b]}}":          nil,
		"{folder: drop, columns: optional}":                                nil,
		"{folder: drop, header: none}": {"1:24 missing-key: header: none says that " +
			"the files begin with values, and nothing says what the columns are"},
		"{folder: drop, columns: {needed: [a]}, short_rows: maybe}": {"1:26 unknown-key: columns has no \"needed\"",
			"1:52 not-allowed: short_rows cannot be \"maybe\""},
		"{folder: drop, header: 0}": {"1:24 header: header is the number of the " +
			"row that holds the column names, from 1 to 1000, or none"},
		"{folder: drop, columns: a}": {"1:25 wrong-type: columns is a list of " +
			"column names that a file must have"},
		"{folder: drop, marker: done}":     {`1:24 marker: marker "done" is no file ending`},
		"{folder: drop, stable_for: soon}": {`1:28 duration: stable_for "soon" is no length of time from 1ms to 24h`},
		"{folder: [drop]}":                 {"1:10 wrong-type: folder is one text"},
	} {
		var got []string
		Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
			got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
				d.Message))
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestWatched(t *testing.T) {
	got := Watched("anc", trigger(t,
		"{folder: drop/anc, glob: '*.csv', delimiter: tab, header: 2, marker: .ok, stable_for: 3s, done: archive}"),
		"/project")
	want := WatchedRule{Rule: "anc", Folder: "/project/drop/anc", Create: true, Glob: "*.csv", Marker: ".ok",
		StableFor: 3 * time.Second,
		Done:      "/project/archive", Failed: "/project/drop/anc/failed", Format: tabular.Format{Delimiter: '\t', Header: 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := Watched("anc", trigger(t, "{folder: /mnt/share}"), "/project"); got.Folder != "/mnt/share" || got.Create ||
		got.Done != "/mnt/share/done" {
		t.Errorf("an outside folder is %+v", got)
	}
}

func TestSample(t *testing.T) {
	k, tr := Kind{}, trigger(t, "{folder: drop, format: xlsx}")
	got, err := k.Sample(tr, "samples/a.csv", []byte("form.name,age\nAda,30\nBea,31\nCy,32\n"), 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"form": map[string]any{"name": "Ada"}, "age": "30"},
		map[string]any{"form": map[string]any{"name": "Bea"}, "age": "31"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{"no rows": "a,b\n", "empty": "", "bad row": "a,b\n1\n"} {
		if _, err := k.Sample(tr, "samples/a.csv", []byte(text), 2); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What a killed process left in the inbox is offered by the next one, though no rule watches a folder: a webhook, a
// web address or an SFTP server may have brought it.
func TestOffersWhatWasLeftInTheInbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := sources.Env{Dir: dir, Inbox: filepath.Join(dir, "inbox"), Log: slog.New(slog.DiscardHandler)}
	if s, err := (Kind{}).New(nil, env); s != nil || err != nil {
		t.Fatalf("with nothing to do there is a source: %v %v", s, err)
	}
	in := inbox{dir: env.Inbox, now: time.Now}
	tagged := tag{Rule: "anc", Name: "a.csv", Folder: filepath.Join(dir, "received", "anc"), Received: time.Now(),
		Keep: true}
	id, err := in.prepare(tagged)
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.WriteFile(t, in.path(id, tagged), "id\n1\n")
	s, err := Kind{}.New(nil, env)
	if s == nil || err != nil {
		t.Fatalf("there is no source: %v", err)
	}
	sink := sourcetest.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, sink) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case f := <-sink.Files:
		if f.ID != id || f.Rule != "anc" {
			t.Errorf("offered %s of rule %s", f.ID, f.Rule)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it was not offered")
	}
}
