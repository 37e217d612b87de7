package mail

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
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

// servers gives the mailboxes that tests of what real programs write run against: one of our own, and that of
// CULVERT_TEST_IMAP, such as imaps://user:password@localhost:993?ca_file=/etc/dovecot/cert.pem.
func servers(t *testing.T) map[string]sources.Connection {
	t.Helper()
	list := map[string]sources.Connection{"mailtest": mailtest.New(t).Connection()}
	if text := os.Getenv("CULVERT_TEST_IMAP"); text != "" {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		list["real"] = sources.Connection{Name: "real", URL: u.Scheme + "://" + u.Host, Username: u.User.Username(),
			Password: password, Own: map[string]string{"ca_file": u.Query().Get("ca_file")}}
	}
	return list
}

// deliver lays mails into a folder, which is made anew.
func deliver(t *testing.T, c sources.Connection, folder string, mails ...string) {
	t.Helper()
	s, err := connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	name := nameOf(folder, s.delim)
	for _, each := range []string{"/done", "/failed", ""} {
		_ = s.client.Delete(nameOf(folder+each, s.delim)).Wait() // it may not be there
	}
	if err := s.client.Create(name, nil).Wait(); err != nil {
		t.Fatal(err)
	}
	for i, m := range mails {
		m = strings.ReplaceAll(m, "\n", "\r\n")
		a := s.client.Append(name, int64(len(m)), &imap.AppendOptions{Time: morning.Add(time.Duration(i) * time.Minute)})
		if _, err := a.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// countOf gives how many mails lie in a folder, -1 where there is no such folder.
func countOf(t *testing.T, c sources.Connection, folder string, flags ...imap.Flag) int {
	t.Helper()
	s, err := connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.open(folder, true); err != nil {
		return -1
	}
	found, err := s.client.UIDSearch(&imap.SearchCriteria{Flag: flags, NotFlag: []imap.Flag{imap.FlagDeleted}}, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return len(found.AllUIDs())
}

const top = "From: " + district + "\nSubject: =?utf-8?Q?Weekly_r=C3=A9port?=\nMIME-Version: 1.0\nDate: Sun, 1 Mar 2026 08:12:00 +0000\n"

type sent struct{ name, mail, file, content string }

// written are mails as programs write them, with the files that are in them.
var written = []sent{
	{"one part alone", "Content-Type: text/csv; name=alone.csv\nContent-Transfer-Encoding: quoted-printable\n\nid,name\n1,=C3=89lise=\n,\n",
		"alone.csv", "id,name\r\n1,Élise,\r\n"},
	{"words of RFC 2047", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv;\n name=\"=?iso-8859-1?Q?donn=E9es_mars.csv?=\"\n" +
		"Content-Disposition: attachment;\n filename=\"=?iso-8859-1?Q?donn=E9es_mars.csv?=\"\n\nid\n2\n--b--\n", "données mars.csv", "id\r\n2"},
	{"RFC 2231", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv\nContent-Disposition: attachment;\n" +
		" filename*=windows-1256''%E3%CB%C7%E1.csv\n\nid\n3\n--b--\n", "مثال.csv", "id\r\n3"},
	{"RFC 2231 in pieces", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv\nContent-Disposition: attachment;\n" +
		" filename*0*=utf-8''donn%C3%A9es;\n filename*1*=%20d%27avril;\n filename*2=-2026.csv\n\nid\n4\n--b--\n", "données d_avril-2026.csv", "id\r\n4"},
	{"a path", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv\nContent-Disposition: attachment;\n" +
		" filename=\"../../etc/cron.d/evil.csv\"\n\nid\n5\n--b--\n", "evil.csv", "id\r\n5"},
	{"a forwarded mail", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nsee below\n--b\nContent-Type: message/rfc822\n" +
		"Content-Disposition: attachment\n\nFrom: a@b.example.org\nSubject: inner\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=c\n\n" +
		"--c\nContent-Type: text/plain\n\nhello\n--c\nContent-Type: application/octet-stream; name=inner.csv\nContent-Transfer-Encoding: base64\n\n" +
		"aWQK\nNgo=\n--c--\n--b--\n", "inner.csv", "id\n6\n"},
	{"a forwarded mail of one part", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nFrom: a@b.example.org\n" +
		"Subject: inner\nMIME-Version: 1.0\nContent-Type: text/csv; name=single.csv\n\nid\n7\n--b--\n", "single.csv", "id\r\n7"},
	{"no name", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nhello\n--b\nContent-Type: application/json\n\n[{\"id\": 8}]\n--b--\n",
		"attachment-2.json", `[{"id": 8}]`},
	{"as Outlook and Apple write", "Content-Type: multipart/mixed; boundary=\"_004_x\"\n\n--_004_x\nContent-Type: multipart/alternative; boundary=\"_000_y\"\n\n" +
		"--_000_y\nContent-Type: text/plain\n\nhi\n--_000_y\nContent-Type: multipart/related; boundary=z\n\n--z\nContent-Type: text/html\n\n<p>hi\n" +
		"--z\nContent-Type: image/png; name=\"image001.png\"\nContent-ID: <image001.png>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--z--\n--_000_y--\n" +
		"--_004_x\nContent-Type: text/csv; name=\"weekly.csv\"\nContent-Description: weekly.csv\nContent-Disposition: attachment; filename=\"weekly.csv\";\n" +
		" size=5; creation-date=\"Sun, 01 Mar 2026 08:00:00 GMT\"\nContent-Transfer-Encoding: base64\n\naWQKOQo=\n" +
		"--_004_x\nContent-Type: text/plain; name=\"ATT00001.txt\"\n\nfooter\n--_004_x--\n", "weekly.csv", "id\n9\n"},
	{"a name in bytes", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=\"donn\xe9es.csv\"\n\nid\n10\n--b--\n",
		"donn_es.csv", "id\r\n10"},
}

// What mail programs write is read, by whatever server tells it; the mails are moved and marked there.
func TestReadsWhatProgramsWrite(t *testing.T) {
	t.Parallel()
	for at, c := range servers(t) {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			var mails []string
			want := map[string]string{}
			written := slices.Clone(written)
			if at == "mailtest" { // it drops names in other encodings than UTF-8
				written = slices.DeleteFunc(written, func(w sent) bool { return w.name == "RFC 2231" })
			}
			for _, w := range written {
				mails = append(mails, "Message-ID: <"+strings.ReplaceAll(w.name, " ", "-")+"@x.example.org>\n"+top+w.mail)
				want[w.file] = w.content
			}
			const folder = "Données/reçues & co"
			deliver(t, c, folder, mails...)
			dir, s := t.TempDir(), remotetest.NewSink()
			r := remote.Rule{Folder: folder, After: remote.Move, Done: folder + "/done", Failed: folder + "/failed",
				Own: &filter{from: []string{"@district.example.org"}, subject: "weekly réport"}}
			stop := remotetest.Run(t, word, newMemory().dial, c, dir, s, r)
			var order []string
			for range written {
				f := s.Taken(t)
				order = append(order, f.Name)
				if text := strings.TrimSuffix(sourcetest.ReadFile(t, f.Path), "\r\n"); text != strings.TrimSuffix(want[f.Name], "\r\n") {
					t.Errorf("%s holds %q, want %q", f.Name, text, want[f.Name])
				}
				if filepath.Base(f.Path) != f.Name {
					t.Errorf("%s lies at %s", f.Name, f.Path)
				}
				s.Finish(t, f, "done")
			}
			for i, w := range written {
				if !slices.Contains(order, w.file) || order[i] != w.file {
					t.Errorf("%s: took %q, want %q", w.name, order[i], w.file)
				}
			}
			awaittest.Until(t, "all mails are moved", func() bool {
				return countOf(t, c, folder) == 0 && countOf(t, c, folder+"/done") == len(written)
			})
			stop()

			deliver(t, c, folder, mails[0], mails[1])
			s = remotetest.NewSink()
			r.Rule, r.After = "flags", remote.Flag
			remotetest.Run(t, word, newMemory().dial, c, dir, s, r)
			s.Finish(t, s.Taken(t), "done")
			s.Finish(t, s.Taken(t), "failed")
			awaittest.Until(t, "mails are marked", func() bool {
				return countOf(t, c, folder, keywordDone) == 1 && countOf(t, c, folder, keywordFailed) == 1
			})
		})
	}
}
