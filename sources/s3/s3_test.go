package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/remote/remotetest"
	"github.com/culvert/culvert/sources/s3/s3test"
	"github.com/culvert/culvert/sources/sourcetest"
)

// Files come in the order in which they were put, over pages of the list, each once; folders below stay.
func TestTakesFiles(t *testing.T) {
	t.Parallel()
	store, dir, s := s3test.New(t), t.TempDir(), remotetest.NewSink()
	store.PageSize = 2
	for i, key := range []string{"in/c 1.csv", "in/b+é.csv", "in/a.csv", "in/deeper/d.csv", "other.csv", "in/",
		"in/e.part"} {
		store.Put(key, "id\n"+strings.Repeat("1", i+1)+"\n")
	}
	c := store.Connection()
	c.Own["region"] = s3test.Region
	stop := remotetest.Run(t, "s3", dial, c, dir, s, remote.Rule{Folder: "/in/", After: remote.Leave})
	for _, want := range []string{"c 1.csv", "b+é.csv", "a.csv"} {
		if f := s.Taken(t); f.Name != want {
			t.Errorf("took %s, want %s", f.Name, want)
		}
	}
	stop()
	store.Put("in/a.csv", "id\nnew\n") // in place of one that was taken
	store.Put("in/c 1.csv", "id\n1\n") // the same content again
	store.Put("in/z.csv", "id\n7\n")
	remotetest.Run(t, "s3", dial, store.Connection(), dir, s, remote.Rule{Folder: "in", After: remote.Leave})
	for _, want := range []string{"a.csv", "z.csv"} {
		if f := s.Taken(t); f.Name != want {
			t.Errorf("took %s, want %s", f.Name, want)
		}
	}
	if len(s.Offered) != 5 {
		t.Errorf("%d files were offered, want 5", len(s.Offered))
	}
}

// A fetch that breaks off goes on behind what came.
func TestGoesOnWhereAFetchBrokeOff(t *testing.T) {
	t.Parallel()
	store, dir, s := s3test.New(t), t.TempDir(), remotetest.NewSink()
	text := "id\n" + strings.Repeat("0123456789abcde\n", 5_000)
	store.Put("large.csv", text)
	store.Break.Store(30_000)
	remotetest.Run(t, "s3", dial, store.Connection(), dir, s, remote.Rule{After: remote.Leave})
	f := s.Taken(t)
	if sum := sha256.Sum256([]byte(text)); f.SHA256 != hex.EncodeToString(sum[:]) {
		t.Error("another content came than was there")
	}
	ranges := store.Ranges()
	if len(ranges) < 3 || ranges[0] != "" || slices.Contains(ranges[1:], "") {
		t.Errorf("it was asked for %q", ranges)
	}
}

// Finished files are tagged, moved or deleted, and results lie where the rule says.
func TestWritesBack(t *testing.T) {
	t.Parallel()
	for _, after := range []string{remote.Tag, remote.Move, remote.Delete} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			store, dir, s := s3test.New(t), t.TempDir(), remotetest.NewSink()
			store.Put("in/done/a.csv", "an earlier one")
			store.Put("in/a.csv", "id\n1\n")
			rule := remote.Rule{Folder: "in", After: after, Results: "back"}
			if after == remote.Move {
				rule.Done, rule.Failed = "in/done", "in/failed"
			}
			remotetest.Run(t, "s3", dial, store.Connection(), dir, s, rule)
			s.Finish(t, s.Taken(t), "done")
			want := map[string][]string{
				remote.Tag:    {"back/a.failed.csv", "back/a.results.csv", "in/a.csv", "in/done/a.csv"},
				remote.Move:   {"back/a.failed.csv", "back/a.results.csv", "in/done/a-2.csv", "in/done/a.csv"},
				remote.Delete: {"back/a.failed.csv", "back/a.results.csv", "in/done/a.csv"},
			}[after]
			awaittest.Until(t, "it is tidied up", func() bool {
				return slices.Equal(store.Keys(), want) &&
					(after != remote.Tag || strings.Contains(store.Get("in/a.csv").Tags, "<Value>done</Value>"))
			})
			if got := string(store.Get("back/a.results.csv").Content); got != "row,outcome\n2,failed\n" {
				t.Errorf("the results are %q", got)
			}
			if after == remote.Tag {
				return
			}
			store.Put("in/a.csv", "id\n1\n") // once more, the same: there is nothing to read, and it goes as well
			awaittest.Until(t, "it goes again", func() bool { return store.Get("in/a.csv") == nil })
		})
	}
}

// What is wrong with one file keeps nothing from the others, and is taken back when it is put right.
func TestSaysWhatIsWrongWithAFile(t *testing.T) {
	t.Parallel()
	store, dir, s := s3test.New(t), t.TempDir(), remotetest.NewSink()
	store.Put("in/a.csv", "id\n1\n")
	store.Put("in/b.csv", "id\n2\n")
	store.Deny("in/a.csv", true)
	remotetest.Run(t, "s3", dial, store.Connection(), dir, s, remote.Rule{Folder: "in", After: remote.Leave})
	if f := s.Taken(t); f.Name != "b.csv" {
		t.Errorf("took %s", f.Name)
	}
	awaittest.Until(t, "it is said",
		func() bool { return s.Says("file a.csv cannot be taken: fetch it on 127.0.0.1: it does not allow") })
	store.Deny("in/a.csv", false)
	if f := s.Taken(t); f.Name != "a.csv" {
		t.Errorf("took %s", f.Name)
	}
	awaittest.Until(t, "it is taken back", func() bool { return len(s.Told()) == 0 })
}

// A connection that does not work says why, without its secrets.
func TestPing(t *testing.T) {
	t.Parallel()
	store, dir := s3test.New(t), t.TempDir()
	sourcetest.WriteFile(t, dir+"/ca.pem", "no certificate")
	for _, c := range []struct{ name, key, value, want string }{
		{"works", "", "", ""},
		{"wrong secret", "secret_key", "wrong-secret", "check access_key and secret_key"},
		{"wrong key", "access_key", "AKOTHER", "check access_key and secret_key"},
		{"wrong bucket", "bucket", "others", "there is no bucket others"},
		{"wrong region", "region", "us-east-1", "in another region"},
		{"wrong certificates", "ca_file", "ca.pem", "holds no certificate"},
		{"path in the address", "url", store.URL + "/exports", "holds a path"},
		{"nobody there", "url", "http://127.0.0.1:1", "look into the bucket on 127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := store.Connection()
			at.Dir = dir
			if c.key == "url" {
				at.URL = c.value
			} else {
				at.Own[c.key] = c.value
			}
			err := Kind().Ping(t.Context(), at, nil)
			switch {
			case c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("it says %v, want %q", err, c.want)
			case err != nil && (strings.Contains(err.Error(), s3test.SecretKey) ||
				strings.Contains(err.Error(), "wrong-secret")):
				t.Errorf("it says the secret: %v", err)
			}
		})
	}
}
