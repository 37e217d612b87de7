package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

// ErrDuplicate says that a file with the same content was taken for the same rule before.
var ErrDuplicate = errors.New("a file with this content was taken for this rule before; nothing was done")

// Importer takes one file for a rule and follows it until every row has an outcome. When no runner
// is at work it runs one itself.
type Importer struct {
	Dir      string
	Loader   *project.Loader
	Log      *slog.Logger
	Version  string
	Progress func(f journal.File, rows int64) // told how far it is, of so many rows; nil: nobody
	Wait     bool                             // follow also the rows that wait for another try, until they have an outcome
	// Language is that of the results, as in Options.
	Language *language.Language
	Chosen   bool
}

// Waiting is what an import leaves to `culvert run`: rows that wait for another try, or behind such
// rows of the same person, and what they wait for.
type Waiting struct {
	Rows   int64
	Causes []journal.Cause // without what waits behind others
}

// Import takes the file at path. The answer holds the counts of its rows. Rows that wait for
// another try are left waiting, and counted, once all others are settled.
func (im Importer) Import(ctx context.Context, path, rule string) (_ journal.File, waiting Waiting, err error) {
	p, err := im.Loader.Load(ctx, im.Dir)
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	flow, _, err := Flow(p, rule)
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	j, err := OpenJournal(ctx, p.Config, im.Dir, im.Log)
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if _, err := checkNamespaces(ctx, j, p); err != nil {
		return journal.File{}, Waiting{}, err
	}
	runners, _, err := status.Runners(ctx, j, time.Now())
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	if len(runners) == 0 { // this process will do the sending: it needs what the rule needs
		p.CheckEnvironment(im.Loader.Sources)
	}
	if _, _, err := Flow(p, rule); err != nil {
		return journal.File{}, Waiting{}, err
	}
	// with a runner at work the file waits its turn there
	if err := notPaused(ctx, j, flow); err != nil && len(runners) == 0 {
		return journal.File{}, Waiting{}, err
	}
	f, duplicate, err := files.Take(ctx, path, flow.Rule.Name, Inbox(im.Dir, p.Config), journalSink{j})
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	if duplicate {
		return journal.File{File: f}, Waiting{}, ErrDuplicate
	}
	rows, err := tabular.Count(ctx, f.Path, FormatFor(flow.Rule))
	if err != nil {
		im.Log.Debug("the file's rows cannot be counted; its results will say why", "file", f.Name)
	}
	w := following{Importer: im, journal: j, id: f.ID, rows: rows}
	if len(runners) > 0 {
		if f, waiting, err := w.follow(ctx, nil); !errors.Is(err, errNobody) {
			return f, waiting, err
		}
	}
	return w.run(ctx)
}

// notPaused refuses an import that nothing would come of until somebody resumes the rule or its server.
func notPaused(ctx context.Context, j journal.Journal, flow *program.Flow) error {
	c, err := controls.Read(ctx, j)
	if err != nil {
		return err
	}
	if flow.Rule.Delivery.Disabled {
		return fmt.Errorf("rule %s is switched off (enabled: false): take that out of the rule first; nothing was taken",
			flow.Rule.Name)
	}
	if now := time.Now(); flow.Rule.Delivery.Closed(now) {
		return fmt.Errorf("the window of rule %s is closed until %s: run `culvert import` then, or while `culvert run` is at "+
			"work, which keeps the file until then; nothing was taken", flow.Rule.Name,
			flow.Rule.Delivery.Window.Next(now).Format("2006-01-02 15:04 MST"))
	}
	if c.Rules[flow.Rule.Name] != nil {
		return fmt.Errorf("rule %s is paused: run `culvert resume --rule %s` first; nothing was taken", flow.Rule.Name,
			flow.Rule.Name)
	}
	if c.Servers[flow.Server] != nil {
		return fmt.Errorf("server %s is paused: run `culvert resume --server %s` first; nothing was taken", flow.Server,
			flow.Server)
	}
	return nil
}

// errNobody says that the runner which worked on the file is gone.
var errNobody = errors.New("no runner is at work any more")

// lookForRunners is how often an import that leaves the work to another process looks whether that one still runs.
const lookForRunners = 2 * time.Second

// following watches one file.
type following struct {
	Importer
	journal journal.Journal
	id      string
	rows    int64
}

// run works on the file with a runner of its own, which ends with it.
func (w following) run(ctx context.Context) (journal.File, Waiting, error) {
	s, err := Open(ctx, Options{Dir: w.Dir, Loader: w.Loader, Log: w.Log, Version: w.Version, Alone: true,
		Language: w.Language, Chosen: w.Chosen})
	if err != nil {
		return journal.File{}, Waiting{}, err
	}
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(work) }()
	f, waiting, err := w.follow(ctx, ended)
	cancel()
	if err == nil {
		err = <-ended
	}
	return f, waiting, err
}

// follow watches the file until it is finished, or until all that is left waits for another try.
func (w following) follow(ctx context.Context, ended <-chan error) (journal.File, Waiting, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	look := time.NewTicker(lookForRunners)
	defer look.Stop()
	for {
		f, err := fileOf(ctx, w.journal, w.id)
		if err != nil {
			return f, Waiting{}, err
		}
		if w.Progress != nil {
			w.Progress(f, w.rows)
		}
		if f.State == journal.FileFinished {
			return f, Waiting{}, nil
		}
		if waiting, only, err := w.onlyWaits(ctx, f); err != nil || only && !w.Wait {
			return f, waiting, err
		}
		select {
		case <-tick.C:
		case <-look.C:
			if ended != nil {
				continue
			}
			runners, _, err := status.Runners(ctx, w.journal, time.Now())
			if err != nil {
				return f, Waiting{}, err
			}
			if len(runners) == 0 {
				return f, Waiting{}, errNobody
			}
		case err := <-ended:
			return f, Waiting{}, errors.Join(errors.New("the run ended before the file was done"), err)
		case <-ctx.Done():
			return f, Waiting{}, fmt.Errorf("stopped before the file was done; it goes on with the next `culvert run`: %w",
				ctx.Err())
		}
	}
}

// onlyWaits tells whether every row has been read and those without an outcome wait for another
// try, or behind one that does.
func (w following) onlyWaits(ctx context.Context, f journal.File) (waiting Waiting, only bool, err error) {
	if w.rows == 0 || f.Rows < w.rows {
		return waiting, false, nil
	}
	filter := journal.Filter{FileID: f.ID, States: []journal.State{journal.Pending, journal.Held}, Limit: 1000}
	// keys of which a record waits for another try that those behind it wait for; all rows are of one rule
	stuck := map[string]bool{}
	for {
		left, err := w.journal.Select(ctx, filter)
		if err != nil {
			return waiting, false, fmt.Errorf("look at the rows that wait: %w", err)
		}
		for _, r := range left {
			filter.AfterSeq = r.Seq
			if !stuck[r.Key] && !waits(r) {
				if stuck[r.Key], err = w.behind(ctx, r); err != nil || !stuck[r.Key] {
					return waiting, false, err
				}
			}
			stuck[r.Key] = true
			waiting.Rows++
		}
		if len(left) < filter.Limit {
			break
		}
	}
	if waiting.Rows == 0 {
		return waiting, false, nil
	}
	waiting.Causes, err = w.journal.Causes(ctx, journal.Filter{FileID: f.ID, States: filter.States, Limit: 20})
	if err != nil {
		return waiting, false, fmt.Errorf("look at what rows wait for: %w", err)
	}
	return waiting, true, nil
}

// waits tells whether a record was tried and waits for another try, or is held.
func waits(r *journal.Record) bool {
	return r.State == journal.Held || r.Problem != nil && r.Attempts > 0
}

// behind tells whether a row waits behind a record of its key, of whatever file, that waits for another try.
func (w following) behind(ctx context.Context, r *journal.Record) (bool, error) {
	first, err := w.journal.Select(ctx, journal.Filter{Key: r.Key, States: []journal.State{journal.Pending, journal.Held},
		Limit: 1})
	if err != nil {
		return false, fmt.Errorf("look at what a row waits for: %w", err)
	}
	if len(first) == 0 || first[0].Seq >= r.Seq || !waits(first[0]) {
		return false, nil
	}
	// One that waits for its parent lets records of other rules pass: r may be that parent.
	p := first[0].Problem
	return first[0].Rule == r.Rule || p == nil || p.Class != actions.ClassParent, nil
}

func fileOf(ctx context.Context, j journal.Journal, id string) (journal.File, error) {
	list, err := j.Files(ctx, "")
	if err != nil {
		return journal.File{}, fmt.Errorf("look at the file's progress: %w", err)
	}
	for _, f := range list {
		if f.ID == id {
			return f, nil
		}
	}
	return journal.File{}, fmt.Errorf("the journal no longer knows the file %s", id)
}

// journalSink makes a taken file known to whichever runner works on the journal.
type journalSink struct{ j journal.Journal }

// Accept is not used: only files are taken here.
func (journalSink) Accept(context.Context, sources.Batch) ([]sources.Receipt, error) {
	return nil, sources.ErrFinal
}

// AcceptFile keeps the file in the journal.
func (s journalSink) AcceptFile(ctx context.Context, f sources.File) (bool, error) {
	return s.j.AddFile(ctx, &journal.File{File: f, State: journal.FileOpen, Next: 1,
		Places: tabular.MostRows(f.Name, f.Size)})
}

// Cursor is not used: only files are taken here.
func (journalSink) Cursor(context.Context, string) (string, error) { return "", nil }

// SpoolLimit is the most bytes of a stream that Spool keeps: one without an end must not fill the
// disk that the journal needs.
const SpoolLimit = tabular.DefaultMaxUnpacked

// tooLarge says that more came than Spool keeps.
type tooLarge struct{ limit int64 } // bytes

// Error says what to do.
func (e *tooLarge) Error() string {
	return fmt.Sprintf("more than %d MB came; write it to a file and import that, or import it in parts", e.limit>>20)
}

// spooled begins the names of the folders that Spool makes.
const spooled = "stdin-"

// Spool keeps what comes from a stream, up to a limit in bytes, as a file that can be taken; the
// caller removes the folder when it is done.
func Spool(dir, name string, in io.Reader, limit int64) (path string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for the input: %w", err)
	}
	folder, err := os.MkdirTemp(dir, spooled)
	if err != nil {
		return "", fmt.Errorf("make a folder for the input: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("keep the input: %w", err), os.RemoveAll(folder))
		}
	}()
	path = filepath.Join(folder, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	n, err := io.Copy(f, io.LimitReader(in, limit+1))
	if err == nil && n > limit {
		err = &tooLarge{limit}
	}
	return path, errors.Join(err, f.Close())
}

// FormatFor gives how files of a rule are read, with what the rule reads of them.
func FormatFor(r *rules.Rule) tabular.Format {
	f := project.FileFormat(&r.Trigger)
	reading := r.Reading()
	f.Reading = &reading
	return f
}
