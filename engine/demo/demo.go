// Package demo shows the main job on real input: a DHIS2 look-alike, a country's metadata, CommCare
// exports dropped into a folder, forms posted to the webhook, and in the end what became of them.
package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/examples"
)

// Options are how the demo runs.
type Options struct {
	Dir     string // where the project is laid down; emptied first if a demo made it
	Out     io.Writer
	Log     *slog.Logger
	Loader  *project.Loader
	Version string
	Stay    bool   // keep everything running afterwards, until ctx ends
	Program string // how the user calls the program, for the commands to try next
	// Language is that of the summary, and of what the run writes.
	Language *language.Language
}

// Limits of waiting. The demo is over long before.
const (
	startLimit  = 20 * time.Second
	finishLimit = 60 * time.Second
)

// marker tells a folder that a demo made from one that somebody needs.
const marker = ".culvert-demo"

// Run runs the demo. The error is for what went wrong; records that fail on purpose are part of the summary.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{Options: o, began: time.Now()}
	if err := d.layDown(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := d.startSandbox(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stopSandbox()) }()
	d.environment()
	for _, step := range []func(context.Context) error{d.sync, d.validate, d.start, d.registrations, d.visits, d.forms,
		d.settle} {
		if err := step(ctx); err != nil {
			return errors.Join(err, d.stop(cancel))
		}
	}
	if err := d.summary(ctx); err != nil {
		return errors.Join(err, d.stop(cancel))
	}
	if o.Stay {
		fmt.Fprintf(o.Out, "\n%s\n", o.Language.Sprintf(
			"still running: DHIS2 look-alike %s (admin/district), console %s (admin/%s); Ctrl-C ends it", d.dhis2, d.culvert,
			d.password))
		<-ctx.Done()
	}
	return d.stop(cancel)
}

type demo struct {
	Options
	password string // of the console's admin
	began    time.Time
	sandbox  *sandbox.Server
	server   *http.Server
	dhis2    string // URL of the sandbox
	culvert  string // URL of our own web server
	service  *service.Service
	stopped  chan error
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.Out, "%5.1fs  %s\n", time.Since(d.began).Seconds(), d.Language.Sprintf(format, args...))
}

// layDown writes the example project into its folder.
func (d *demo) layDown() error {
	entries, err := os.ReadDir(d.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", d.Dir, err)
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(d.Dir, marker)); err != nil {
			return fmt.Errorf("%s is not empty and was not made by a demo: name another folder with --into", d.Dir)
		}
		if err := os.RemoveAll(d.Dir); err != nil {
			return fmt.Errorf("empty %s: %w", d.Dir, err)
		}
	}
	if err := examples.Write("anc", d.Dir, func(string) bool { return true }); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.Dir, marker),
		[]byte("This folder was made by culvert demo, which empties it at its next run.\n"), 0o644)
}

func (d *demo) startSandbox() error {
	s, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(d.Dir, "input", "tamala.json"), Version: "2.42",
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(fmt.Errorf("listen for the DHIS2 look-alike: %w", err), s.Close())
	}
	d.sandbox, d.server = s, &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	d.dhis2 = "http://" + l.Addr().String()
	go func() { _ = d.server.Serve(l) }() // ends with Close
	d.say("a DHIS2 2.42 look-alike holds the metadata of Tamala, an invented country, at %s", d.dhis2)
	return nil
}

func (d *demo) stopSandbox() error { return errors.Join(d.server.Close(), d.sandbox.Close()) }

// environment sets what culvert.yaml of the example takes from the environment.
func (d *demo) environment() {
	for name, value := range map[string]string{
		"DHIS2_URL": d.dhis2, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "demo",
		"CULVERT_LISTEN": "127.0.0.1:0",
	} {
		_ = os.Setenv(name, value) // fails only for names that are none
	}
}

func (d *demo) sync(ctx context.Context) error {
	config, _, _, err := project.ReadConfig(d.Dir)
	if err != nil {
		return err
	}
	s := config.ServerNamed("")
	client, err := project.Connect(config, s, d.Dir, d.Log, d.Version)
	if err != nil {
		return err
	}
	r, err := project.Sync(ctx, client, d.Dir, s.Name, true, nil)
	if err != nil {
		return err
	}
	d.say("synced: %s", d.Language.Text(r.Snapshot.Summary()))
	return nil
}

func (d *demo) validate(ctx context.Context) error {
	p, err := d.Loader.Load(ctx, d.Dir)
	if err != nil {
		return err
	}
	if p.Findings.HasErrors() {
		r := diag.Report{Findings: p.Findings, Source: func(f string) ([]byte, bool) { t, ok := p.Texts[f]; return t, ok }}
		return errors.Join(errors.New("the example does not fit its own metadata"), diag.Render(d.Out, "text", r))
	}
	_, warnings := p.Findings.Count()
	d.say("validated: %d rules, no errors, %d warnings", len(p.Rules), warnings)
	return nil
}

// start runs the project beside us.
func (d *demo) start(ctx context.Context) error {
	var err error
	if d.password, err = access.Set(filepath.Join(d.Dir, "state", project.UsersFile), "admin", access.Admin,
		""); err != nil {
		return err
	}
	ready := make(chan string, 1)
	s, err := service.Open(ctx, service.Options{Dir: d.Dir, Loader: d.Loader, Log: d.Log, Version: d.Version,
		Language: d.Language,
		Ready:    func(addr string) { ready <- addr }})
	if err != nil {
		return err
	}
	d.service, d.stopped = s, make(chan error, 1)
	go func() { d.stopped <- s.Run(ctx) }()
	select {
	case addr := <-ready:
		d.culvert = "http://" + addr
	case err := <-d.stopped:
		d.stopped <- nil
		return errors.Join(errors.New("the run ended at once"), err)
	case <-time.After(startLimit):
		return errors.New("the run did not begin within 20 seconds")
	}
	d.say("running, with the console at %s (user admin, password %s)", d.culvert, d.password)
	return nil
}

func (d *demo) stop(cancel context.CancelFunc) error {
	cancel()
	if d.stopped == nil {
		return nil
	}
	return <-d.stopped
}

// drop puts an input file into the watched folder, as a person would.
func (d *demo) drop(name string) error {
	text, err := os.ReadFile(filepath.Join(d.Dir, "input", name))
	if err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	folder := filepath.Join(d.Dir, "drop")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the drop folder: %w", err)
	}
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

// registrations drops the export of 500 women and the malaria reports, and waits until every row has an outcome.
func (d *demo) registrations(ctx context.Context) error {
	for _, name := range []string{"anc-registrations-2026-h1.csv", "malaria-monthly-2026-03.csv"} {
		if err := d.drop(name); err != nil {
			return err
		}
	}
	d.say("dropped a CommCare export of 500 antenatal registrations and 65 monthly malaria reports into drop/")
	return d.wait(ctx, "registrations", func(o status.Overview) bool {
		return finished(o, "anc-registrations-2026-h1.csv", "malaria-monthly-2026-03.csv")
	})
}

func (d *demo) visits(ctx context.Context) error {
	if err := d.drop("anc-visits-2026-h1.csv"); err != nil {
		return err
	}
	d.say("dropped the export of their 549 follow-up visits")
	return d.wait(ctx, "visits", func(o status.Overview) bool { return read(o, "anc-visits-2026-h1.csv", 549) })
}

// forms posts forms as CommCare does.
func (d *demo) forms(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(d.Dir, "input", "forms.ndjson"))
	if err != nil {
		return fmt.Errorf("read the forms: %w", err)
	}
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := d.post(ctx, lines.Bytes()); err != nil {
			return err
		}
		n++
	}
	d.say("posted %d CommCare forms to /commcare/forms", n)
	return lines.Err()
}

func (d *demo) post(ctx context.Context, form []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.culvert+"/commcare/forms?app_id=demo",
		bytes.NewReader(form))
	if err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("commcare", "demo")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("post a form: %s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}

// settle waits until nothing moves: what is left waits for an object that is not there.
func (d *demo) settle(ctx context.Context) error {
	return d.wait(ctx, "the rest", func(o status.Overview) bool {
		if o.Records.Pending == 0 {
			return true
		}
		waiting, err := d.service.Journal().Select(ctx, journal.Filter{States: []journal.State{journal.Pending}, Limit: 100})
		if err != nil {
			return false
		}
		for _, r := range waiting {
			if r.Problem == nil || r.Problem.Class != actions.ClassParent || r.Attempts == 0 {
				return false
			}
		}
		return len(waiting) <= orphans
	})
}

// orphans is how many visits of the example belong to nobody.
const orphans = 1

// wait watches the overview until it is as wanted, and says how far it is now and then.
func (d *demo) wait(ctx context.Context, what string, done func(status.Overview) bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(finishLimit)
	said := time.Now()
	for {
		o, err := status.Read(ctx, d.service.Journal(), time.Now())
		if err != nil {
			return err
		}
		if done(o) {
			return nil
		}
		if time.Since(said) > time.Second {
			said = time.Now()
			d.say("… %d delivered, %d waiting, %d failed", o.Records.Delivered, o.Records.Pending, o.Records.Failed)
		}
		select {
		case <-tick.C:
		case err := <-d.stopped:
			d.stopped <- nil
			return errors.Join(errors.New("the run ended early"), err)
		case <-ctx.Done():
			return ctx.Err()
		case <-limit:
			return fmt.Errorf("%s did not go through within a minute: look with `%s -C %s status`", what, d.Program, d.Dir)
		}
	}
}

// finished tells whether all files have been moved to done/.
func finished(o status.Overview, names ...string) bool {
	done := 0
	for _, f := range o.Files {
		for _, name := range names {
			if f.Name == name && f.State == journal.FileFinished {
				done++
			}
		}
	}
	return done == len(names)
}

// read tells whether all rows of a file have been read.
func read(o status.Overview, name string, rows int64) bool {
	for _, f := range o.Files {
		if f.Name == name && (f.Rows >= rows || f.State == journal.FileFinished) {
			return true
		}
	}
	return false
}
