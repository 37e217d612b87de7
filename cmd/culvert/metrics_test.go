package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// deployFolder holds the dashboard and the alert rules, from this package's folder.
const deployFolder = "../../deploy"

var metricName = regexp.MustCompile(`\b(culvert|process)_[a-z_]+`)

// metricsCommand scrapes the run: its figures are as Prometheus wants them, and the dashboard and
// the alert rules name none that is not there. With Prometheus on the machine its own tool checks
// both, and a real server scrapes the run and answers for its figures.
func metricsCommand(ts *testscript.TestScript, _ bool, _ []string) {
	status, text, err := request(ts, http.MethodGet, "/metrics", nil, false)
	ts.Check(err)
	if status != http.StatusOK {
		ts.Fatalf("/metrics answers %d", status)
	}
	there := map[string]bool{}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
			there[name] = true
			if kind == "histogram" {
				there[name+"_bucket"], there[name+"_sum"], there[name+"_count"] = true, true, true
			}
		}
	}
	// What a run has only now and then, which tests of its own cover.
	there["culvert_open_files"], there["culvert_open_files_rows"] = true, true
	for _, file := range []string{"grafana/culvert.json", "prometheus/culvert.rules.yml"} {
		text, err := os.ReadFile(filepath.Join(deployFolder, file))
		ts.Check(err)
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			ts.Fatalf("%s is no JSON", file)
		}
		names := metricName.FindAllString(string(text), -1)
		if len(names) < 10 {
			ts.Fatalf("%s names %d figures", file, len(names))
		}
		for _, name := range names {
			if !there[name] {
				ts.Fatalf("%s names %s, which a run does not have", file, name)
			}
		}
	}
	documentedFigures(ts, there)
	checkWithPrometheus(ts, text)
}

// documentedFigures wants the table of docs/operations.md to name every figure of a run, and none that there is not.
func documentedFigures(ts *testscript.TestScript, there map[string]bool) {
	text, err := os.ReadFile("../../docs/operations.md")
	ts.Check(err)
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(culvert_[a-z_]+)` \\|").FindAllSubmatch(text, -1) {
		if told[string(m[1])] = true; !there[string(m[1])] {
			ts.Fatalf("docs/operations.md names %s, which a run does not have", m[1])
		}
	}
	for name := range there {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "culvert_") && !told[name] && !told[base] {
			ts.Fatalf("docs/operations.md does not name %s, which a run has", name)
		}
	}
}

func checkWithPrometheus(ts *testscript.TestScript, text string) {
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") != "" {
		ts.Fatalf("there is no promtool")
	}
	if err != nil {
		ts.Logf("there is no promtool: SKIP what it checks")
		return
	}
	check := exec.CommandContext(context.Background(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(text)
	// Of the libraries' own figures it may complain; ours have to be right.
	if out, err := check.CombinedOutput(); err != nil && bytes.Contains(out, []byte("culvert_")) {
		ts.Fatalf("promtool check metrics: %v\n%s", err, out)
	}
	rules := exec.CommandContext(context.Background(), promtool, "test", "rules", "culvert.rules.test.yml")
	rules.Dir = filepath.Join(deployFolder, "prometheus")
	if out, err := rules.CombinedOutput(); err != nil {
		ts.Fatalf("promtool test rules: %v\n%s", err, out)
	}
	if server, err := exec.LookPath("prometheus"); err == nil {
		scrape(ts, server)
	}
}

// scrape has a real Prometheus scrape the run and asks it what it knows.
func scrape(ts *testscript.TestScript, server string) {
	address, err := freeAddress()
	ts.Check(err)
	alerts, err := filepath.Abs(filepath.Join(deployFolder, "prometheus", "culvert.rules.yml"))
	ts.Check(err)
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n "+
		" - job_name: culvert\n    static_configs: [{targets: [%q]}]\n",
		alerts, ts.Getenv("CULVERT_LISTEN"))
	file := ts.MkAbs("prometheus.yml")
	ts.Check(os.WriteFile(file, []byte(config), 0o600))
	c := exec.CommandContext(context.Background(), server, "--config.file="+file,
		"--storage.tsdb.path="+ts.MkAbs("prometheus-data"), "--web.listen-address="+address)
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	ts.Check(c.Start())
	defer func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it says that it was killed
	}()
	for _, query := range []string{
		`up{job="culvert"} == 1`, `culvert_build_info == 1`, `culvert_server_up{server="national"} == 1`,
		`culvert_records{rule="anc-registration",state="failed"} == 1`,
		`sum(culvert_records_settled_total{outcome="delivered"}) == 1`, `culvert_leader == 1`,
		`histogram_quantile(0.5, sum by (le) (culvert_delivery_lag_seconds_bucket)) >= 0`,
	} {
		deadline := time.Now().Add(eventuallyLimit)
		for {
			ok, err := holdsTrue("http://"+address, query)
			if ok {
				break
			}
			if time.Now().After(deadline) {
				_ = c.Process.Kill()
				ts.Fatalf("Prometheus has nothing for %s: %v", query, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// holdsTrue tells whether a query has a result.
func holdsTrue(base, query string) (bool, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet,
		base+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	var answer struct {
		Data struct {
			Result []any `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return false, fmt.Errorf("%s: %w", text, err)
	}
	return len(answer.Data.Result) > 0, nil
}

// listeningCommand takes the address that the project listens on, as another program would.
func listeningCommand(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", ts.Getenv("CULVERT_LISTEN"))
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
}
