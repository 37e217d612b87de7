package mail

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/mail/mailtest"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/remote/remotetest"
	"github.com/culvert/culvert/sources/sourcetest"
)

const district = "data@district.example.org"

var morning = time.Date(2026, 3, 1, 8, 12, 0, 0, time.UTC)

func letter(id string, files ...mailtest.Attachment) mailtest.Mail {
	return mailtest.Mail{ID: id + "@district.example.org", From: "District data <" + district + ">", Subject: "Weekly report",
		Files: files}
}

func csv(name, content string) mailtest.Attachment {
	return mailtest.Attachment{Name: name, Content: content}
}

func rule(after string) remote.Rule {
	return remote.Rule{Folder: "INBOX", After: after, Done: "INBOX/done", Failed: "INBOX/failed",
		Own: &filter{from: []string{district}, subject: "weekly"}}
}

func run(t *testing.T, server *mailtest.Server, dir string, s sources.Sink, r remote.Rule) (stop func()) {
	t.Helper()
	return remotetest.Run(t, word, newMemory().dial, server.Connection(), dir, s, r)
}

// Files come out of mails of the senders that the rule names, oldest first, each once though the source starts anew.
func TestTakesAttachments(t *testing.T) {
	t.Parallel()
	server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
	server.Deliver(t, "INBOX", letter("2", csv("b.csv", "id\n2\n"), csv("logo.png", "no table")).String(), morning.Add(time.Hour))
	server.Deliver(t, "INBOX", letter("1", csv("a.csv", "id\n1\n"), csv("a2.csv", "id\n12\n")).String(), morning)
	stranger := letter("3", csv("evil.csv", "id\n3\n"))
	stranger.From = `"data@district.example.org" <somebody@elsewhere.example.org>`
	server.Deliver(t, "INBOX", stranger.String(), morning)
	other := letter("4", csv("other.csv", "id\n4\n"))
	other.Subject = "Photos of the party"
	server.Deliver(t, "INBOX", other.String(), morning)
	stop := run(t, server, dir, s, rule(remote.Leave))
	for _, want := range []string{"a.csv", "a2.csv", "b.csv"} {
		f := s.Taken(t)
		if f.Name != want || f.Folder != filepath.Join(dir, "received", "anc") {
			t.Errorf("took %s of %s, want %s", f.Name, f.Folder, want)
		}
	}
	stop()
	server.Deliver(t, "INBOX", letter("5", csv("c.csv", "id\n5\n")).String(), morning.Add(2*time.Hour))
	run(t, server, dir, s, rule(remote.Leave))
	if f := s.Taken(t); f.Name != "c.csv" || sourcetest.ReadFile(t, f.Path) != "id\n5\n" {
		t.Errorf("took %s", f.Name)
	}
	if len(s.Offered) != 4 {
		t.Errorf("%d files were offered, want 4", len(s.Offered))
	}
}

// A mail goes where the rule says once all of its files are finished, and not before; servers that cannot move, and
// such that cannot remove one mail alone, are served too.
func TestSettlesMails(t *testing.T) {
	t.Parallel()
	for name, caps := range map[string][]imap.Cap{
		"all": nil, "no move": {imap.CapIMAP4rev1, imap.CapUIDPlus}, "no uidplus": {imap.CapIMAP4rev1},
		"rev2": {imap.CapIMAP4rev2},
	} {
		for _, after := range []string{remote.Move, remote.Flag, remote.Delete} {
			t.Run(name+" "+after, func(t *testing.T) {
				t.Parallel()
				server, dir, s := mailtest.New(t, caps...), t.TempDir(), remotetest.NewSink()
				server.Deliver(t, "INBOX", letter("1", csv("a.csv", "id\n1\n"), csv("b.csv", "id\n2\n")).String(), morning)
				server.Deliver(t, "INBOX", letter("2", csv("c.csv", "id\n3\n")).String(), morning)
				server.Deliver(t, "INBOX", "From: a@b.example.org\n\nstays", morning)
				run(t, server, dir, s, rule(after))
				a, b, c := s.Taken(t), s.Taken(t), s.Taken(t)
				s.Finish(t, a, "done")
				s.Finish(t, c, "failed")
				gone := func(n int) func() bool {
					return func() bool {
						if after == remote.Flag {
							return server.Count(t, "INBOX", keywordDone)+server.Count(t, "INBOX", keywordFailed) == n
						}
						return server.Count(t, "INBOX") == 3-n
					}
				}
				awaittest.Until(t, "the second mail goes", gone(1))
				s.Finish(t, b, "done")
				awaittest.Until(t, "the first mail goes", gone(2))
				switch after {
				case remote.Move:
					if d, f := server.Count(t, "INBOX/done"), server.Count(t, "INBOX/failed"); d != 1 || f != 1 {
						t.Errorf("%d mails in done, %d in failed", d, f)
					}
				case remote.Flag:
					if d, f := server.Count(t, "INBOX", keywordDone), server.Count(t, "INBOX", keywordFailed); d != 1 || f != 1 {
						t.Errorf("%d mails marked as done, %d as failed", d, f)
					}
				}
			})
		}
	}
}

// A server that numbers its mails anew, and mails that are moved back or came twice, bring nothing twice.
func TestKnowsMailsAgain(t *testing.T) {
	t.Parallel()
	server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
	first := letter("1", csv("a.csv", "id\n1\n")).String()
	nameless := strings.Replace(letter("2", csv("b.csv", "id\n2\n")).String(), "Message-ID: <2@district.example.org>\n", "", 1)
	server.Deliver(t, "INBOX", first, morning)
	server.Deliver(t, "INBOX", nameless, morning.Add(time.Minute))
	stop := run(t, server, dir, s, rule(remote.Leave))
	s.Taken(t)
	s.Taken(t)
	stop()
	server.Renumber(t)
	server.Deliver(t, "INBOX", nameless, morning.Add(time.Minute))
	server.Deliver(t, "INBOX", first, morning)
	server.Deliver(t, "INBOX", first, morning) // once more
	server.Deliver(t, "INBOX", letter("3", csv("c.csv", "id\n3\n")).String(), morning.Add(time.Hour))
	run(t, server, dir, s, rule(remote.Leave))
	if f := s.Taken(t); f.Name != "c.csv" {
		t.Errorf("took %s", f.Name)
	}
	if len(s.Offered) != 4 { // the mail that came once more was one of them, and known by its content
		t.Errorf("%d files were offered, want 4", len(s.Offered))
	}
}

// A mail that a person moves back out of done is moved away again, and brings nothing.
func TestMailsThatAreMovedBack(t *testing.T) {
	t.Parallel()
	server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
	server.Deliver(t, "INBOX", letter("1", csv("a.csv", "id\n1\n")).String(), morning)
	run(t, server, dir, s, rule(remote.Move))
	s.Finish(t, s.Taken(t), "done")
	awaittest.Until(t, "it is moved", func() bool { return server.Count(t, "INBOX") == 0 })
	logins := server.Logins.Load()
	awaittest.Until(t, "the folder is looked into", func() bool { return server.Logins.Load() > logins+1 })
	server.MoveAll(t, "INBOX/done", "INBOX")
	awaittest.Until(t, "it is moved again", func() bool {
		return server.Count(t, "INBOX") == 0 && server.Count(t, "INBOX/done") == 1
	})
	if len(s.Offered) != 1 {
		t.Errorf("%d files were offered, want 1", len(s.Offered))
	}
}

// What cannot be taken stays in the mailbox, people are told why, and what came after it is taken.
func TestTellsOfWhatCannotBeTaken(t *testing.T) {
	t.Parallel()
	server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
	for i, m := range []mailtest.Mail{
		letter("none", csv("logo.png", "no table")),
		letter("outlook", csv("winmail.dat", "closed")),
		letter("large", csv("large.csv", strings.Repeat("0123456789", 200_000))),
		letter("junk", mailtest.Attachment{Name: "junk.csv", Plain: true, Content: "aWQKMQo%%%=",
			Header: "Content-Type: text/csv; name=junk.csv\nContent-Transfer-Encoding: base64"}),
		letter("short", mailtest.Attachment{Name: "short.csv", Plain: true, Content: "aWQKM",
			Header: "Content-Type: text/csv; name=short.csv\nContent-Transfer-Encoding: base64"}),
		letter("uu", mailtest.Attachment{Name: "uu.csv", Plain: true, Content: "begin 644",
			Header: "Content-Type: text/csv; name=uu.csv\nContent-Transfer-Encoding: x-uuencode"}),
		letter("good", csv("good.csv", "id\n1\n")),
	} {
		server.Deliver(t, "INBOX", m.String(), morning.Add(time.Duration(i)*time.Minute))
	}
	run(t, server, dir, s, rule(remote.Move))
	s.Finish(t, s.Taken(t), "done")
	awaittest.Until(t, "the good one goes", func() bool { return server.Count(t, "INBOX/done") == 1 })
	for _, want := range []string{
		"the mail of 2026-03-01 08:12 UTC: it holds no file that can be read", "only Outlook reads", "large.csv",
		"junk.csv cannot be taken: it was damaged", "short.csv", `encoding "x-uuencode"`,
	} {
		awaittest.Until(t, "people are told: "+want, func() bool { return s.Says(want) })
	}
	if n := server.Count(t, "INBOX"); n != 6 {
		t.Errorf("%d mails are left, want 6", n)
	}
}

// A line that breaks while a file is fetched costs a piece of it, not all, and never its end.
func TestGoesOnWhereALineBroke(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(map[bool]string{false: "base64", true: "as it is"}[plain], func(t *testing.T) {
			t.Parallel()
			server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
			text := "id\r\n" + strings.Repeat("0123456789abcd\r\n", 120_000)
			server.Deliver(t, "INBOX", letter("1", mailtest.Attachment{Name: "large.csv", Content: text, Plain: plain}).String(), morning)
			server.Break.Store(900_000)
			r := rule(remote.Leave)
			r.MaxBytes = 4 << 20
			run(t, server, dir, s, r)
			f := s.Taken(t)
			if got := sourcetest.ReadFile(t, f.Path); strings.TrimSuffix(got, "\r\n") != strings.TrimSuffix(text, "\r\n") {
				t.Errorf("%d bytes came, and others than were there", f.Size)
			}
			if n := server.Logins.Load(); n < 2 {
				t.Errorf("%d logins: it did not break", n)
			}
		})
	}
}

// A mail whose structure the server tells in a way that is not understood keeps nobody from the others.
func TestPassesAMailThatCannotBeLookedInto(t *testing.T) {
	t.Parallel()
	server, dir, s := mailtest.New(t), t.TempDir(), remotetest.NewSink()
	var deep strings.Builder
	fmt.Fprintf(&deep, "Message-ID: <deep@x>\nFrom: %s\nSubject: weekly\nMIME-Version: 1.0\n", district)
	for n := range 300 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", n, n)
	}
	deep.WriteString("Content-Type: text/csv; name=deep.csv\n\nid\n")
	server.Deliver(t, "INBOX", letter("1", csv("a.csv", "id\n1\n")).String(), morning)
	server.Deliver(t, "INBOX", deep.String(), morning.Add(time.Minute))
	server.Deliver(t, "INBOX", letter("3", csv("never.csv", "id\n3\n")).String(), morning.Add(time.Minute))
	server.Deliver(t, "INBOX", letter("2", csv("b.csv", "id\n2\n")).String(), morning.Add(time.Hour))
	server.Poison.Store(3)
	run(t, server, dir, s, rule(remote.Leave))
	if a, b := s.Taken(t), s.Taken(t); a.Name != "a.csv" || b.Name != "b.csv" {
		t.Errorf("took %s and %s", a.Name, b.Name)
	}
	awaittest.Until(t, "people are told", func() bool { return s.Says("mails in mails") && s.Says("cannot be looked into") })
}

// The connection test says what is wrong with an address, a login, a certificate; and no secret.
func TestPing(t *testing.T) {
	t.Parallel()
	server := mailtest.New(t)
	token := "the-token"
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, secret, _ := r.BasicAuth(); secret != "s" && r.FormValue("client_secret") != "s" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": "invalid_client", "error_description": "no `+token+`"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": 3600}`, token)
	}))
	t.Cleanup(provider.Close)
	for _, c := range []struct {
		name string
		set  func(*sources.Connection)
		want string
	}{
		{"fine", func(*sources.Connection) {}, ""},
		{"starttls", func(c *sources.Connection) { c.URL = "imap://" + server.StartTLS }, ""},
		{"password", func(c *sources.Connection) { c.Password = "wrong-secret" }, "does not let this user in"},
		{"certificate", func(c *sources.Connection) { c.Own = map[string]string{} }, "certificate"},
		{"no ca file", func(c *sources.Connection) { c.Own = map[string]string{"ca_file": "nowhere.pem"} }, "ca_file"},
		{"scheme", func(c *sources.Connection) { c.URL = "https://mail.example.org" }, "none of an IMAP server"},
		{"folder", func(c *sources.Connection) { c.URL += "/INBOX" }, "holds a folder"},
		{"user", func(c *sources.Connection) { c.URL = "imaps://a:secret@" + server.Address }, "holds a user"},
		{"tls at the wrong port", func(c *sources.Connection) { c.URL = "imaps://" + server.StartTLS }, "does not speak TLS here"},
		{"token", func(c *sources.Connection) {
			c.Own["token_url"], c.Own["client_id"], c.Own["client_secret"] = provider.URL, "app", "s"
			c.Password = ""
		}, "does not let this user in"}, // this server knows no tokens
		{"no token", func(c *sources.Connection) {
			c.Own["token_url"], c.Own["client_id"], c.Own["client_secret"] = provider.URL, "app", "wrong-secret"
		}, "gives no token"},
		{"token in the open", func(c *sources.Connection) { c.Own["token_url"] = "http://login.example.org" }, "token_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := server.Connection()
			c.set(&at)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := Kind().Ping(ctx, at, nil)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it says %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("it says %v, want %s", err, c.want)
			case err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), token)) &&
				!strings.Contains(err.Error(), "client_secret"):
				t.Errorf("it says a secret: %v", err)
			}
		})
	}
}
