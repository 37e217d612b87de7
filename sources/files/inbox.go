package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// inbox is the folder where taken files lie, each in a folder of its own, until every row has an outcome.
type inbox struct {
	dir string
	now func() time.Time
}

// tag is kept beside a taken file. It is on disk before the file arrives, so that a crash at any
// moment leaves either the dropped file where it was or a file that can be accepted again.
type tag struct {
	Rule     string    `json:"rule"`
	Name     string    `json:"name"`
	Folder   string    `json:"folder"`
	Marker   string    `json:"marker,omitempty"` // path of the marker file to remove
	Received time.Time `json:"received"`
	Keep     bool      `json:"keep,omitempty"`   // it was copied: the files beside it stay, too
	After    string    `json:"after,omitempty"`  // SHA256 of the file that it follows, of which its own is made too
	SHA256   string    `json:"sha256,omitempty"` // once the sink has accepted the file
}

const tagFile = ".file.json"

// prepare makes the folder that a file will be moved to.
func (in inbox) prepare(t tag) (id string, err error) {
	u, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("making a file id: %w", err)
	}
	id = u.String()
	dir := filepath.Join(in.dir, id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making inbox folder: %w", err)
	}
	return id, in.writeTag(id, t)
}

func (in inbox) writeTag(id string, t tag) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("tagging taken file: %w", err)
	}
	if err := disk.WriteFile(filepath.Join(in.dir, id, tagFile), text); err != nil {
		return fmt.Errorf("tagging taken file: %w", err)
	}
	return nil
}

func (in inbox) readTag(id string) (tag, error) {
	var t tag
	text, err := os.ReadFile(filepath.Join(in.dir, id, tagFile))
	if err != nil {
		return t, fmt.Errorf("reading tag of taken file: %w", err)
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return t, fmt.Errorf("reading tag of taken file %s: %w", id, err)
	}
	if filepath.Base(t.Name) != t.Name || t.Name == "." || t.Name == ".." {
		return t, fmt.Errorf("reading tag of taken file %s: %q is no file name", id, t.Name)
	}
	return t, nil
}

func (in inbox) path(id string, t tag) string { return filepath.Join(in.dir, id, t.Name) }

// taken lists the files that lie in the inbox. Which of them the sink knows is for the sink to say:
// a crash may have come between the move and the acceptance, or the journal may have been restored
// from a backup. What a crash left half prepared is removed.
//
// Strays are folders that hold something and do not say what; a person must look.
func (in inbox) taken() (ids, strays []string, err error) {
	entries, err := os.ReadDir(in.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading inbox: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		id := e.Name()
		t, err := in.readTag(id)
		if err == nil && disk.Exists(in.path(id, t)) {
			ids = append(ids, id)
			continue
		}
		if !in.onlyOurs(id) {
			strays = append(strays, id)
			continue
		}
		if info, ierr := e.Info(); ierr == nil && in.now().Sub(info.ModTime()) > disk.Stale {
			if err := results.RemoveInbox(filepath.Join(in.dir, id)); err != nil {
				return nil, nil, err
			}
		}
	}
	return ids, strays, nil
}

// onlyOurs tells whether a folder holds nothing that was dropped, so that it can be removed.
func (in inbox) onlyOurs(id string) bool {
	entries, err := os.ReadDir(filepath.Join(in.dir, id))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Name()[0] != '.' {
			return false
		}
	}
	return true
}

// describe makes the sink's view of a taken file. It reports disk.ErrUnsettled when the file changes while it is read.
func (in inbox) describe(ctx context.Context, id string, t tag) (sources.File, error) {
	path := in.path(id, t)
	before, err := os.Lstat(path)
	if err != nil {
		return sources.File{}, fmt.Errorf("reading taken file: %w", err)
	}
	if !before.Mode().IsRegular() {
		return sources.File{}, &tabular.FileError{Problem: diag.Problem{Place: diag.Place{File: t.Name},
			Message: "it is not a regular file",
			Hint:    "drop the file itself, not a link"}}
	}
	sum := t.SHA256
	if sum == "" {
		if sum, err = digest(ctx, path, t.After); err != nil {
			return sources.File{}, fmt.Errorf("reading taken file: %w", err)
		}
	}
	after, err := os.Lstat(path)
	if err != nil {
		return sources.File{}, fmt.Errorf("reading taken file: %w", err)
	}
	if before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		return sources.File{}, disk.ErrUnsettled
	}
	return sources.File{ID: id, Rule: t.Rule, Path: path, Name: t.Name, Folder: t.Folder, Size: after.Size(), SHA256: sum,
		Received: t.Received}, nil
}

// digest is the SHA-256 of a file's content, and of what it follows.
func digest(ctx context.Context, path, after string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return "", err
	}
	_, _ = io.WriteString(h, after) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil)), nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// offer makes a taken file known to the sink and notes that it is.
func (in inbox) offer(ctx context.Context, id string, sink sources.Sink) (f sources.File, duplicate bool, err error) {
	t, err := in.readTag(id)
	if err != nil {
		return f, false, err
	}
	if t.Marker != "" {
		if err := disk.Remove(t.Marker); err != nil {
			return f, false, fmt.Errorf("removing marker: %w", err)
		}
	}
	if f, err = in.describe(ctx, id, t); err != nil {
		return f, false, err
	}
	duplicate, err = sink.AcceptFile(ctx, f)
	if err != nil || duplicate || t.SHA256 != "" {
		return f, duplicate, err
	}
	t.SHA256 = f.SHA256
	if err := in.writeTag(id, t); err != nil {
		return f, false, fmt.Errorf("%w: %w", errAccepted, err)
	}
	return f, false, nil
}

// errAccepted is the error of a file that the sink has accepted: its copy is what its rows are read from.
var errAccepted = errors.New("the file is accepted, and what is kept beside it could not be written")

// accepted tells whether the sink has accepted a file at some time.
func (in inbox) accepted(id string) bool {
	t, err := in.readTag(id)
	return err == nil && t.SHA256 != ""
}

// Take takes one file for a rule, as a watched folder would, but leaves the original where it is:
// the copy in the inbox is what rows are read from. duplicate is true when the same content was
// accepted for the rule before; the copy is then removed.
func Take(ctx context.Context, path, rule, inboxDir string, sink sources.Sink) (f sources.File, duplicate bool,
	err error) {
	return TakeFor(ctx, path, rule, filepath.Dir(path), inboxDir, sink)
}

// TakeFor is Take for a file that counts as dropped into another folder than the one that it lies in.
func TakeFor(ctx context.Context, path, rule, folder, inboxDir string, sink sources.Sink) (f sources.File,
	duplicate bool, err error) {
	return TakeAfter(ctx, path, rule, folder, inboxDir, "", sink)
}

// TakeAfter is TakeFor for a file that is read again and again: after is the SHA256 of the one that
// was taken before it. Content that was there before that one, and is back, is no duplicate.
func TakeAfter(ctx context.Context, path, rule, folder, inboxDir, after string, sink sources.Sink) (f sources.File,
	duplicate bool, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return f, false, fmt.Errorf("taking %s: %w", path, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return f, false, fmt.Errorf("taking %s: %w", path, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return f, false, fmt.Errorf("taking file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return f, false, &tabular.FileError{Problem: diag.Problem{Place: diag.Place{File: filepath.Base(path)},
			Message: "it is not a regular file",
			Hint:    "give the path of a file"}}
	}
	in := inbox{dir: inboxDir, now: time.Now}
	t := tag{Rule: rule, Name: tabular.PlainName(filepath.Base(abs)), Folder: folder, Received: time.Now(), Keep: true,
		After: after}
	if t.Name[0] == '.' {
		t.Name = "_" + t.Name[1:] // names with a dot in front are Culvert's own in the inbox
	}
	id, err := in.prepare(t)
	if err != nil {
		return f, false, err
	}
	if err := disk.Copy(abs, in.path(id, t)); err != nil {
		return f, false, errors.Join(fmt.Errorf("taking %s: %w", t.Name, err), results.RemoveInbox(filepath.Join(in.dir, id)))
	}
	// Whoever sends a file may go while it is accepted: then the answer is lost, not the file.
	f, duplicate, err = in.offer(context.WithoutCancel(ctx), id, sink)
	if errors.Is(err, errAccepted) {
		return f, false, nil // it is accepted once more at the next start, and recognised
	}
	if duplicate || err != nil {
		err = errors.Join(err, results.RemoveInbox(filepath.Join(in.dir, id)))
	}
	return f, duplicate, err
}
