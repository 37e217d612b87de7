package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/sources/results"
)

func (a *app) importCommand() *cobra.Command {
	var rule, format string
	var wait bool
	c := &cobra.Command{
		Use:   "import FILE --rule RULE",
		Short: "Send one file through a rule, once, and say what became of its rows",
		Long: `Take a file as if it had been dropped into the rule's folder, follow it until every row has an
outcome, and say what became of them. The original stays where it is; results and failed rows go
to done/ beside it. FILE may be - for standard input (NDJSON, or CSV with --as csv). It ends when
all that is left waits for another try, such as visits of a person who is not registered yet, and
says how many wait and for what; with --wait it stays until those have an outcome too. When a
runner is at work it does the sending, otherwise this command does. Interrupted, it goes on with
the next run.`,
		Example: "  culvert import old-export.xlsx --rule anc-registration-export\n  cat forms.ndjson | culvert import - " +
			"--rule anc-registration",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if rule == "" {
				return errors.New("name the rule that the rows are for: --rule NAME")
			}
			if err := oneOf("--as", format, "ndjson", "csv", "json"); err != nil {
				return err
			}
			path, done, err := a.input(args[0], format)
			if err != nil {
				return err
			}
			bar := a.bar(filepath.Base(args[0]))
			im := service.Importer{Wait: wait, Dir: a.dir, Loader: a.loader, Log: a.quiet(), Version: version,
				Language: a.language, Chosen: a.lang != "", Progress: bar.tell}
			f, waiting, err := im.Import(c.Context(), path, rule)
			bar.end()
			if err = errors.Join(err, done()); err != nil {
				return err
			}
			printRows(a.stdout, f)
			if f.Failed > 0 {
				fmt.Fprintf(a.stdout, "`culvert failures --file %s` says why\n", f.ID)
				if rows := results.FailedRowsBeside(f.Results); rows != "" {
					fmt.Fprintf(a.stdout, "to correct and import again: %s\n", nearPath(a.dir, rows))
				}
			}
			if waiting.Rows > 0 {
				printWaiting(a.stdout, waiting)
			}
			printRemarks(a.stdout, a.dir, f)
			if f.Failed > 0 || waiting.Rows > 0 {
				return errFindings
			}
			return nil
		},
	}
	c.Flags().StringVar(&rule, "rule", "", "the rule that the rows are for")
	c.Flags().BoolVar(&wait, "wait", false,
		"stay until rows that wait for their parent, or for another try, have an outcome too")
	c.Flags().StringVar(&format, "as", "ndjson", "what standard input is: ndjson, csv or json")
	return c
}

// windowsPath is a path with a drive letter.
var windowsPath = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

// input gives the file to take; what comes by standard input is kept in a file first. done clears up.
func (a *app) input(arg, format string) (path string, done func() error, err error) {
	nothing := func() error { return nil }
	if arg != "-" {
		if runtime.GOOS != "windows" && windowsPath.MatchString(arg) {
			return "", nil, fmt.Errorf("%s is a path of Windows, and this machine is none: write where the file lies here, "+
				"such as /mnt/c/data/file.csv", arg)
		}
		return arg, nothing, nil
	}
	state := filepath.Join(a.dir, "state")
	service.RemoveLeftovers(a.logger(), state)
	path, err = service.Spool(state, "stdin."+format, a.stdin, service.SpoolLimit)
	if err != nil {
		return "", nothing, err
	}
	return path, func() error { return os.RemoveAll(filepath.Dir(path)) }, nil
}

// importBar shows how far an import is, on a terminal.
type importBar struct {
	bar  *progressbar.ProgressBar
	name string
	out  io.Writer
}

func (a *app) bar(name string) *importBar {
	if !isTerminal(a.stderr) {
		return &importBar{}
	}
	return &importBar{name: plain(name), out: raw(a.stderr)}
}

func (b *importBar) tell(f journal.File, rows int64) {
	if b.out == nil {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(rows, progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription(b.name),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish())
	}
	_ = b.bar.Set64(f.Rows) // a bar that cannot be drawn is no reason to stop
}

func (b *importBar) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// nearPath is a path as it is seen from the project's folder, where it lies below it.
func nearPath(dir, path string) string {
	if dir, err := filepath.Abs(dir); err == nil {
		if near, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(near) {
			return near
		}
	}
	return path
}

// printRemarks says how many rows went through with a remark, and the first one. Results that lie on
// another machine are left to whoever looks there.
func printRemarks(w io.Writer, dir string, f journal.File) {
	if f.Results == "" {
		return
	}
	rows, first, err := results.Remarks(f.Results)
	if err != nil || rows == 0 {
		return
	}
	fmt.Fprintf(w, "%s with a remark in %s, such as row %d: %s\n", count(int64(rows), "row", "rows"),
		nearPath(dir, f.Results), first.Line, first.Message)
}

// printWaiting says how many rows wait, for what, and who goes on with them.
func printWaiting(w io.Writer, waiting service.Waiting) {
	fmt.Fprintf(w, "%s waiting for another try: `culvert run` goes on with them, `culvert failures --waiting` says why\n",
		count(waiting.Rows, "row is", "rows are"))
	rest := waiting.Rows
	for _, c := range waiting.Causes {
		if c.Code == "" {
			continue
		}
		rest -= c.Count
		fmt.Fprintf(w, "  %s: %s\n", count(c.Count, "row", "rows"), worded(c.Cause, c.Code))
	}
	if rest > 0 && rest < waiting.Rows {
		fmt.Fprintf(w, "  %s behind them, of the same persons or cases\n", count(rest, "row", "rows"))
	}
}

// printRows says what became of a file's rows.
func printRows(w io.Writer, f journal.File) {
	rows := count(f.Rows, "row", "rows")
	if f.Superseded > 0 {
		fmt.Fprintf(
			w,
			"%s: %s, %d delivered, %d unchanged, %d superseded, %d skipped, %d failed\n",
			f.Name,
			rows,
			f.Delivered,
			f.Unchanged,
			f.Superseded,
			f.Skipped,
			f.Failed,
		)
		return
	}
	fmt.Fprintf(w, "%s: %s, %d delivered, %d unchanged, %d skipped, %d failed\n", f.Name, rows, f.Delivered, f.Unchanged,
		f.Skipped, f.Failed)
}
