package results

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// FailedRowsBeside gives the path of a file's failed rows, which lie beside its results; "" when it has none.
func FailedRowsBeside(results string) string {
	stem, ok := strings.CutSuffix(results, ".results.csv")
	for _, ext := range failedSuffixes {
		if ok && disk.Exists(stem+ext) {
			return stem + ext
		}
	}
	return ""
}

// FinishRequest says which taken file is finished.
type FinishRequest struct {
	File       sources.File
	Format     tabular.Format
	Results    string // path of the results file, such as Path gives; it may be missing
	Done       string // folder for files whose rows all have an outcome
	Failed     string // folder for files of which nothing could be read
	Unreadable bool   // goes to Failed
	// Say puts words of Culvert into the language of the results; nil: they stay
	Say func(string) string
}

// Finished says where everything went. Paths are empty for what there was none of.
type Finished struct {
	Original, Results, FailedRows string
	Rows                          int // in FailedRows
}

// finishPlan is what a finish has decided on, kept in the file's inbox folder so that a finish
// after a crash does the same.
type finishPlan struct {
	Folder string `json:"folder"`
	Name   string `json:"name"`
}

// Names in a file's inbox folder begin with a dot: dropped files never do.
const (
	planFile    = ".finish.json"
	resultsFile = ".results.csv"
)

// Path is where the results of a taken file are kept until it is finished.
func Path(f sources.File) string { return filepath.Join(filepath.Dir(f.Path), resultsFile) }

// failedSuffixes are what files of failed rows end with.
var failedSuffixes = []string{".failed.csv", ".failed.tsv", ".failed.xlsx", ".failed.json", ".failed.ndjson"}

// Finish moves a taken file to its done or failed folder under a name that is free there, with its
// results and its failed rows beside it: anc.csv, anc.results.csv and anc.failed.csv. Each appears
// whole or not at all. Repeated after a crash it goes on where it stopped.
func Finish(ctx context.Context, req FinishRequest) (Finished, error) {
	dir := filepath.Dir(req.File.Path)
	plan, err := readPlan(dir)
	if err != nil {
		return Finished{}, err
	}
	if plan == nil {
		if _, err := os.Lstat(req.File.Path); errors.Is(err, fs.ErrNotExist) {
			return Finished{}, nil // finished before; only the journal did not hear of it
		}
		if plan, err = choose(dir, req); err != nil {
			return Finished{}, err
		}
	}
	out := Finished{Original: filepath.Join(plan.Folder, plan.Name)}
	// Who may read the original may read what became of it.
	mode := disk.ModeOf(req.File.Path, out.Original)
	stem := strings.TrimSuffix(plan.Name, suffix(plan.Name))
	if !req.Unreadable {
		if err := finishFailed(ctx, req, plan.Folder, stem, mode, &out); err != nil {
			return Finished{}, err
		}
	}
	if req.Results != "" {
		dst := filepath.Join(plan.Folder, stem+".results.csv")
		if err := os.Chmod(req.Results, mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Finished{}, fmt.Errorf("moving results of %s: %w", req.File.Name, err)
		}
		if err := disk.Move(req.Results, dst); err == nil || errors.Is(err, fs.ErrNotExist) && disk.Exists(dst) {
			out.Results = dst
		} else if !errors.Is(err, fs.ErrNotExist) {
			return Finished{}, fmt.Errorf("moving results of %s: %w", req.File.Name, err)
		}
	}
	if err := disk.Move(req.File.Path, out.Original); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Finished{}, fmt.Errorf("moving %s to %s: %w", req.File.Name, plan.Folder, err)
	}
	if err := finishBeside(dir, plan.Folder, stem); err != nil {
		return Finished{}, fmt.Errorf("moving the files that %s names to %s: %w", req.File.Name, plan.Folder, err)
	}
	return out, RemoveInbox(dir)
}

// finishFailed writes the failed rows while the results and the original are still in the inbox.
func finishFailed(ctx context.Context, req FinishRequest, folder, stem string, mode fs.FileMode, out *Finished) error {
	for _, ext := range failedSuffixes {
		if path := filepath.Join(folder, stem+ext); disk.Exists(path) {
			out.FailedRows = path
			return nil
		}
	}
	if req.Results == "" || !disk.Exists(req.Results) || !disk.Exists(req.File.Path) {
		return nil
	}
	tmp := filepath.Join(folder, "."+stem+".failed.tmp")
	n, kind, err := writeFailed(ctx, req.File.Path, req.File.ID, req.Format, req.Results, tmp,
		Told{Columns: tabular.OurColumns, Say: req.Say})
	var unreadable *tabular.FileError
	if errors.As(err, &unreadable) && n == 0 {
		return disk.Remove(tmp)
	}
	if err != nil || n == 0 {
		return err
	}
	if err := os.Chmod(tmp, mode); err != nil {
		return fmt.Errorf("writing failed rows: %w", err)
	}
	dst := filepath.Join(folder, stem+".failed."+string(kind))
	if err := os.Rename(tmp, dst); err != nil {
		return fmt.Errorf("writing failed rows: %w", err)
	}
	out.FailedRows, out.Rows = dst, n
	return disk.Sync(folder)
}

// choose finds a free name and reserves it with a file that holds the file's id.
func choose(dir string, req FinishRequest) (*finishPlan, error) {
	plan := &finishPlan{Folder: req.Done, Name: req.File.Name}
	if req.Unreadable {
		plan.Folder = req.Failed
	}
	if err := disk.MakeFolder(plan.Folder); err != nil {
		return nil, fmt.Errorf("making folder for finished files: %w", err)
	}
	ext := suffix(req.File.Name)
	stem := shortStem(strings.TrimSuffix(req.File.Name, ext))
	for n := 1; ; n++ {
		free := stem
		if n > 1 {
			free = fmt.Sprintf("%s-%d", stem, n)
		}
		plan.Name = free + ext
		if companions(plan.Folder, free) {
			continue
		}
		ok, err := reserve(filepath.Join(plan.Folder, plan.Name), req.File.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			break
		}
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("planning the finish of %s: %w", req.File.Name, err)
	}
	if err := disk.WriteFile(filepath.Join(dir, planFile), text); err != nil {
		return nil, fmt.Errorf("planning the finish of %s: %w", req.File.Name, err)
	}
	return plan, nil
}

// shortStem keeps a name short enough for what is added to it: file systems allow 255 bytes.
func shortStem(stem string) string {
	const most = 180
	if len(stem) <= most {
		return stem
	}
	return strings.ToValidUTF8(stem[:most], "")
}

// companions tells whether results or failed rows of an earlier file lie under a name.
func companions(folder, stem string) bool {
	for _, ext := range failedSuffixes {
		if disk.Exists(filepath.Join(folder, stem+ext)) {
			return true
		}
	}
	return disk.Exists(filepath.Join(folder, stem+".results.csv")) ||
		disk.Exists(filepath.Join(folder, FilesOf(stem)))
}

// reserve makes a file that says whom a name is for. It reports true when the name is this file's,
// from now or from before a crash.
func reserve(path, id string) (bool, error) {
	mark := []byte("reserved for file " + id + "\n")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		info, err := os.Lstat(path)
		if err != nil || info.Size() != int64(len(mark)) || !info.Mode().IsRegular() {
			return false, nil
		}
		held, err := os.ReadFile(path)
		return err == nil && string(held) == string(mark), nil
	}
	if err != nil {
		return false, fmt.Errorf("reserving a name for a finished file: %w", err)
	}
	_, err = f.Write(mark)
	return err == nil, errors.Join(err, f.Close())
}

func readPlan(dir string) (*finishPlan, error) {
	text, err := os.ReadFile(filepath.Join(dir, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the plan of a finish: %w", err)
	}
	var plan finishPlan
	if err := json.Unmarshal(text, &plan); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, planFile), err)
	}
	return &plan, nil
}

// RemoveInbox removes what is left in the folder of a finished file, last of all the plan.
func RemoveInbox(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tidying the inbox: %w", err)
	}
	for _, e := range entries {
		if e.Name() == BesideDir {
			if err := os.RemoveAll(filepath.Join(dir, BesideDir)); err != nil {
				return fmt.Errorf("tidying the inbox: %w", err)
			}
		} else if e.Name() != planFile {
			if err := disk.Remove(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("tidying the inbox: %w", err)
			}
		}
	}
	if err := disk.Remove(filepath.Join(dir, planFile)); err != nil {
		return fmt.Errorf("tidying the inbox: %w", err)
	}
	if err := disk.Remove(dir); err != nil {
		return fmt.Errorf("tidying the inbox: %w", err)
	}
	return nil
}

// suffix is the extension of a file's name, both parts of .csv.gz and its like.
func suffix(name string) string {
	ext := filepath.Ext(name)
	if strings.EqualFold(ext, ".gz") || strings.EqualFold(ext, ".zip") {
		if inner := filepath.Ext(strings.TrimSuffix(name, ext)); tabular.KindByName(inner) != tabular.Auto {
			ext = inner + ext
		}
	}
	return ext
}

// OriginalBeside gives where a finished file of that name lies beside its results; empty where it had none.
func OriginalBeside(path, name string) string {
	stem, ok := strings.CutSuffix(path, ".results.csv")
	if !ok {
		return ""
	}
	return stem + suffix(name)
}

// Refuse moves a taken file whose rows will not be read to a folder, with results that say why.
func Refuse(ctx context.Context, f sources.File, folder, outcome, cause, hint string) error {
	if !disk.Exists(filepath.Join(filepath.Dir(f.Path), planFile)) {
		w, err := Open(Path(f), 0)
		if err != nil {
			return err
		}
		if err := errors.Join(w.Write(Row{Outcome: outcome, Problem: diag.Problem{Message: cause,
			Hint: hint}}), w.Close()); err != nil {
			return err
		}
	}
	_, err := Finish(ctx, FinishRequest{File: f, Results: Path(f), Failed: folder, Unreadable: true})
	return err
}
