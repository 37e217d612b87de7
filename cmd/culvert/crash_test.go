package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/internal/disk"
)

// kills is how often the runner is killed in mid-file.
const kills = 20

// TestKilledRunnerLosesAndDoublesNothing drops the example's exports, kills the runner at random
// moments with SIGKILL, starts it again each time, and compares what DHIS2 holds in the end with an
// undisturbed run of the same files.
func TestKilledRunnerLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a runner twenty times")
	}
	quiet := runFiles(t, 0)
	disturbed := runFiles(t, kills)
	if !bytes.Equal(quiet, disturbed) {
		t.Fatalf("after %d kills DHIS2 holds something else: %s", kills, firstDifference(quiet, disturbed))
	}
}

// runFiles runs the example project over its input files, killing the runner n times, and gives
// what DHIS2 holds at the end.
func runFiles(t *testing.T, n int) []byte {
	t.Helper()
	dir := exampleProject(t, "anc")
	server, url := startSandbox(t, dir)
	env := environ(url)
	culvert(t, env, dir, "sync")
	drop := filepath.Join(dir, "drop")
	if err := os.MkdirAll(drop, 0o755); err != nil {
		t.Fatal(err)
	}
	inputs := []string{"anc-registrations-2026-h1.csv", "malaria-monthly-2026-03.csv"}
	for _, name := range inputs {
		copyInput(t, dir, name)
	}
	random := rand.New(rand.NewPCG(uint64(n), 7))
	for range n {
		c := start(t, env, dir)
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // killed on purpose
	}
	c := start(t, env, dir)
	defer func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // its exit code is of no interest here
	}()
	for _, name := range inputs {
		awaitFile(t, filepath.Join(drop, "done", name))
	}
	results := filepath.Join(drop, "done", "anc-registrations-2026-h1.results.csv")
	awaitFile(t, results)
	checkResults(t, results, 500)
	return server.Dump()
}

// culvert runs one command to its end.
func culvert(t *testing.T, env []string, dir string, args ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0], append([]string{"-C", dir}, args...)...)
	c.Env = env
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("culvert %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func start(t *testing.T, env []string, dir string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, os.Args[0], "-C", dir, "run")
	c.Env = env
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

func copyInput(t *testing.T, dir, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "input", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "drop", name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	awaittest.Until(t, path+" appears", func() bool { return disk.Exists(path) })
}

// checkResults wants one line per row, each row once, besides remarks about the file.
func checkResults(t *testing.T, path string, rows int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")) - 1 - bytes.Count(text, []byte(",note,")); n != rows {
		t.Errorf("%s has %d lines for %d rows", filepath.Base(path), n, rows)
	}
}

func firstDifference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return "undisturbed " + string(x[i]) + ", disturbed " + string(y[i])
		}
	}
	return "one is longer than the other"
}
