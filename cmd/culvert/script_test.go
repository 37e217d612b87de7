package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// given are the ports that freeAddress has given, which are not given again.
var given sync.Map

// freeAddress gives an address that nothing listens on. It lies below the ports that systems give
// to outgoing connections: those come and go by the thousand while tests run, and one of them could
// take an address between now and the start of the program that is to listen there.
func freeAddress() (string, error) {
	for range 200 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		if _, taken := given.LoadOrStore(address, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", errors.New("no port is free")
}

// running is the run that a script has started; its log is kept in the script's folder.
var running sync.Map // *testscript.TestScript -> *exec.Cmd

const logFile = "run.log"

func startCommand(ts *testscript.TestScript, _ bool, args []string) {
	c := exec.CommandContext(context.Background(), os.Args[0], args...)
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"DHIS2_URL", "DHIS2_USERNAME", "DHIS2_PASSWORD", "COMMCARE_PASSWORD", "CULVERT_LISTEN",
		"CULVERT_STORE", "PATH", raceOptions} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Env = append(c.Env, asChild+"=1")
	log, err := os.Create(ts.MkAbs(logFile))
	ts.Check(err)
	c.Stderr = log
	ts.Check(c.Start())
	running.Store(ts, c)
	ts.Defer(func() {
		if _, there := running.LoadAndDelete(ts); there {
			_ = c.Process.Kill() // the script has failed before it came to stop
			_ = c.Wait()
		}
		_ = log.Close()
	})
}

func finishCommand(ts *testscript.TestScript, _ bool, _ []string) {
	c, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("nothing was started")
	}
	cmd := c.(*exec.Cmd)
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("it did not end in good order: %v\n%s", err, ts.ReadFile(logFile))
	}
}

// hangupCommand sends the run the signal that has it read its project again.
func hangupCommand(ts *testscript.TestScript, _ bool, _ []string) {
	c, ok := running.Load(ts)
	if !ok {
		ts.Fatalf("nothing was started")
	}
	ts.Check(c.(*exec.Cmd).Process.Signal(syscall.SIGHUP))
}

// crashCommand ends the run as a power cut does.
func crashCommand(ts *testscript.TestScript, _ bool, _ []string) {
	c, ok := running.LoadAndDelete(ts)
	if !ok {
		ts.Fatalf("nothing was started")
	}
	cmd := c.(*exec.Cmd)
	ts.Check(cmd.Process.Kill())
	_ = cmd.Wait() // it says that it was killed
}

func loggedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if err := logged(ts, args); (err == nil) == neg {
		ts.Fatalf("logged %q: %v", args, err)
	}
}

func logged(ts *testscript.TestScript, args []string) error {
	if !strings.Contains(ts.ReadFile(logFile), args[0]) {
		return fmt.Errorf("the log does not hold %q", args[0])
	}
	return nil
}

// health wants a text in what /health answers.
func health(ts *testscript.TestScript, args []string) error {
	status, text, err := request(ts, http.MethodGet, "/health", nil, false)
	if err == nil && !strings.Contains(strconv.Itoa(status)+" "+text, args[0]) {
		err = fmt.Errorf("health is %d %s", status, text)
	}
	return err
}

// tracesCommand looks for a text in every file of some folders: traces TEXT FOLDER...
func tracesCommand(ts *testscript.TestScript, neg bool, args []string) {
	if err := traces(ts, args); (err == nil) == neg {
		ts.Fatalf("%q stands in %q: %v", args[0], args[1:], err)
	}
}

func traces(ts *testscript.TestScript, args []string) error {
	found := false
	for _, folder := range args[1:] {
		err := filepath.WalkDir(ts.MkAbs(folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			found = found || bytes.Contains(text, []byte(args[0]))
			return err
		})
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no file holds %q", args[0])
	}
	return nil
}

func getCommand(ts *testscript.TestScript, _ bool, args []string) { ts.Check(get(ts, args)) }

func get(ts *testscript.TestScript, args []string) error {
	status, _, err := request(ts, http.MethodGet, args[0], nil, false)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answer %d", status)
	}
	return err
}

// postCommand posts a file and wants an answer whose status begins with the digits given, 2 when none are.
func postCommand(known bool) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(postFile(ts, args, known)) }
}

// postFile wants an answer whose status begins with the third argument, and which holds the fourth.
func postFile(ts *testscript.TestScript, args []string, known bool) error {
	want := "2"
	if len(args) > 2 {
		want = args[2]
	}
	status, text, err := request(ts, http.MethodPost, args[0], []byte(ts.ReadFile(args[1])), known)
	if len(args) > 3 && err == nil && !strings.Contains(text, args[3]) {
		err = fmt.Errorf("answer %d %s, which does not say %s", status, text, args[3])
	}
	if err == nil && (!strings.HasPrefix(strconv.Itoa(status), want) || status == http.StatusNoContent) {
		err = fmt.Errorf("answer %d %s, want %s", status, text, want)
	}
	return err
}

func request(ts *testscript.TestScript, method, path string, body []byte, known bool) (int, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+ts.Getenv("CULVERT_LISTEN")+path,
		bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if known {
		req.SetBasicAuth("commcare", "secret")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), errors.Join(err, resp.Body.Close())
}

func deliveredCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(delivered(ts, args))
}

// delivered wants status to count so many delivered records.
func delivered(ts *testscript.TestScript, args []string) error {
	return counted(ts, "delivered", args[0])
}

// sandboxes are the sandboxes that scripts have started.
var sandboxes sync.Map // *testscript.TestScript -> *sandbox.Server

func holdsCommand(ts *testscript.TestScript, _ bool, args []string) { ts.Check(holds(ts, args)) }

// holds wants so many objects of a kind in the sandbox.
func holds(ts *testscript.TestScript, args []string) error {
	s, ok := sandboxes.Load(ts)
	if !ok {
		return errors.New("there is no sandbox")
	}
	counts := s.(*sandbox.Server).Counts()
	got := map[string]int{"people": counts.TrackedEntities, "events": counts.Events}[args[0]]
	if strconv.Itoa(got) != args[1] {
		return fmt.Errorf("%d %s", got, args[0])
	}
	return nil
}

func supersededCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(supersededCount(ts, args))
}

// supersededCount wants status to count so many superseded records.
func supersededCount(ts *testscript.TestScript, args []string) error {
	return counted(ts, "superseded", args[0])
}

// eventsCommand wants the numbers among the values of all events of the sandbox, sorted, to be these.
func eventsCommand(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, ts.Getenv("DHIS2_URL")+
		"/api/tracker/events?program=WIryy1wQ0aZ&orgUnitMode=ACCESSIBLE&fields=dataValues[value]", nil)
	ts.Check(err)
	req.SetBasicAuth("admin", "district")
	answer, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer answer.Body.Close()
	var page struct {
		Events []struct {
			DataValues []struct{ Value string } `json:"dataValues"`
		} `json:"events"`
	}
	ts.Check(json.NewDecoder(answer.Body).Decode(&page))
	got := []string{}
	for _, e := range page.Events {
		for _, v := range e.DataValues {
			if _, err := strconv.Atoi(v.Value); err == nil {
				got = append(got, v.Value)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, args) {
		ts.Fatalf("the events hold %v, want %v", got, args)
	}
}

// failed wants status to count so many failed records.
func failed(ts *testscript.TestScript, args []string) error { return counted(ts, "failed", args[0]) }

func counted(ts *testscript.TestScript, state, want string) error {
	c := exec.CommandContext(context.Background(), os.Args[0], "status", "--format", "json")
	c.Dir = ts.MkAbs(".")
	c.Env = append(os.Environ(), asChild+"=1", "CULVERT_LISTEN="+ts.Getenv("CULVERT_LISTEN"),
		"CULVERT_STORE="+ts.Getenv("CULVERT_STORE"))
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == exitFindings) {
		return fmt.Errorf("status: %w", err)
	}
	var o struct {
		Records map[string]any `json:"records"`
	}
	if err := json.Unmarshal(out, &o); err != nil {
		return fmt.Errorf("status says %q: %w", out, err)
	}
	if got := fmt.Sprint(o.Records[state]); got != want {
		return fmt.Errorf("%s %s", got, state)
	}
	return nil
}
