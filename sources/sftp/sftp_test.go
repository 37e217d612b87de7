package sftp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/remote/remotetest"
	"github.com/culvert/culvert/sources/sftp/sftptest"
	"github.com/culvert/culvert/sources/sourcetest"
)

// Files come with a password or a key, oldest first, each once though the source starts anew; those that are still
// written, links and folders stay.
func TestTakesFiles(t *testing.T) {
	t.Parallel()
	server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
	server.Write(t, "out/b.csv", "id\n1\n")
	server.Write(t, "out/a.csv", "id\n2\n")
	server.Write(t, "out/c.csv.part", "id\n3")
	server.Write(t, "out/deeper/d.csv", "id\n4\n")
	server.Write(t, "out/readme.md", "no table")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(server.Root, "out/b.csv"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b.csv", filepath.Join(server.Root, "out/link.csv")); err != nil {
		t.Fatal(err)
	}
	stop := remotetest.Run(t, "sftp", dial, server.Connection(), dir, s, remote.Rule{Folder: "out", After: remote.Leave})
	for _, want := range []string{"b.csv", "a.csv"} {
		f := s.Taken(t)
		if f.Name != want || f.Folder != filepath.Join(dir, "received", "anc") || f.Rule != "anc" {
			t.Errorf("took %s of %s for %s, want %s", f.Name, f.Folder, f.Rule, want)
		}
	}
	stop()

	c := server.Connection()
	c.Password, c.Own["private_key"] = "", strings.TrimSpace(server.ClientKey)
	server.Write(t, "out/e.csv", "id\n5\n")
	remotetest.Run(t, "sftp", dial, c, dir, s, remote.Rule{Folder: "out", After: remote.Leave})
	if f := s.Taken(t); f.Name != "e.csv" || sourcetest.ReadFile(t, f.Path) != "id\n5\n" {
		t.Errorf("took %s", f.Name)
	}
	if len(s.Offered) != 3 {
		t.Errorf("%d files were offered, want 3", len(s.Offered))
	}
}

// A file is taken once it has not changed for a time, and one with a marker once that is there.
func TestTakesWholeFiles(t *testing.T) {
	t.Parallel()
	server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
	server.Write(t, "out/a.csv", "id\n1\n")
	server.Write(t, "marked/a.csv", "id\n9\n")
	server.Write(t, "marked/b.csv", "id\n8\n")
	server.Write(t, "marked/b.csv.done", "")
	remotetest.Run(t, "sftp", dial, server.Connection(), dir, s,
		remote.Rule{Folder: "out", StableFor: 150 * time.Millisecond, After: remote.Leave},
		remote.Rule{Rule: "marked", Folder: "marked", Marker: ".done", After: remote.Leave})
	got := map[string]string{}
	for range 2 {
		f := s.Taken(t)
		got[f.Rule+"/"+f.Name] = sourcetest.ReadFile(t, f.Path)
	}
	if got["anc/a.csv"] != "id\n1\n" || got["marked/b.csv"] != "id\n8\n" {
		t.Errorf("took %q", got)
	}
}

// A connection that breaks again and again brings a large file nevertheless: each fetch goes on behind the last one.
func TestGoesOnWhereAFetchBrokeOff(t *testing.T) {
	t.Parallel()
	server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
	text := "id\n" + strings.Repeat("0123456789abcde\n", 20_000)
	server.Write(t, "out/large.csv", text)
	server.Break.Store(150_000)
	remotetest.Run(t, "sftp", dial, server.Connection(), dir, s, remote.Rule{Folder: "out", After: remote.Leave})
	f := s.Taken(t)
	if sum := sha256.Sum256([]byte(text)); f.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%d bytes came, and others than were there", f.Size)
	}
	if n := server.Logins.Load(); n < 3 {
		t.Errorf("%d logins: it did not break", n)
	}
}

// Finished files go where the rule says, results and failed rows with them, under names that are free; what was put in
// a file's place meanwhile stays.
func TestWritesBack(t *testing.T) {
	t.Parallel()
	for _, after := range []string{remote.Move, remote.Delete, remote.Leave} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
			server.Write(t, "out/done/a.csv", "an earlier one")
			server.Write(t, "out/a.csv", "id\n1\n")
			rule := remote.Rule{Folder: "out", After: after, Done: "out/done", Failed: "out/failed", Results: "back/results"}
			if after != remote.Move {
				rule.Done, rule.Failed = "", ""
			}
			remotetest.Run(t, "sftp", dial, server.Connection(), dir, s, rule)
			first := s.Taken(t)
			local := s.Finish(t, first, "done")
			awaittest.Until(t, "the results are there", func() bool { return len(server.Names(t, "back/results")) == 2 })
			want := map[string][]string{remote.Leave: {"a.csv"}, remote.Move: nil, remote.Delete: nil}[after]
			awaittest.Until(t, "the file is where it belongs", func() bool { return slices.Equal(server.Names(t, "out"), want) })
			if got := server.Names(t, "out/done"); after == remote.Move && !slices.Equal(got, []string{"a-2.csv", "a.csv"}) {
				t.Errorf("in done/ lie %q", got)
			}
			if got := server.Names(t, "back/results"); !slices.Equal(got, []string{"a.failed.csv", "a.results.csv"}) {
				t.Errorf("of results lie there %q", got)
			}
			// Results that were renewed, as after a replay, are written once more.
			sourcetest.WriteFile(t, local, "row,outcome\n2,delivered\n")
			later := time.Now().Add(time.Minute)
			if err := os.Chtimes(local, later, later); err != nil {
				t.Fatal(err)
			}
			awaittest.Until(t, "renewed results are there", func() bool {
				return strings.Contains(sourcetest.ReadFile(t, filepath.Join(server.Root, "back/results/a.results.csv")),
					"delivered")
			})
			if after == remote.Leave {
				return
			}
			// A file of the same name and with other content is a new one, and one whose content was there before, too.
			for _, text := range []string{"id\n2\n", "id\n1\n"} {
				server.Write(t, "out/a.csv", text)
				f := s.Taken(t)
				if f.SHA256 == first.SHA256 {
					t.Error("what came again is taken for what was there first")
				}
				s.Finish(t, f, "done")
				awaittest.Until(t, "it went", func() bool { return len(server.Names(t, "out")) == 0 })
			}
		})
	}
}

// A file of which nothing could be read goes to failed.
func TestMovesUnreadableFilesToFailed(t *testing.T) {
	t.Parallel()
	server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
	server.Write(t, "out/b.csv", "\x00")
	remotetest.Run(t, "sftp", dial, server.Connection(), dir, s,
		remote.Rule{Folder: "out", After: remote.Move, Done: "out/done", Failed: "out/failed"})
	s.Finish(t, s.Taken(t), "failed")
	awaittest.Until(t, "it is in failed", func() bool {
		return slices.Equal(server.Names(t, "out/failed"), []string{"b.csv", "b.failed.csv", "b.results.csv"})
	})
}

// What is wrong with one file, or with the server, is said in words, and the rest goes on.
func TestSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server, dir, s := sftptest.New(t), t.TempDir(), remotetest.NewSink()
	server.Write(t, "out/a-large.csv", strings.Repeat("x", 2000))
	server.Write(t, "out/b.csv", "id\n1\n")
	stop := remotetest.Run(t, "sftp", dial, server.Connection(), dir, s,
		remote.Rule{Folder: "out", MaxBytes: 1000, After: remote.Leave},
		remote.Rule{Rule: "missing", Folder: "nowhere", After: remote.Leave})
	if f := s.Taken(t); f.Name != "b.csv" {
		t.Errorf("took %s", f.Name)
	}
	awaittest.Until(t, "the size is said", func() bool { return s.Says("a-large.csv is left where it is") })
	awaittest.Until(t, "the folder is said", func() bool { return s.Says("folder nowhere is not on 127.0.0.1") })
	stop()
	if told := s.Told(); len(told) > 0 {
		t.Errorf("at the end people are still told %q", told)
	}
}

// A server is trusted by its key alone.
func TestTrustsOnlyTheKnownKey(t *testing.T) {
	t.Parallel()
	server, other := sftptest.New(t), sftptest.New(t)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(server.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sourcetest.WriteFile(t, filepath.Join(dir, "known"), knownhosts.Line([]string{server.Address}, key)+"\n")
	sourcetest.WriteFile(t, filepath.Join(dir, "wrong"), knownhosts.Line([]string{other.Address}, key)+"\n"+
		knownhosts.Line([]string{"files.example.org"}, key)+"\n")
	for _, c := range []struct {
		name    string
		address string
		own     map[string]string
		pass    string
		want    string // of the error; empty: it logs in
	}{
		{"key", server.Address, map[string]string{"host_key": server.HostKey}, "", ""},
		{"fingerprint", server.Address, map[string]string{"host_key": ssh.FingerprintSHA256(key)}, "", ""},
		{"known hosts", server.Address, map[string]string{"known_hosts": "known"}, "", ""},
		{"another key", other.Address, map[string]string{"host_key": server.HostKey}, "", "which is not the known one"},
		{"another fingerprint", other.Address, map[string]string{"host_key": ssh.FingerprintSHA256(key)}, "",
			"which is not the known one"},
		{"not among known hosts", server.Address, map[string]string{"known_hosts": "wrong"}, "",
			"ssh-ed25519 " + ssh.FingerprintSHA256(key) + "; if its administrators say the same"},
		{"changed among known hosts", other.Address, map[string]string{"known_hosts": "wrong"}, "",
			"which is not the known one"},
		{"no key", server.Address, map[string]string{"host_key": "ssh-ed25519"}, "", "neither a public key"},
		{"no file", server.Address, map[string]string{"known_hosts": "none"}, "", "known_hosts cannot be read"},
		{"wrong password", server.Address, map[string]string{"host_key": server.HostKey}, "wrong",
			"does not let this user in"},
		{"no private key", server.Address, map[string]string{"host_key": server.HostKey, "private_key": "x"}, "",
			"the private key, or its passphrase, cannot be used"},
		{"nobody there", "127.0.0.1:1", map[string]string{"host_key": server.HostKey}, "", "nothing listens at 127.0.0.1:1"},
		{"another scheme", "https://files.example.org", map[string]string{"host_key": server.HostKey}, "", "none of an SFTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := sources.Connection{Name: "partner", URL: c.address, Username: sftptest.User, Password: sftptest.Password,
				Own: c.own, Dir: dir}
			if c.pass != "" {
				at.Password = c.pass
			}
			err := Kind().Ping(t.Context(), at, nil)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("it says %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("it says %v, want %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), sftptest.Password):
				t.Errorf("it says the password: %v", err)
			}
		})
	}
}

// A server that says nothing is not waited for without end.
func TestGivesUpOnASilentServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c := sources.Connection{URL: l.Addr().String(), Username: "a", Password: "b", Own: map[string]string{
		"host_key": "SHA256:abc"}}
	if err := Kind().Ping(ctx, c, nil); err == nil {
		t.Error("it waited, and then was content")
	}
}

// What a server cannot do with one file keeps nobody from the others; what it cannot do at all does.
func TestTellsFilesFromServers(t *testing.T) {
	t.Parallel()
	p := &place{session: &session{host: "files.example.org"}}
	for code, file := range map[uint32]bool{4: true, 5: true, 6: false, 7: false, 8: true} {
		_, of := errors.AsType[*remote.FileError](p.fileError(&pkgsftp.StatusError{Code: code}))
		if of != file {
			t.Errorf("code %d is of a file: %v", code, of)
		}
	}
}

// A list that does not end is not kept for ever.
func TestBoundsWhatComes(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	w := &remote.Conn{Conn: ours}
	go func() {
		for {
			if _, err := theirs.Write([]byte("0123456789")); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 10)
	for range 5 {
		if _, err := w.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	w.Bound(15)
	if _, err := w.Read(b); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Read(b); err == nil || !w.TooMuch() {
		t.Errorf("it goes on: %v", err)
	}
}
