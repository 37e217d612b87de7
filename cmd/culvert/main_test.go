package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/rules/examples"
)

// asChild makes the test binary be culvert itself, for tests that kill it.
const asChild = "CULVERT_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	hurryRaceDetector()
	testscript.Main(m, map[string]func(){
		"culvert": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// raceOptions is what the race detector of the Go runtime reads its options from.
const raceOptions = "GORACE"

// hurryRaceDetector keeps the programs that tests start from sleeping for a second as they end, which the race
// detector has them do by default: a second for each of some six hundred commands.
func hurryRaceDetector() {
	if _, set := os.LookupEnv(raceOptions); !set {
		_ = os.Setenv(raceOptions, "atexit_sleep_ms=0") // it fails for names that no system takes only
	}
}

// TestScripts runs every command as a user does. `example NAME` lays an example project down in the
// working folder, `sandbox [VERSION]` starts a DHIS2 look-alike with the metadata of Tamala and
// sets the variables that the example takes its server from, `eventually COMMAND` tries until it
// succeeds, `start run` and `finish run` run the project in the background, `hangup` has it read
// again, `logged TEXT` looks into what it logged, `post PATH FILE [STATUS]` posts as CommCare does,
// `delivered N` and `superseded N` want so many such records, `holds people|events N` so many in the sandbox,
// `events VALUE...` that the values of its events, sorted, are these.
func TestScripts(t *testing.T) {
	wholeScripts(t)
	p := scripts("sqlite:state/culvert.db")
	p.Dir = "testdata/script"
	testscript.Run(t, p)
}

// wholeScripts refuses scripts that end before their last line: stop is testscript's own command for that.
func wholeScripts(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(archive.Comment)) {
			if strings.HasPrefix(strings.TrimSpace(line), "stop") {
				t.Errorf("%s ends at %q: what follows is never run; `finish run` ends a run", file, line)
			}
		}
	}
}

// scripts is how scripts run; those that leave it open have their journal in a store.
func scripts(store string) testscript.Params {
	return testscript.Params{
		UpdateScripts:       os.Getenv("UPDATE") != "",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"example":        exampleCommand,
			"sandbox":        sandboxCommand,
			"eventually":     eventuallyCommand,
			"replace":        replaceCommand,
			"start":          startCommand,
			"finish":         finishCommand,
			"crash":          crashCommand,
			"hangup":         hangupCommand,
			"logged":         loggedCommand,
			"traces":         tracesCommand,
			"stored":         storedCommand,
			"get":            getCommand,
			"post":           postCommand(true),
			"anonymous-post": postCommand(false),
			"delivered":      deliveredCommand,
			"holds":          holdsCommand,
			"superseded":     supersededCommand,
			"events":         eventsCommand,
			"metrics":        metricsCommand,
			"listening":      listeningCommand,
			"database":       databaseCommand,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("COMMCARE_PASSWORD", "secret")
			e.Setenv("CULVERT_STORE", store)
			e.Setenv(raceOptions, os.Getenv(raceOptions))
			listen, err := freeAddress()
			if err != nil {
				return err
			}
			e.Setenv("CULVERT_LISTEN", listen)
			e.Setenv("DHIS2_USERNAME", "admin")
			e.Setenv("DHIS2_PASSWORD", "district")
			e.Setenv("DHIS2_URL", "http://127.0.0.1:1")
			return nil
		},
	}
}

// databaseCommand runs statements on an SQLite file.
func databaseCommand(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	for _, statement := range args[1:] {
		_, err := db.Exec(statement)
		ts.Check(err)
	}
	ts.Check(db.Close())
}

func exampleCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(examples.Write(args[0], ts.MkAbs("."), func(string) bool { return true }))
}

func sandboxCommand(ts *testscript.TestScript, _ bool, args []string) {
	version := "2.42"
	if len(args) > 0 {
		version = args[0]
	}
	file := ts.MkAbs("tamala.json")
	anc, err := examples.Files("anc")
	ts.Check(err)
	f, err := anc.Open("input/tamala.json")
	ts.Check(err)
	text, err := io.ReadAll(f)
	ts.Check(err)
	for i := 1; i+1 < len(args); i += 2 { // texts to replace in the metadata, as an administrator would change it
		if !strings.Contains(string(text), args[i]) {
			ts.Fatalf("the metadata does not hold %s", args[i])
		}
		text = []byte(strings.ReplaceAll(string(text), args[i], args[i+1]))
	}
	ts.Check(os.WriteFile(file, text, 0o600))
	// What an example needs beside the country lies in its folder input, where the example was laid down before.
	more, err := filepath.Glob(ts.MkAbs("input/*.json"))
	ts.Check(err)
	more = slices.DeleteFunc(more, func(name string) bool { return filepath.Base(name) == "tamala.json" })
	s, err := sandbox.New(sandbox.Options{Metadata: file, More: more, Version: version})
	ts.Check(err)
	srv := httptest.NewServer(s)
	ts.Defer(func() {
		srv.Close()
		ts.Check(s.Close())
	})
	ts.Setenv("DHIS2_URL", srv.URL)
	sandboxes.Store(ts, s)
}

// eventuallyLimit is how long a script waits for what must happen.
const eventuallyLimit = 30 * time.Second

func eventuallyCommand(ts *testscript.TestScript, neg bool, args []string) {
	commands := map[string]func(*testscript.TestScript, []string) error{"get": get, "delivered": delivered,
		"failed": failed, "logged": logged, "health": health, "traces": traces, "holds": holds, "superseded": supersededCount,
		"post": func(ts *testscript.TestScript, args []string) error { return postFile(ts, args, true) }}
	do, ok := commands[args[0]]
	if !ok || neg {
		ts.Fatalf("usage: eventually get|post|health|delivered|failed|logged|holds ...")
	}
	deadline := time.Now().Add(eventuallyLimit)
	for {
		err := do(ts, args[1:])
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not come to the wanted end in %s: %v", strings.Join(args, " "), eventuallyLimit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// replaceCommand replaces text in a file: replace FILE OLD NEW.
func replaceCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// exampleProject lays down an example for a Go test.
func exampleProject(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := examples.Write(name, dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startSandbox serves a DHIS2 look-alike for a Go test.
func startSandbox(t *testing.T, dir string) (*sandbox.Server, string) {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json"), Version: "2.42"})
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
	return s, srv.URL
}

// environ is what the example's culvert.yaml takes from the environment.
func environ(url string) []string {
	return append(os.Environ(), "DHIS2_URL="+url, "DHIS2_USERNAME=admin", "DHIS2_PASSWORD=district",
		"COMMCARE_PASSWORD=secret", "CULVERT_LISTEN=127.0.0.1:0", fmt.Sprintf("%s=1", asChild))
}
