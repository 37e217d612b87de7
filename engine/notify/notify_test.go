package notify_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/notify"
)

// book keeps what was sent, and refuses while broken.
type book struct {
	name   string
	sent   []notify.Message
	broken bool
}

func (b *book) Name() string { return b.name }

func (b *book) Send(_ context.Context, m notify.Message) error {
	if b.broken {
		return errors.New("closed")
	}
	b.sent = append(b.sent, m)
	return nil
}

type memory map[string]string

func (m memory) Meta(_ context.Context, name string) (string, error) { return m[name], nil }

func (m memory) SetMeta(_ context.Context, name, value string) error { m[name] = value; return nil }

func noDigest(context.Context) ([]string, error) { return nil, errors.New("no digest is asked for") }

func condition(kind, subject string, level int) notify.Condition {
	return notify.Condition{Kind: kind, Subject: subject, Text: kind + " of " + subject, Level: level,
		Since: time.Date(2026, 8, 20, 10, 0, 0, 0, time.UTC)}
}

func TestToldOnceAndResolved(t *testing.T) {
	now := time.Date(2026, 8, 20, 10, 30, 0, 0, time.UTC)
	n := &notify.Notifier{Memory: memory{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	a, b := &book{name: "a"}, &book{name: "b"}
	s := notify.Settings{Project: "anc", Channels: []notify.Channel{a, b}, Digest: -1}
	step := func(list ...notify.Condition) {
		t.Helper()
		if err := n.Step(t.Context(), s, list, noDigest); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	step()
	step(condition("failed", "anc", 1))
	step(condition("failed", "anc", 1), condition("away", "national", 0))
	step(condition("failed", "anc", 2), condition("away", "national", 0))
	b.broken = true
	step(condition("failed", "anc", 2))
	b.broken = false
	step(condition("failed", "anc", 2))
	now = now.Add(time.Hour)
	step(condition("failed", "anc", 2))
	step(condition("failed", "anc", 2))
	var got []string
	for _, m := range a.sent {
		got = append(got, m.Subject())
	}
	want := []string{"Culvert anc: failed of anc", "Culvert anc: away of national", "Culvert anc: failed of anc",
		"Culvert anc: resolved: away of national"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(b.sent) != len(a.sent) {
		t.Errorf("the channel that was closed for a while got %d of %d messages", len(b.sent), len(a.sent))
	}
	// Another process with the same memory repeats nothing.
	other := &notify.Notifier{Memory: n.Memory, Log: n.Log, Now: n.Now}
	if err := other.Step(t.Context(), s, []notify.Condition{condition("failed", "anc", 2)}, noDigest); err != nil ||
		len(a.sent) != 4 {
		t.Errorf("told again after a restart: %v", err)
	}
}

func TestQuietHoursAndDigest(t *testing.T) {
	zone := time.FixedZone("", 3*3600)
	now := time.Date(2026, 8, 20, 22, 0, 0, 0, zone)
	n := &notify.Notifier{Memory: memory{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
	a := &book{name: "a"}
	s := notify.Settings{Project: "anc", Channels: []notify.Channel{a}, Digest: 7 * time.Hour, Zone: zone,
		Link:  "https://culvert.example.org/",
		Quiet: func(t time.Time) bool { return t.Hour() >= 21 || t.Hour() < 6 }}
	digest := func(context.Context) ([]string, error) { return []string{"anc: 120 delivered"}, nil }
	for _, c := range []struct {
		hour, messages int
		list           []notify.Condition
	}{
		{22, 0, []notify.Condition{condition("away", "national", 0)}}, // quiet
		{29, 0, nil}, // it was over before anybody had to know
		{30, 0, nil}, // six in the morning
		{31, 1, nil}, // the digest at seven
		{32, 1, nil}, // once a day
		{33, 2, []notify.Condition{condition("away", "national", 0)}},
		{55, 3, []notify.Condition{condition("away", "national", 0)}},
	} {
		now = time.Date(2026, 8, 20, c.hour, 0, 0, 0, zone)
		if err := n.Step(t.Context(), s, c.list, digest); err != nil {
			t.Fatal(err)
		}
		if len(a.sent) != c.messages {
			t.Fatalf("at hour %d there are %d messages, want %d", c.hour, len(a.sent), c.messages)
		}
	}
	want := "The last day:\n- anc: 120 delivered\n\nhttps://culvert.example.org/\n"
	if got := a.sent[0].Text(); got != want {
		t.Errorf("the digest is %q", got)
	}
	if got := a.sent[2].Text(); !strings.Contains(got, "Still needs attention:\n- away of national") {
		t.Errorf("the digest while a server is away is %q", got)
	}
}

func TestSubjectsAreOneLine(t *testing.T) {
	m := notify.Message{Project: "anc", New: []notify.Condition{{Text: "first\r\nBcc: everybody@example.org " +
		strings.Repeat("x", 200)}}}
	if s := m.Subject(); strings.ContainsAny(s, "\r\n") || len([]rune(s)) > 150 {
		t.Errorf("subject %q", s)
	}
}

func TestChannelsOverHTTP(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("X-Key")+" "+
			string(body))
		if strings.HasSuffix(r.URL.Path, "/refused") {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	at := time.Date(2026, 8, 20, 10, 30, 0, 0, time.UTC)
	m := notify.Message{Project: "anc", At: at, New: []notify.Condition{condition("away", `"national" & more`, 0)}}
	headers := map[string]string{"X-Key": "k"}
	for _, ch := range []notify.Channel{
		&notify.Webhook{Channel: "hook", URL: server.URL + "/json", Shape: "json", Headers: headers},
		&notify.Webhook{Channel: "slack", URL: server.URL + "/slack", Shape: "slack"},
		&notify.Webhook{Channel: "teams", URL: server.URL + "/teams", Shape: "teams"},
		&notify.SMS{Channel: "get", URL: server.URL + "/sms?to={to}&text={text}", To: []string{"+254 1"}},
		&notify.SMS{Channel: "form", URL: server.URL + "/sms", Type: "application/x-www-form-urlencoded",
			Body: "to={to}&message={text}", To: []string{"+2541", "+2542"}, Headers: headers},
		&notify.SMS{Channel: "json", URL: server.URL + "/sms", Type: "application/json",
			Body: `{"to": "{to}", "text": "{text}"}`, To: []string{"+2541"}},
	} {
		if err := ch.Send(t.Context(), m); err != nil {
			t.Errorf("%s: %v", ch.Name(), err)
		}
	}
	golden(t, "http.txt", strings.ReplaceAll(strings.Join(got, "\n")+"\n", server.URL, "http://host"))
	secret := &notify.Webhook{Channel: "hook", URL: server.URL + "/T0/B0/secret/refused", Shape: "slack"}
	if err := secret.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "secret") ||
		!strings.Contains(err.Error(), "403") {
		t.Errorf("a refusal is %v", err)
	}
	elsewhere := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	before := len(got)
	moved := &notify.Webhook{Channel: "hook", URL: elsewhere.URL, Headers: headers}
	if err := moved.Send(t.Context(), m); err == nil || len(got) != before {
		t.Errorf("secret headers went to another host: %v", err)
	}
	server.Close()
	if err := secret.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that is away gives %v", err)
	}
}

// A project's language is that of its messages; what people named stays.
func TestMessageInALanguage(t *testing.T) {
	french, ok := language.Find("fr")
	if !ok {
		t.Fatal("no French")
	}
	m := notify.Message{Project: "anc", Language: french, At: time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC),
		New: []notify.Condition{{Text: "12 records of rule anc-visit have failed: see `culvert failures`",
			Since: time.Date(2026, 3, 9, 9, 30, 0, 0, time.UTC)}},
		Digest: []string{"anc-visit: 60 received, 40 delivered, 12 failed; now 0 waiting, 0 held, 12 to look at"}}
	if got, want := m.Subject(), "Culvert anc: 12 fiches de la règle anc-visit ont échoué : voyez `culvert failures`"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, want := range []string{"Demande votre attention :\n", "(depuis 09/03/2026 09:30)", "Le dernier jour :\n",
		"anc-visit : 60 reçues, 40 livrées, 12 en échec ; maintenant 0 en attente, 0 retenues, 12 à examiner"} {
		if !strings.Contains(m.Text(), want) {
			t.Errorf("no %q in\n%s", want, m.Text())
		}
	}
}

// TestShort says all that fits into what a phone shows, also what is over, and how much does not fit.
func TestShort(t *testing.T) {
	at := func(texts ...string) (list []notify.Condition) {
		for _, text := range texts {
			list = append(list, notify.Condition{Text: text})
		}
		return list
	}
	long := strings.Repeat("x", 100)
	for _, c := range []struct {
		m    notify.Message
		want string
	}{
		{notify.Message{New: at("a is away", "5 records have\nfailed")}, "Culvert anc: a is away; 5 records have failed"},
		{notify.Message{New: at("a"), Resolved: at("b", "c")}, "Culvert anc: a; resolved: b; resolved: c"},
		{notify.Message{New: at(long, "b", long)}, "Culvert anc: " + long + "; b; and 1 more"},
		{notify.Message{New: at(long + long)}, ("Culvert anc: " + long + long)[:149] + "…"},
		{notify.Message{New: at(long[:99]+long[:30], long)}, "Culvert anc: " + long[:99] + long[:30] + "…"}, // alone it fits
		{notify.Message{New: at(long+long, "b")}, ("Culvert anc: " + long + long)[:149] + "…"},
	} {
		c.m.Project = "anc"
		if got := c.m.Short(150); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
