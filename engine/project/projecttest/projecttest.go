// Package projecttest gives tests the metadata of a project.
package projecttest

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/project"
)

// Tamala gives a folder of snapshots, as metadata/ in a project: that of the sandbox's country, as
// the server national. It is synced once for all tests of a package, whose TestMain removes it.
func Tamala() (folder string, err error) { return tamala() }

// Remove removes what Tamala gave; call it when the tests are done.
func Remove() {
	if dir, err := tamala(); err == nil {
		_ = os.RemoveAll(filepath.Dir(dir)) // the system's folder of such files is cleared in the end
	}
}

var tamala = sync.OnceValues(func() (string, error) {
	s, err := sandbox.New(sandbox.Options{Metadata: "../../actions/dhis2/sandbox/testdata/tamala.json"})
	if err != nil {
		return "", err
	}
	defer s.Close()
	srv := httptest.NewServer(s)
	defer srv.Close()
	c, err := client.New(client.Options{URL: srv.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	dir, err := os.MkdirTemp("", "culvert-test-")
	if err != nil {
		return "", err
	}
	if _, err := project.Sync(context.Background(), c, dir, "national", true, nil); err != nil {
		return "", err
	}
	return filepath.Join(dir, project.MetadataDir), nil
})
