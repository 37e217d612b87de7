package kobo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "kobo", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"{connection: k, asset: " + asset + "}": nil,
		"{connection: k, asset: " + asset +
			", since: 2026-01-01, validation: [approved, on_hold], deletions: true, reconcile: 6h, webhook: {path: /kobo, " +
			"auth: {none: true}}}": nil,
		"{asset: " + asset + "}": {"0:0 missing-key: kobo needs connection"},
		"{connection: k, asset: https://kf.kobotoolbox.org/#/forms}": {`1:24 asset: "https://kf.kobotoolbox.org/#/forms" ` +
			`names no project`},
		"{connection: k, asset: " + asset + ", since: soon}": {`1:55 since: since "soon" is no day`},
		"{connection: k, asset: " + asset +
			", validation: good}": {`1:60 wrong-type: validation is "approved", "not_approved" or "on_hold", not "good"`},
		"{connection: k, asset: " + asset + ", webhook: {pth: /a}}": {`1:58 unknown-key: webhook has no "pth"`,
			"1:48 missing-key: webhook needs path"},
		"{connection: k, asset: " + asset +
			", batch: 5000}": {"1:55 wrong-type: batch is a whole number from 1 to 1000"},
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

// conditions is a sink that keeps what people are told.
type conditions struct {
	*sourcetest.Sink
	said map[string]string
}

func (c *conditions) SetCondition(subject, what string) { c.said[subject] = what }

// project is a pull of a project, with a clock of its own.
type project struct {
	*pull
	server *server
	sink   *conditions
	now    time.Time
}

func newProject(t *testing.T, text string) *project {
	t.Helper()
	p := &project{server: newServer(t), sink: &conditions{sourcetest.New(), map[string]string{}},
		now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	source := New(Config{
		Connect: func(name string) (sources.Connection, error) {
			return sources.Connection{Name: name, URL: p.server.URL + "/#/forms/" + asset, APIKey: "s3cret"}, nil
		},
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return p.now },
	})
	rule := read(trigger(t, text), func(d diag.Diagnostic) { t.Error(d) })
	rule.Rule = "anc"
	p.pull = &pull{source: source, rule: &rule, sink: p.sink, log: source.c.Log}
	return p
}

// next pulls once after so long, and gives what came: ids, with what is said of them.
func (p *project) next(t *testing.T, after time.Duration) []string {
	t.Helper()
	p.now = p.now.Add(after)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p.came()
}

func (p *project) came() []string {
	var out []string
	for _, r := range p.sink.Records() {
		body := r.Body.(map[string]any)
		text := fmt.Sprintf("%v %v", body["_id"], body["_uuid"])
		if r.Origin.Deleted {
			text = fmt.Sprintf("%v deleted %v", body["_id"], body["meta/rootUuid"])
		}
		out = append(out, text)
	}
	return out
}

const config = "{connection: k, asset: " + asset + ", reconcile: 1h, batch: 2, deletions: true, max_deletions: 2}"

func TestPull(t *testing.T) {
	p := newProject(t, config)
	for i := 1; i <= 5; i++ {
		p.server.submit(100*i, fmt.Sprintf("2026-03-01T0%d:00:00", i), fmt.Sprintf("u%d", i))
	}
	want := func(after time.Duration, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, p.next(t, after)); diff != "" {
			t.Error(diff)
		}
	}
	want(0, "100 u1", "200 u2", "300 u3", "400 u4", "500 u5")
	p.server.log()
	want(10 * time.Minute)
	if asked := p.server.log(); len(asked) != 1 || asked[0] != `{"_id":{"$gt":500}}` {
		t.Errorf("nothing is new, and it is asked: %q", asked)
	}
	p.server.submit(700, "2026-03-01T12:15:00", "u7")
	want(10*time.Minute, "700 u7")
	// An id that was given before and is stored late.
	p.server.submit(600, "2026-03-01T12:14:59", "u6")
	want(10*time.Minute, "600 u6")
	// Edits, a validation and a deletion show when the whole project is compared.
	p.server.submit(200, "2026-03-01T02:00:00", "u2b")
	p.server.submit(300, "2026-03-01T03:00:00", "u3", "_validation_status",
		map[string]any{"uid": "validation_status_approved"})
	p.server.remove(100)
	want(10 * time.Minute)
	want(30*time.Minute, "200 u2b", "300 u3", "100 deleted uuid:root-100")
	want(2 * time.Hour)
	if p.sink.Again() > 0 {
		t.Errorf("%d records came again", p.sink.Again())
	}
}

// TestADeletionIsTheNewestVersion compares the times of a submission, its edit, and its deletion.
func TestADeletionIsTheNewestVersion(t *testing.T) {
	p := newProject(t, config)
	p.server.submit(100, "2026-03-01T01:00:00", "u1")
	var times []time.Time
	look := func() {
		p.now = p.now.Add(2 * time.Hour)
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, b := range p.sink.Bodies() {
			times = append(times, sources.VersionOf(b))
		}
	}
	look()
	p.server.submit(100, "2026-03-01T01:00:00", "u1b")
	look()
	p.server.remove(100)
	look()
	p.server.submit(100, "2026-03-01T01:00:00", "u1b") // it was not deleted after all
	look()
	p.server.remove(100)
	look()
	if len(times) != 5 || times[0].IsZero() || !slices.IsSortedFunc(times, time.Time.Compare) {
		t.Error(times)
	}
	for i := 1; i < len(times); i++ {
		if !times[i].After(times[i-1]) {
			t.Errorf("turn %d is not newer: %v", i, times)
		}
	}
}

// A listing that is empty all at once is a lost right or a fault, however small the project.
func TestNeverIsAllDeleted(t *testing.T) {
	p := newProject(t, "{connection: k, asset: "+asset+", deletions: true, reconcile: 1h}")
	for i := 1; i <= 4; i++ {
		p.server.submit(i, fmt.Sprintf("2026-03-01T0%d:00:00", i), fmt.Sprintf("u%d", i))
	}
	p.next(t, 0)
	p.server.hidden = true
	if got := p.next(t, 2*time.Hour); len(got) > 0 {
		t.Error(got)
	}
	if !strings.Contains(p.sink.said["deletions in KoboToolbox of rule anc"], "4 of 4 submissions") {
		t.Errorf("people are told %q", p.sink.said)
	}
}

func TestManyDeletionsAreNotBelieved(t *testing.T) {
	p := newProject(t, config)
	for i := 1; i <= 4; i++ {
		p.server.submit(i, fmt.Sprintf("2026-03-01T0%d:00:00", i), fmt.Sprintf("u%d", i))
	}
	p.next(t, 0)
	p.server.hidden = true
	if got := p.next(t, 2*time.Hour); len(got) > 0 {
		t.Error(got)
	}
	const subject = "deletions in KoboToolbox of rule anc"
	if !strings.Contains(p.sink.said[subject], "4 submissions of rule anc are no longer listed") {
		t.Errorf("people are told %q", p.sink.said)
	}
	p.server.hidden = false
	if got := p.next(t, 2*time.Hour); len(got) > 0 || p.sink.said[subject] != "" {
		t.Error(got, p.sink.said)
	}
}

func TestValidationIsWaitedFor(t *testing.T) {
	p := newProject(t, "{connection: k, asset: "+asset+", validation: approved, since: 2026-03-01}")
	p.server.submit(1, "2026-02-01T01:00:00", "old", "_validation_status",
		map[string]any{"uid": "validation_status_approved"})
	p.server.submit(2, "2026-03-01T01:00:00", "u2")
	if got := p.next(t, 0); len(got) > 0 {
		t.Error(got)
	}
	p.server.submit(2, "2026-03-01T01:00:00", "u2", "_validation_status",
		map[string]any{"uid": "validation_status_approved"})
	if diff := cmp.Diff([]string{"2 u2"}, p.next(t, time.Hour)); diff != "" {
		t.Error(diff)
	}
}

// TestACrashLosesNothing fails each batch in its turn: what was not kept comes with the next pull,
// and all comes in the end.
func TestACrashLosesNothing(t *testing.T) {
	crash := errors.New("gone")
	for at := 1; at < 12; at++ {
		p := newProject(t, config)
		for i := 1; i <= 5; i++ {
			p.server.submit(i, fmt.Sprintf("2026-03-01T0%d:00:00", i), fmt.Sprintf("u%d", i))
		}
		p.sink.Refuse = func(batch int) error {
			if batch == at {
				return crash
			}
			return nil
		}
		err := p.once(t.Context())
		p.sink.Refuse = nil
		got := append(p.came(), p.next(t, time.Hour)...)
		if diff := cmp.Diff([]string{"1 u1", "2 u2", "3 u3", "4 u4", "5 u5"}, got); diff != "" {
			t.Errorf("batch %d, %v: %s", at, err, diff)
		}
	}
}

func TestPullOnRun(t *testing.T) {
	p := newProject(t, config)
	p.server.submit(1, "2026-03-01T01:00:00", "u1")
	p.source.c.Rules = []Rule{*p.rule}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.source.Run(ctx, p.sink) }()
	<-p.sink.Took
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"1 u1"}, p.came()); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		`<html>`:                                        "no page of submissions",
		`{"detail": "x"}`:                               "no page of submissions",
		`{"results": [{"a": 1}]}`:                       "has no _id",
		`{"results": [{"_id": 2}, {"_id": 1}]}`:         "not in the order",
		`{"results": [{"_id": 1.5}]}`:                   "has no _id",
		`{"count": 1, "results": [{"_id": 7, "a": 1}]}`: "",
	} {
		_, err := decodePage([]byte(text))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]int{
		`{"_id": 1}`:               1,
		`[{"_id": 1}, {"_id": 2}]`: 2,
		`{"count": 3, "results": [{"_id": 1}, {"_id": 2}, {"_id": 3}]}`: 2,
	} {
		bodies, err := Kind{}.Sample(nil, "a.json", []byte(text), 2)
		if err != nil || len(bodies) != want {
			t.Errorf("%s: %d, %v", text, len(bodies), err)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"count": 1, "results": [{"_id": 7, "_uuid": "u", "_validation_status": {"uid": "x"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := decodePage(text)
		for i, s := range p.items {
			if err != nil || s.id == 0 || i > 0 && s.id <= p.items[i-1].id {
				t.Errorf("%+v, %v", p, err)
			}
		}
	})
}

func TestCredentialsAreProtected(t *testing.T) {
	for address, want := range map[string]string{
		"http://kobo.example.org": "without protection", "https://kobo.example.org/#/forms": "", "http://127.0.0.1:8383": "",
		"http://localhost:8383": "", "kobo": "cannot be read",
	} {
		_, err := newClient(sources.Connection{Name: "k", URL: address, APIKey: "s3cret"}, slog.New(slog.DiscardHandler))
		if want == "" && err != nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
