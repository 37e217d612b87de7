package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/sources/database"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		`{cron: "0 3 * * 1", time_zone: Africa/Nairobi, missed: skip, connection: w, query: SELECT * FROM v}`: nil,
		`{every: 1h, http: {url: "https://a.example/people", params: {since: "{last}"}, auth: ` +
			`{bearer: "${T}"}, items: trigger.data, next: {field: trigger.next}}}`: nil,
		`{every: 1h, http: {url: "${URL}", auth: {header: {name: x-key, value: "${K}"}}, next: link}}`: nil,
		`{cron: "@daily", dhis2: {path: tracker/events, params: ` +
			`{program: abc, updatedAfter: "{last}"}}}`: nil,
		`{cron: "@daily", folder: drop, glob: "*.csv"}`: nil,
		`{cron: "0 3 * *", folder: drop}`:               {`1:9 cron: "0 3 * *" is no cron expression`},
		`{cron: "TZ=UTC", folder: drop}`:                {`1:9 cron: "TZ=UTC" is no cron expression`},
		`{cron: "CRON_TZ=", folder: drop}`:              {`1:9 cron: "CRON_TZ=" is no cron expression`},
		`{cron: "0 0 30 2 *", folder: drop}`:            {`1:9 cron: "0 0 30 2 *" names a day that never comes`},
		`{every: 1h}`: {"0:0 missing-key: schedule " +
			"needs something to read"},
		`{folder: drop}`: {"0:0 missing-key: schedule " +
			"needs cron or every"},
		`{every: 1h, cron: "@daily", folder: drop}`: {"1:2 cron: the schedule has " +
			"both cron and every"},
		`{every: 1h, folder: drop, dhis2: {path: a}}`: {"1:27 two-feeds: the " +
			"schedule reads two things, folder and dhis2"},
		`{every: 1h, time_zone: EAT, folder: drop}`: {`1:24 unknown-zone: "EAT" is not a time zone`},
		`{every: 1h, missed: later, folder: drop}`:  {`1:21 wrong-type: missed is "run" or "skip", not "later"`},
		`{every: 1h, query: DELETE FROM v, connection: w}`: {"1:20 query: the query does " +
			"not begin with SELECT or WITH"},
		`{every: 1h, folder: ../x}`: {`1:21 folder: folder "../x" leads out of the project`},
		`{every: 1h, folder: x, batch: 5}`: {"1:24 unknown-key: batch " +
			"belongs to query, which this schedule has not"},
		`{every: 1h, http: {url: "a.example"}}`: {`1:26 bad-url: "a.example" is no address`},
		`{every: 1h, http: {url: "https://u:p@a.example"}}`: {"1:26 secret-in-file: the " +
			"address holds credentials"},
		`{every: 1h, http: {url: "https://a.example", auth: {bearer: abc}}}`: {"1:61 secret-in-file: bearer " +
			"stands in the file, where everyone who can read the repository sees it"},
		`{every: 1h, http: {url: "https://a.example", auth: {bearer: "${A}", basic: {}}}}`: {"1:52 bad-auth: auth must " +
			"name one way to log in"},
		`{every: 1h, http: {url: "https://a.example", next: {header: X, page: p}}}`: {"1:52 next: next says in one " +
			"way how the next page is found"},
		`{every: 1h, http: {url: "https://a.example", next: more}}`: {`1:52 next: next is not "more"`},
		`{every: 1h, http: {url: ` +
			`"https://a.example", params: {a: "{lust}"}}}`: {`1:59 params: {lust} is a place that does not exist`},
		`{every: 1h, http: {url: "https://a.example?since={lust}"}}`: {`1:26 params: {lust} is a place that does not exist`},
		`{every: 1h, http: {url: "https://a.example/since/{last}"}}`: {`1:26 params: the first run has no run before it, ` +
			`so {last} and {last_date} can stand behind the ? only, where they are left out then`},
		`{every: 1h, http: {url: ` +
			`"https://a.example?since={last}&q={due_date}"}}`: nil,
		`{every: 1h, http: {url: "https://a.example", params: {query: ` +
			`'{"_submission_time":{"$gte":"{last}"}}', sort: '{"_id": 1}', none: "{}"}}}`: nil,
		`{every: 1h, dhis2: {path: "a?b=c"}}`:              {`1:28 path: "a?b=c" is no path below /api/`},
		`{every: 1h, dhis2: {path: a, params: {page: 2}}}`: {"1:39 params: page is set while reading, page by page"},
	} {
		if diff := cmp.Diff(want, findings(t, text)); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestDue(t *testing.T) {
	daily, hourly := `cron: "0 3 * * *"`, "every: 1h"
	for name, c := range map[string]struct {
		times, missed    string
		last, began, now string
		want             string
	}{
		"a first cron waits": {daily, "run", "", "2026-08-01 12:00:00", "2026-08-01 12:00:00",
			"2026-08-02 03:00:00"},
		"a first interval begins": {hourly, "run", "", "2026-08-01 12:00:00", "2026-08-01 12:00:00",
			"2026-08-01 12:00:00"},
		"the next one": {daily, "run", "2026-08-01 03:00:00", "2026-08-01 01:00:00",
			"2026-08-01 12:00:00", "2026-08-02 03:00:00"},
		"a missed one is made up for": {daily, "run", "2026-08-01 03:00:00", "2026-08-04 12:00:00",
			"2026-08-04 12:00:00", "2026-08-04 03:00:00"},
		"a missed one is left": {daily, "skip", "2026-08-01 03:00:00", "2026-08-04 12:00:00",
			"2026-08-04 12:00:00", "2026-08-05 03:00:00"},
		"skip still runs when it is time": {daily, "skip", "2026-08-01 03:00:00", "2026-08-01 12:00:00",
			"2026-08-02 03:00:01", "2026-08-02 03:00:00"},
		"a missed interval is made up for": {hourly, "run", "2026-08-01 03:00:00", "2026-08-01 12:30:00",
			"2026-08-01 12:30:00", "2026-08-01 12:00:00"},
		"a missed interval is left": {hourly, "skip", "2026-08-01 03:00:00", "2026-08-01 12:30:00",
			"2026-08-01 12:30:00", "2026-08-01 13:00:00"},
		"a slow run does not pile up": {hourly, "run", "2026-08-01 03:00:00", "2026-08-01 03:00:00",
			"2026-08-01 06:10:00", "2026-08-01 06:00:00"},
	} {
		rule := ruleOf("anc", trigger(t, "{"+c.times+", missed: "+c.missed+", folder: drop}"), time.UTC)
		r := &run{Source: New(config(rule)), rule: rule}
		var last time.Time
		if c.last != "" {
			last = at(c.last)
		}
		if got := r.due(last, at(c.began), at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %s", name, got.Format(time.DateTime), c.want)
		}
	}
}

func TestTimeZone(t *testing.T) {
	nairobi, err := time.LoadLocation("Africa/Nairobi")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{`{cron: "0 3 * * *", folder: drop}`: "2026-08-01T00:00:00Z",
		`{cron: "0 3 * * *", time_zone: America/Lima, folder: drop}`: "2026-07-31T08:00:00Z"} {
		rule := ruleOf("anc", trigger(t, text), nairobi)
		if got := rule.Times.Next(at("2026-07-31 01:00:00")).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestLoopKeepsTimeAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var queries []string
		c := config(ruleOf("anc", trigger(t,
			`{every: 1h, dhis2: {server: national, path: tracker/events, params: {updatedAfter: "{last}"}}}`), time.UTC))
		c.Lists = listsFunc(func(_ string, query url.Values) (json.RawMessage, error) {
			queries = append(queries, query.Get("updatedAfter"))
			if len(queries) == 2 {
				return nil, errors.New("the server is away")
			}
			return json.RawMessage(`{"instances": [{"event": "a"}]}`), nil
		})
		to := newSink()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		began := time.Now().UTC()
		go func() { done <- New(c).Run(ctx, to) }()
		for range 3 {
			<-to.Saved
		}
		if took := time.Since(began); took != 2*time.Hour {
			t.Errorf("three runs took %s", took)
		}
		want := []string{"", began.Format(time.RFC3339), began.Format(time.RFC3339),
			began.Add(time.Hour).Format(time.RFC3339)}
		if diff := cmp.Diff(want, queries); diff != "" {
			t.Error(diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestRunNow does not wait for the time of a schedule: a run that fails is tried again as any other,
// and the next one is an interval later.
func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		c := config(ruleOf("anc", trigger(t, `{cron: "0 3 * * *", dhis2: {server: national, path: tracker/events}}`),
			time.UTC))
		began := time.Now()
		c.Lists = listsFunc(func(string, url.Values) (json.RawMessage, error) {
			if at = append(at, time.Since(began)); len(at) == 1 {
				return nil, errors.New("the server is away")
			}
			return json.RawMessage(`{"instances": [{"event": "a"}]}`), nil
		})
		to := newSink()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		s := New(c)
		go func() { done <- s.Run(ctx, to) }()
		time.Sleep(90 * time.Second)
		if err := s.Prompt("anc"); err != nil {
			t.Error(err)
		}
		for range 2 {
			<-to.Saved
		}
		if len(at) != 3 || at[0] != 90*time.Second || at[1] == at[0] || at[1]-at[0] > 2*time.Second || at[2] != 3*time.Hour {
			t.Errorf("it ran at %v", at)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "drop"), 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	write := func(name, text string, at time.Time) {
		path := filepath.Join(dir, "drop", name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("a.csv", "id\n1\n", old)
	write("again.csv", "id\n1\n", old)
	write("notes.txt", "x", old)
	write("fresh.csv", "id\n2\n", time.Now().Add(time.Hour))
	c := config(ruleOf("anc", trigger(t, `{every: 1h, folder: drop, glob: "*.csv"}`), time.UTC))
	c.Dir, c.Inbox = dir, filepath.Join(dir, "inbox")
	to := newSink()
	runOnce(t, c, to)
	if f := <-to.Files; f.Name != "a.csv" || len(to.Files) > 0 {
		t.Errorf("%+v and %d more", f, len(to.Files))
	}
	var left []string
	for _, pattern := range []string{"drop/*.*", "drop/done/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			name := filepath.Base(f)
			left = append(left, name[max(strings.Index(name, "-seen-before-"), 0):])
		}
	}
	if diff := cmp.Diff([]string{"fresh.csv", "notes.txt", "-seen-before-again.csv"}, left); diff != "" {
		t.Error(diff)
	}
}

func TestQueryIsReadAsAWhole(t *testing.T) {
	dir := t.TempDir()
	c := config(ruleOf("anc", trigger(t,
		`{every: 1h, connection: w, query: "WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM c WHERE id < `+
			`1201) SELECT id FROM c"}`), time.UTC))
	if err := os.WriteFile(filepath.Join(dir, "empty.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Connect = func(string) (database.Connection, error) {
		return database.Connection{Name: "w", URL: "sqlite:empty.db", Dir: dir}, nil
	}
	to := newSink()
	to.Refuse = refuseFirst // the first try fails in its middle and is made again
	runOnce(t, c, to)
	if got := to.Bodies(); len(got) != 1201 {
		t.Errorf("%d rows", len(got))
	}
}

func TestSample(t *testing.T) {
	for text, c := range map[string]struct {
		path, sample string
		want         int
	}{
		"{every: 1h, http: {url: 'https://a.example', items: trigger.data}}": {"a.json", `{"data": [{"a": 1}, {"a": 2}]}`, 2},
		"{every: 1h, dhis2: {path: tracker/events}}":                         {"a.json", `{"instances": [{"a": 1}]}`, 1},
		"{every: 2h, http: {url: 'https://a.example', items: trigger.data}}": {"a.json", `{"a": 1}`, 1},
		"{every: 1h, folder: drop}":                                          {"a.csv", "id\n1\n2\n3\n", 3},
		"{every: 1h, connection: w, query: SELECT 1}":                        {"a.json", `[{"id": 1}, {"id": 2}]`, 2},
	} {
		got, err := Kind{}.Sample(trigger(t, text), "samples/"+c.path, []byte(c.sample), 10)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestDayOfMonthOrWeek keeps crontab's rule for two kinds of days: either will do.
func TestDayOfMonthOrWeek(t *testing.T) {
	s, err := cronOf("0 0 15 * 1", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 8, 8, 0, 0, 0, 0, time.UTC) // a Saturday
	for _, want := range []string{"2026-08-10", "2026-08-15", "2026-08-17"} {
		if at = s.Next(at); at.Format(time.DateOnly) != want {
			t.Errorf("came on %s, not %s", at.Format(time.DateOnly), want)
		}
	}
}

// FuzzCron has no text end the process, and each schedule have a next time or none.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"0 3 * * 1", "@daily", "TZ=UTC", "TZ=UTC ", "CRON_TZ=", "@every 1h", "@every -1s",
		"*/0 * * * *", "60 * * * *", "5-1 * * * *", "\x00", "* * * * 7", "H H * * *"} {
		f.Add(s)
	}
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := cronOf(spec, time.UTC)
		if err != nil {
			return
		}
		if next := s.Next(now); !next.IsZero() && next.Before(now) {
			t.Errorf("%q came at %s", spec, next)
		}
	})
}

func FuzzListOf(f *testing.F) {
	f.Add(`{"headers":[{"name":"dx"}],"rows":[["abc"]]}`)
	f.Add(`{"headers":[{}],"rows":[[1,2]]}`)
	f.Add(`[{"a":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		items, _, err := listOf(json.RawMessage(text), &DHIS2{Path: "analytics", Items: known("analytics")})
		if err != nil && items != nil {
			t.Error("items with an error")
		}
	})
}
