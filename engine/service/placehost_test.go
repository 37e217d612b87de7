package service

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
)

// TestHostOf holds that people are told where a connection leads, and nothing that lets anybody in.
func TestHostOf(t *testing.T) {
	t.Parallel()
	c, findings := project.ParseConfig(t.TempDir(), "culvert.yaml", []byte(`project: p
servers: {a: {url: "https://a.example", token: "${A}"}}
connections: {sms: {http: "https://sms.example:8443/v1/path-of-a-key"}, unset: {http: "${CULVERT_TEST_UNSET}"}}
`))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	for name, want := range map[string]string{"sms": "https://sms.example:8443", "unset": ""} {
		if got := hostOf(c, name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

// forgetful is a journal that remembers nothing of what was sent.
type forgetful struct{ journal.Journal }

func (forgetful) Memory(string) actions.Memory { return nil }

// TestNewKeyOfPlace has the file written anew that holds the key of a connection which rules write to:
// the new key is used, without a new start and without a change of culvert.yaml.
func TestNewKeyOfPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	c, findings := project.ParseConfig(dir, "culvert.yaml", []byte(`project: p
servers: {a: {url: "https://a.example", token: "${A}"}}
connections: {sms: {http: "https://sms.example", api_key: {file: key}}}
`))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	p := &project.Project{Config: c, Rules: []*project.Rule{{Parts: []project.Part{{Place: "sms"}}}}}
	s := &Service{o: Options{Log: slog.New(slog.DiscardHandler)}, journal: forgetful{}, places: p.Places(),
		secretsUsed: map[string][]byte{"sms": c.ConnectionNamed("sms").SecretFiles()}}
	for _, step := range []struct {
		text string // that is written before; "": nothing
		want int    // connections that are made anew
	}{{"", 0}, {"a new one", 1}, {"", 0}} {
		if step.text != "" {
			put(step.text)
		}
		n := &newServers{servers: map[string]dispatch.Server{}}
		s.changedPlaces(p, p, n)
		if len(n.servers) != step.want {
			t.Errorf("after %q is written %d connections are made anew, not %d", step.text, len(n.servers), step.want)
		}
		for _, x := range n.secrets {
			s.secretsUsed[x.server] = x.files
		}
	}
}
