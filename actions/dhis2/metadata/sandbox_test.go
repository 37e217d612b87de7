package metadata_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// sync reads everything from a sandbox of a version, made from a metadata export or a snapshot.
func syncFrom(t *testing.T, from, version string, old *metadata.Snapshot) *metadata.Snapshot {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Metadata: from, Version: version})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := client.New(client.Options{URL: server.URL, Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	snapshot, err := metadata.Sync(context.Background(), c, old, metadata.Options{Warn: func(m string) { t.Errorf("%s: warned: %s", version, m) }})
	if err != nil {
		t.Fatalf("%s: %v", version, err)
	}
	return snapshot
}

const tamala = "../sandbox/testdata/tamala.json"

// A second sync reads little and finds nothing.
func TestSyncAgain(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{Metadata: tamala, Version: "2.42"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	defer s.Close()
	defer server.Close()
	c, err := client.New(client.Options{URL: server.URL, Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var old *metadata.Snapshot
	for i := range 2 {
		fresh, err := metadata.Sync(context.Background(), c, old, metadata.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if changes := metadata.Diff(old, fresh); len(changes) > 0 {
			t.Errorf("sync %d: %v", i+1, changes)
		}
		old = fresh
	}
}

// Servers of all versions that hold the same metadata differ in nothing but their version; nothing is lost on disk, nor when a sandbox is
// made from a snapshot.
func TestSyncSandboxes(t *testing.T) {
	first := syncFrom(t, tamala, "2.42", nil)
	x := metadata.NewIndex(first)
	if len(first.OrgUnits) != 89 || !x.ProgramHasOrgUnit("HKEoH96oH4U", "ygq0iefHYLW") || !x.InCaptureScope("ygq0iefHYLW") || x.DefaultOptionCombo() == "" {
		t.Errorf("%d org units; the program's org units, the user's scope or the default combo are missing", len(first.OrgUnits))
	}
	for _, version := range []string{"2.38", "2.40", "2.41", "2.43", "2.44"} {
		for _, c := range metadata.Diff(first, syncFrom(t, tamala, version, nil)) {
			if c.Collection != "" {
				t.Errorf("%s: %s", version, c.Words)
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "national")
	if err := metadata.Write(dir, first); err != nil {
		t.Fatal(err)
	}
	read, err := metadata.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if changes := metadata.Diff(first, read); len(changes) > 0 {
		t.Errorf("lost on disk: %v", changes)
	}
	for _, c := range metadata.Diff(first, syncFrom(t, dir, "2.42", nil)) {
		if c.Collection != "" {
			t.Errorf("lost by the sandbox: %s", c.Words)
		}
	}
}
