package metadata

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/culvert/culvert/rules/diag"
)

// FormatVersion is the layout of a snapshot on disk; Read refuses others.
const FormatVersion = 1

// Files that are not collections.
const (
	serverFile = "server.json"
	userFile   = "me.json"
)

// maxFile bounds one file of a snapshot: a million org units fit.
const maxFile = 1 << 30

// ErrNoSnapshot is Read's error when there is nothing in the folder.
var ErrNoSnapshot = errors.New("no snapshot")

// ReadError is a fault in a snapshot on disk: where, and what to do.
type ReadError struct{ diag.Problem }

// unusable is the error of a file of a snapshot; line 0 is the file as a whole.
func unusable(file string, line int, err error) *ReadError {
	return &ReadError{diag.Problem{Message: err.Error(), Hint: hintRead,
		Place: diag.Place{File: file, Range: diag.Range{Start: diag.Position{Line: line}}}}}
}

const hintRead = "restore the folder (git checkout) or run `culvert sync` to write it anew"

// Read loads the snapshot in dir. It first finishes a Write that was interrupted. ErrNoSnapshot
// when there is none, a *ReadError when it cannot be used. A Write at the same time is no trouble:
// Read gives the snapshot from before or from after it.
func Read(dir string) (*Snapshot, error) {
	if err := recoverLeftover(dir); err != nil {
		return nil, fmt.Errorf("recovering the snapshot in %s: %w", dir, err)
	}
	for try := 1; ; try++ {
		s, replaced, err := readOnce(dir)
		if err == nil || !replaced || try == 10 {
			return s, err
		}
	}
}

// readOnce reads every file of the folder that dir is now. replaced: another one took its place meanwhile.
func readOnce(dir string) (s *Snapshot, replaced bool, err error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, noSnapshot(dir)
	}
	if err != nil {
		return nil, false, fmt.Errorf("opening the snapshot: %w", err)
	}
	defer root.Close()
	s, err = readFrom(&folder{root: root, dir: dir})
	if err != nil {
		mine, err1 := root.Stat(".")
		now, err2 := os.Stat(dir)
		replaced = err1 != nil || err2 != nil || !os.SameFile(mine, now)
	}
	return s, replaced, err
}

// folder is the folder of a snapshot, held open: its files stay the same ones when another folder takes its place.
type folder struct {
	root *os.Root
	dir  string
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func readFrom(f *folder) (*Snapshot, error) {
	s := new(Snapshot)
	if err := f.info(serverFile, &s.Server); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, noSnapshot(f.dir)
		}
		return nil, err
	}
	if s.Server.Format != FormatVersion {
		e := unusable(f.path(serverFile), 0, fmt.Errorf("the snapshot has format %d and this Culvert reads format %d",
			s.Server.Format, FormatVersion))
		e.Hint = "run `culvert sync` to write it anew, or use the Culvert that wrote it"
		return nil, e
	}
	var work errgroup.Group
	work.Go(func() error { return f.needed(userFile, f.info(userFile, &s.User)) })
	for _, c := range collections() {
		work.Go(func() error { return f.collection(c, s) })
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	return s, nil
}

// noSnapshot tells an empty or absent folder from one that has lost its server.json.
func noSnapshot(dir string) error {
	if found, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(found) > 0 {
		return unusable(filepath.Join(dir, serverFile), 0, errors.New("the file is missing"))
	}
	return fmt.Errorf("%w in %s: run `culvert sync` first", ErrNoSnapshot, dir)
}

// needed words the error of a file that must be there.
func (f *folder) needed(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return unusable(f.path(name), 0, errors.New("the file is missing"))
	}
	return err
}

func (f *folder) info(name string, into any) error {
	text, err := f.text(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		line := 0
		if syntax, ok := err.(*json.SyntaxError); ok {
			line = 1 + strings.Count(text[:min(int(syntax.Offset), len(text))], "\n")
		}
		return unusable(f.path(name), line, plainJSON(err))
	}
	return nil
}

// optional are the files that snapshots of earlier Culverts lack; the next sync writes them.
var optional = map[string]bool{formerNames: true, ProgramRuleVariables: true, Constants: true, OrgUnitGroups: true,
	Users: true}

func (f *folder) collection(c collection, s *Snapshot) error {
	name := c.title() + ".json"
	text, err := f.text(name)
	if err != nil {
		if optional[c.title()] && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return f.needed(name, err)
	}
	if err := c.decode(text, s); err != nil {
		var at *lineError
		if errors.As(err, &at) {
			return unusable(f.path(name), at.line, at.err)
		}
		return unusable(f.path(name), 0, err)
	}
	return nil
}

// text reads a whole file as a string, of which parsed objects can be parts without a second copy.
func (f *folder) text(name string) (string, error) {
	// Opening a pipe would wait for whoever writes into it.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return "", unusable(f.path(name), 0, errors.New("not a file of a snapshot (a folder, or far too large)"))
	}
	var b strings.Builder
	b.Grow(int(info.Size()))
	if _, err := io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{file}, make([]byte, 256<<10)); err != nil {
		return "", fmt.Errorf("reading %s: %w", f.path(name), err)
	}
	return b.String(), nil
}

// Write puts the snapshot into dir, whole or not at all: a new folder is written beside it, brought
// to disk, and swapped in. Files in dir that are not Culvert's stay.
func Write(dir string, s *Snapshot) error {
	if err := recoverLeftover(dir); err != nil {
		return fmt.Errorf("recovering the snapshot in %s: %w", dir, err)
	}
	fresh := dir + newSuffix
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("removing what an interrupted sync left: %w", err)
	}
	if err := os.MkdirAll(fresh, 0o755); err != nil {
		return fmt.Errorf("making the snapshot's folder: %w", err)
	}
	if err := writeFiles(fresh, s); err != nil {
		return err
	}
	if err := keepOthers(dir, fresh); err != nil {
		return fmt.Errorf("keeping other files of %s: %w", dir, err)
	}
	if err := syncDir(fresh); err != nil {
		return err
	}
	if err := swap(dir, fresh); err != nil {
		return fmt.Errorf("putting the new snapshot in place: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

// writeFiles writes every file of a snapshot; server.json comes last and is the sign that the others are there.
func writeFiles(dir string, s *Snapshot) error {
	out := *s
	sum := sha256.New()
	user, err := indented(s.User)
	if err != nil {
		return err
	}
	sum.Write(user)
	if err := writeFile(filepath.Join(dir, userFile), user); err != nil {
		return err
	}
	for _, c := range collections() {
		text, err := c.encode(&out)
		if err != nil {
			return err
		}
		sum.Write(text)
		if err := writeFile(filepath.Join(dir, c.title()+".json"), text); err != nil {
			return err
		}
	}
	info := s.Server
	info.Format, info.Hash = FormatVersion, hex.EncodeToString(sum.Sum(nil)[:16])
	server, err := indented(info)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, serverFile), server)
}

func indented(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

func writeFile(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
