package rehearsal_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/examples"
)

// TestExamples holds every example project to what it claims: synced with the invented country's
// metadata it has no findings at all, and the tests in its rule files pass.
func TestExamples(t *testing.T) {
	url := startSandbox(t)
	for name, value := range map[string]string{"DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district",
		"COMMCARE_PASSWORD": "x", "COLLECT_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0",
		"REGIONAL_URL": url, "REGIONAL_USERNAME": "admin", "REGIONAL_PASSWORD": "district"} {
		t.Setenv(name, value)
	}
	for _, name := range examples.Names() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := examples.Write(name, dir, func(string) bool { return true }); err != nil {
				t.Fatal(err)
			}
			clock := &rehearsal.TestClock{}
			loader := &project.Loader{Sources: project.SourceKinds(), Now: clock.Now}
			p := load(t, loader, dir)
			tests := 0
			for _, r := range p.Rules {
				flow, _, err := service.Flow(p, r.Path)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range rehearsal.Tests(flow, rehearsal.FileSamples{Loader: loader, Dir: dir}, clock) {
					tests++
					for _, problem := range o.Problems {
						t.Errorf("%s: test %q: %s", o.Place.String(), o.Test, problem)
					}
				}
			}
			if tests == 0 {
				t.Error("the example has no tests")
			}
		})
	}
}

// load syncs an example and loads it; findings of any kind fail the test.
func load(t *testing.T, loader *project.Loader, dir string) *project.Project {
	t.Helper()
	ctx := context.Background()
	config, _, _, err := project.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range config.Servers {
		s := &config.Servers[i]
		client, err := project.Connect(config, s, dir, slog.New(slog.DiscardHandler), "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := project.Sync(ctx, client, dir, s.Name, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	p, err := loader.Load(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Findings) > 0 {
		var b bytes.Buffer
		if err := diag.Render(&b, "text", diag.Report{Findings: p.Findings}); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("findings:\n%s", b.String())
	}
	return p
}

func startSandbox(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := examples.Write("anc", dir, func(p string) bool { return p == "input/tamala.json" }); err != nil {
		t.Fatal(err)
	}
	if err := examples.Write("photos", dir, func(p string) bool { return p == "input/wounds.json" }); err != nil {
		t.Fatal(err)
	}
	if err := examples.Write("lookups", dir, func(p string) bool { return p == "input/home-visits.json" }); err != nil {
		t.Fatal(err)
	}
	s, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json"),
		More: []string{filepath.Join(dir, "input", "wounds.json"), filepath.Join(dir, "input", "home-visits.json")}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL
}
