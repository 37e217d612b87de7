package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/internal/await/awaittest"
)

// TestBalancedRunnersOutliveAKill runs the project of deploy/compose as it is meant: two runners on
// one PostgreSQL, and forms given to whichever takes them. One runner is killed in the middle.
// Every form that was accepted is in DHIS2, once.
func TestBalancedRunnersOutliveAKill(t *testing.T) {
	admin := os.Getenv("CULVERT_TEST_POSTGRES")
	if admin == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_POSTGRES names no PostgreSQL")
		}
		t.Skip("CULVERT_TEST_POSTGRES names no PostgreSQL")
	}
	dir := exampleProject(t, "anc")
	config, err := os.ReadFile(filepath.Join(deployFolder, "compose", "culvert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "culvert.yaml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	server, url := startSandbox(t, dir)
	env := append(environ(url), "CULVERT_STORE="+freshDatabase(t, admin), "CONSOLE_PASSWORD=practice")
	culvert(t, env, dir, "sync")

	var runners [2]*exec.Cmd
	var addresses [2]string
	for i := range runners {
		if addresses[i], err = freeAddress(); err != nil {
			t.Fatal(err)
		}
		runners[i] = start(t, append(env, "CULVERT_LISTEN="+addresses[i]), dir)
	}
	for _, a := range addresses {
		awaitReady(t, a)
	}
	form, err := os.ReadFile(filepath.Join(dir, "samples", "anc-registration.json"))
	if err != nil {
		t.Fatal(err)
	}
	const forms = 60
	for n := range forms {
		if n == forms/2 {
			if err := runners[0].Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = runners[0].Wait() // killed on purpose
		}
		postToEither(t, addresses[:], asPerson(form, n))
	}
	awaittest.UntilSignalled(t, fmt.Sprintf("%d people arrive", forms), nil,
		func() bool { return server.Counts().TrackedEntities >= forms }, func() string {
			return fmt.Sprintf("%d came\n%s", server.Counts().TrackedEntities,
				culvert(t, append(env, "CULVERT_LISTEN="+addresses[1]), dir, "failures", "--waiting"))
		})
	if err := runners[1].Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	_ = runners[1].Wait() // its exit code is of no interest here
	if n := server.Counts().TrackedEntities; n != forms {
		t.Errorf("%d people for %d forms", n, forms)
	}
}

// asPerson makes a form of another woman of a sample.
func asPerson(form []byte, n int) []byte {
	return []byte(strings.NewReplacer("f0f0a1b2-0001", fmt.Sprintf("f0f0a1b2-%04d", n), "NID-1001",
		fmt.Sprint("NID-", 5000+n), caseOf(form), fmt.Sprintf("case-%04d", n)).Replace(string(form)))
}

// caseOf gives the case id of a sample.
func caseOf(form []byte) string {
	_, after, _ := strings.Cut(string(form), `"@case_id": "`)
	id, _, _ := strings.Cut(after, `"`)
	return id
}

// postToEither gives a form to a runner as a balancer does: to the other when one does not take it.
func postToEither(t *testing.T, addresses []string, form []byte) {
	t.Helper()
	first := rand.IntN(len(addresses))
	var failed error
	for try := range 20 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
			"http://"+addresses[(first+try)%len(addresses)]+"/commcare/forms", bytes.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth("commcare", "secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			failed = err
			continue
		}
		text, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode/100 == 2 {
			return
		}
		failed = fmt.Errorf("%s: %s: %w", resp.Status, text, err)
	}
	t.Fatalf("no runner takes a form: %v", failed)
}

func awaitReady(t *testing.T, address string) {
	t.Helper()
	awaittest.Until(t, "the runner at "+address+" takes records", func() bool {
		return run([]string{"health", "--ready", "--url", "http://" + address}, nil, io.Discard, io.Discard) == exitFine
	})
}

// freshDatabase makes a database of the test's own on a PostgreSQL, and gives its address.
func freshDatabase(t *testing.T, admin string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("culvert_balanced_%d", rand.Uint64())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	config, err := pgx.ParseConfig(admin)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(admin, "/"+config.Database+"?", "/"+name+"?", 1)
}
