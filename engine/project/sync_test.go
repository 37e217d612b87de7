package project

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// A snapshot that cannot be read, or that another Culvert wrote, does not keep a sync from writing it anew.
func TestSyncReplacesABrokenSnapshot(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{Metadata: "../../actions/dhis2/sandbox/testdata/tamala.json"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Close()
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	root := t.TempDir()
	dir := filepath.Join(root, MetadataDir, "national")
	for _, step := range []struct {
		name string
		harm func() error
	}{
		{"nothing there", func() error { return nil }},
		{"broken JSON", func() error { return os.WriteFile(filepath.Join(dir, "programs.json"), []byte("[\n{"), 0o644) }},
		{"a file is gone", func() error { return os.Remove(filepath.Join(dir, "server.json")) }},
		{"another format", func() error {
			return os.WriteFile(filepath.Join(dir, "server.json"), []byte(`{"format":99}`),
				0o644)
		}},
	} {
		name := step.name
		if err := step.harm(); err != nil {
			t.Fatal(name, err)
		}
		r, err := Sync(context.Background(), c, root, "national", true, nil)
		if err != nil || len(r.Warnings) > 0 {
			t.Fatalf("%s: %v, warnings %q", name, err, r.Warnings)
		}
		if s, err := metadata.Read(dir); err != nil || len(s.OrgUnits) != 89 {
			t.Errorf("%s: %v after the sync", name, err)
		}
	}
	again, err := Sync(context.Background(), c, root, "national", false, nil)
	if err != nil || again.First || len(again.Changes) > 0 {
		t.Errorf("a sync of the same: %+v, %v", again, err)
	}
}
