// Package doctor looks at a project and at the machine that runs it, and says what to fix: rights,
// disk, clock, certificates, what DHIS2 lets the account do. It changes nothing, and takes nothing
// that a run needs: it may be asked beside one.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Status is how a check came out.
type Status string

// The statuses, from good to bad. A skipped check could not be made, and another finding says why.
const (
	OK      Status = "ok"
	Skipped Status = "skipped"
	Warning Status = "warning" // it works, and will not for long or not well
	Failure Status = "failure" // it does not work
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`          // what was looked at, the same in every version: disk, clock
	Of     string `json:"of,omitempty"`   // the server, folder or rule that it was looked at for
	Status Status `json:"status"`         //
	What   string `json:"what"`           // what was found, in a sentence
	Hint   string `json:"hint,omitempty"` // what to do
}

// Report is all that was looked at.
type Report struct {
	Format int     `json:"format"` // of this report
	Checks []Check `json:"checks"`
}

// Format is the version of the report as JSON.
const Format = 1

// Worst is the worst status of a report.
func (r *Report) Worst() Status {
	rank := map[Status]int{OK: 0, Skipped: 1, Warning: 2, Failure: 3}
	worst := OK
	for _, c := range r.Checks {
		if rank[c.Status] > rank[worst] {
			worst = c.Status
		}
	}
	return worst
}

// Folder is a folder that rules take files from.
type Folder struct {
	Path   string
	Rule   string
	Create bool // a run makes it when it is missing
}

// Options say what to look at.
type Options struct {
	Project *project.Project
	Kinds   []sources.Kind
	Folders []Folder
	Log     *slog.Logger
	Version string
	Offline bool             // ask no server
	Now     func() time.Time // nil: the clock
}

// serverLimit bounds all that is asked of one server.
const serverLimit = 30 * time.Second

// Run looks at everything. It has no error: what could not be looked at is a check that says so.
func Run(ctx context.Context, o Options) *Report {
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &doctor{Options: o, report: &Report{Format: Format, Checks: []Check{}}}
	d.project()
	d.secrets()
	d.state()
	d.folders()
	d.machine()
	d.listen(ctx)
	d.store(ctx)
	for i := range o.Project.Config.Servers {
		if err := ctx.Err(); err != nil {
			d.add(Check{Name: "server", Of: o.Project.Config.Servers[i].Name, Status: Skipped,
				What: "it was not asked: " + err.Error()})
			continue
		}
		d.server(ctx, &o.Project.Config.Servers[i])
	}
	d.connections(ctx)
	return d.report
}

type doctor struct {
	Options
	report *Report
}

func (d *doctor) add(c Check) { d.report.Checks = append(d.report.Checks, c) }

func (d *doctor) ok(name, of, format string, args ...any) {
	d.add(Check{Name: name, Of: of, Status: OK, What: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(name, of, hint, format string, args ...any) {
	d.add(Check{Name: name, Of: of, Status: Warning, What: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *doctor) fail(name, of, hint, format string, args ...any) {
	d.add(Check{Name: name, Of: of, Status: Failure, What: fmt.Sprintf(format, args...), Hint: hint})
}

// project says whether culvert.yaml and the rules can be used.
func (d *doctor) project() {
	broken := 0
	for _, r := range d.Project.Rules {
		if r.Findings.HasErrors() {
			broken++
		}
	}
	switch _, warnings := d.Project.Findings.Count(); {
	case broken > 0:
		d.fail("rules", "", "`culvert validate` names file, line and fix",
			"%d of %d rules have mistakes; their records are held", broken, len(d.Project.Rules))
	case d.Project.Findings.HasErrors():
		d.fail("rules", "", "`culvert validate` names file, line and fix", "the project has mistakes")
	case len(d.Project.Rules) == 0:
		d.warn("rules", "", "`culvert new` begins a rule from a program and a sample", "the project has no rule")
	case warnings > 0:
		d.warn("rules", "", "`culvert validate` lists them",
			"%s read, with %s", diag.Counted(len(d.Project.Rules), "rule"), diag.Counted(warnings, "warning"))
	default:
		d.ok("rules", "", "%s, all fine", diag.Counted(len(d.Project.Rules), "rule"))
	}
}

// secrets says whether this process has the variables and files that the project names.
func (d *doctor) secrets() {
	with := *d.Project
	with.Findings = nil
	with.CheckOwnEnvironment()
	with.CheckEnvironment(d.Kinds)
	with.CheckConnections()
	seen := map[string]bool{}
	for _, f := range with.Findings {
		if !seen[f.Message] {
			seen[f.Message] = true
			d.fail("secrets", "", "set it where `culvert run` is started, and here: culvert-project and --env-file read the "+
				"file of a service", "%s", f.Message)
		}
	}
	if len(seen) == 0 {
		d.ok("secrets", "", "every variable and file that the project names is there")
	}
}
