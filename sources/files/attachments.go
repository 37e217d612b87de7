package files

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

const (
	// maxBeside bounds a file that a row names; what is sent is bounded closer.
	maxBeside = 100 << 20
	// maxSums is how many files are known by their content: rows that name one follow each other.
	maxSums = 1000
	// longestWrite is how long a file that is still being written is waited for.
	longestWrite = 30 * time.Second
)

// Attachments finds the files that rows name: those in the zip that the table came in, or those beside
// the dropped file, which are taken with it.
func (Kind) Attachments(rule string, t *rules.Trigger, env sources.AttachmentEnv) sources.AttachmentFinder {
	w := Watched(rule, t, env.Dir)
	if w.Folder == "" {
		return nil
	}
	return finder(w, env, false)
}

// Zipped finds the files that rows of tables from other machines name: those in the zip that the table came in. folder
// is where the results of such tables lie.
func Zipped(rule, folder string, env sources.AttachmentEnv) sources.AttachmentFinder {
	return finder(WatchedRule{Rule: rule, Folder: folder, Done: filepath.Join(folder, "done"),
		Failed: filepath.Join(folder, "failed")}, env, true)
}

func finder(w WatchedRule, env sources.AttachmentEnv, zipped bool) sources.AttachmentFinder {
	in := inbox{dir: env.Inbox, now: time.Now}
	taking, sums := new(sync.Mutex), &contentSums{known: map[string]string{}}
	return func(_ any, fileID string) rules.Attachments {
		return func(name string) (*rules.Attachment, error) {
			rel := strings.TrimPrefix(path.Clean(strings.ReplaceAll(name, `\`, "/")), "./")
			if !fs.ValidPath(rel) || !filepath.IsLocal(filepath.FromSlash(rel)) || strings.Contains("/"+rel, "/.") {
				return nil, noFile("names a file outside of the folder of the dropped file",
					"name it as it lies beside the table, such as photos/1.jpg")
			}
			if fileID == "" { // a sample: nothing was dropped
				return &rules.Attachment{Name: rel, Key: "sample/" + rel,
					Fetch: func(context.Context, int64) ([]byte, string, error) {
						return nil, "", noFile("is of a sample, beside which nothing was dropped", "drop the table with its files")
					}}, nil
			}
			b := beside{in: in, rule: w, id: fileID, rel: rel, taking: taking, sums: sums, finished: env.Finished,
				zipped: zipped}
			return b.find()
		}
	}
}

func noFile(message, hint string) error {
	return &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there", Message: message, Hint: hint}}
}

// beside is a file that a row of a taken file names.
type beside struct {
	in   inbox
	rule WatchedRule
	id   string // of the taken file
	rel  string // path with slashes, from the dropped file on

	taking   *sync.Mutex // two rows may name one file
	sums     *contentSums
	finished func(id string) string // see sources.AttachmentEnv
	zipped   bool                   // only a zip brings files along: what lies beside a table elsewhere is not fetched
}

// contentSums are the SHA-256 of files that rows name, so that one that many rows name is read once.
type contentSums struct {
	mu    sync.Mutex
	known map[string]string
}

func (c *contentSums) get(file string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[file]
}

func (c *contentSums) put(file, sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxSums {
		clear(c.known)
	}
	c.known[file] = sum
}

// find takes the file, and says what it is: its content is read once, and none of it kept.
func (b beside) find() (*rules.Attachment, error) {
	open, err := b.place()
	if err != nil {
		return nil, err
	}
	file := b.id + "/" + b.rel
	sum := b.sums.get(file)
	if sum == "" {
		hash := sha256.New()
		if err := open(maxBeside, hash); err != nil {
			return nil, err
		}
		sum = hex.EncodeToString(hash.Sum(nil))
		b.sums.put(file, sum)
	}
	// Many rows wait at once: the file is read again when it is sent.
	return &rules.Attachment{Name: b.rel, Key: "content/" + sum,
		Fetch: func(_ context.Context, limit int64) ([]byte, string, error) {
			var content bytes.Buffer
			err := open(limit, &content)
			return content.Bytes(), "", err
		}}, nil
}

// place gives what reads the file: from where the taken file lies, or from where it went with the
// files that its rows name once it was finished.
func (b beside) place() (read func(limit int64, to io.Writer) error, err error) {
	t, err := b.in.readTag(b.id)
	if err == nil && disk.Exists(b.in.path(b.id, t)) {
		if isZip(t.Name) {
			return func(limit int64, to io.Writer) error { return b.inZip(b.in.path(b.id, t), limit, to) }, nil
		}
		return func(limit int64, to io.Writer) error { return b.inFolder(t, limit, to) }, nil
	}
	table := ""
	if b.finished != nil {
		table = b.finished(b.id)
	}
	switch {
	case table == "":
		return nil, noFile("names a file that came with a table which is finished",
			"drop the rows that failed again, with their files beside them")
	case isZip(table):
		return func(limit int64, to io.Writer) error { return b.inZip(table, limit, to) }, nil
	}
	return func(limit int64, to io.Writer) error { return b.withFinished(table, limit, to) }, nil
}

func isZip(name string) bool { return strings.EqualFold(filepath.Ext(name), ".zip") }

// withFinished reads the file that lies with a finished table, or that was dropped since because the
// row failed without it.
func (b beside) withFinished(table string, limit int64, to io.Writer) error {
	folder := filepath.Join(filepath.Dir(table), results.FilesOf(results.Stem(filepath.Base(table))))
	for _, from := range []string{folder, b.rule.Folder} {
		if err := readBeside(from, b.rel, limit, to); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return b.missing(filepath.Base(folder), namesIn(filepath.Join(folder, filepath.Dir(filepath.FromSlash(b.rel)))))
}

func tooLarge(limit int64) error {
	return &rules.AttachmentError{Problem: diag.Problem{Code: "file-too-large",
		Message: fmt.Sprintf("is a file of more than %d bytes, the most that is taken", limit),
		Hint:    "make it smaller: set a lower resolution of photos at the source"}}
}

// inZip reads the file from the zip that the table came in. Exports keep photos in a folder, such as
// media/, which the answers do not name.
func (b beside) inZip(table string, limit int64, to io.Writer) error {
	z, err := zip.OpenReader(table)
	if err != nil {
		return noFile("names a file in a zip that cannot be opened", "drop the zip again")
	}
	defer z.Close()
	var found *zip.File
	var names []string
	for _, e := range z.File {
		name := strings.ReplaceAll(e.Name, `\`, "/")
		if !e.Mode().IsRegular() || strings.HasPrefix(name, "__MACOSX/") || strings.HasSuffix(name, "/") {
			continue
		}
		names = append(names, path.Base(name))
		switch {
		case name == b.rel:
			found = e
		case strings.HasSuffix(name, "/"+b.rel) && found == nil:
			found = e
		case strings.HasSuffix(name, "/"+b.rel) && strings.ReplaceAll(found.Name, `\`, "/") != b.rel:
			return noFile("names a file that is in the zip several times", "name it with its folder")
		}
	}
	if found == nil {
		return b.missing("the zip", names)
	}
	if found.UncompressedSize64 > uint64(limit) {
		return tooLarge(limit)
	}
	if found.Flags&1 != 0 {
		return noFile("names a file in the zip that is protected by a password", "save the zip without one")
	}
	src, err := found.Open()
	if err != nil {
		return noFile("names a file in the zip that is damaged", "make the zip again")
	}
	defer src.Close()
	return readAtMost(src, limit, to)
}

func readAtMost(src io.Reader, limit int64, to io.Writer) error {
	n, err := io.Copy(to, io.LimitReader(src, limit+1))
	if err != nil {
		return noFile("names a file that cannot be read: it is damaged", "save it again")
	}
	if n > limit {
		return tooLarge(limit)
	}
	return nil
}

// inFolder reads the file that lies beside the taken file, and takes it from where it was dropped first.
func (b beside) inFolder(t tag, limit int64, to io.Writer) error {
	b.taking.Lock()
	defer b.taking.Unlock()
	taken := filepath.Join(b.in.dir, b.id, results.BesideDir)
	err := readBeside(taken, b.rel, limit, to)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Failed rows are dropped again where the photos no longer are: those lie with what was finished.
	stem := strings.TrimSuffix(results.Stem(t.Name), ".failed")
	for _, from := range []string{t.Folder, filepath.Join(b.rule.Done, results.FilesOf(stem))} {
		if err := settled(from, b.rel, b.rule.StableFor); err != nil {
			continue
		}
		err := b.carry(from, taken, t.Keep || from != t.Folder || b.isOthers(from))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there",
				Message: "names a file that cannot be taken",
				Hint:    "give the user that Culvert runs as the right to read and move it"}}
		}
		break
	}
	err = readBeside(taken, b.rel, limit, to)
	if errors.Is(err, fs.ErrNotExist) {
		folder := filepath.Dir(filepath.FromSlash(b.rel))
		return b.missing("the folder", append(namesIn(filepath.Join(t.Folder, folder)),
			namesIn(filepath.Join(taken, folder))...))
	}
	return err
}

// readBeside reads a file below a folder, and follows no link.
func readBeside(folder, rel string, limit int64, to io.Writer) error {
	root, err := regular(folder, rel)
	if err != nil {
		return err
	}
	defer root.Close()
	src, err := root.Open(filepath.FromSlash(rel))
	if err != nil {
		return err
	}
	defer src.Close()
	return readAtMost(src, limit, to)
}

// regular opens a folder in which a path leads to a regular file without any link.
func regular(folder, rel string) (*os.Root, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	parts := strings.Split(rel, "/")
	for n := range parts {
		info, err := root.Lstat(filepath.Join(parts[:n+1]...))
		last := n == len(parts)-1
		if err == nil && (last && !info.Mode().IsRegular() || !last && !info.IsDir()) {
			err = fs.ErrNotExist // a link, or something else that is no file
		}
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return root, nil
}

// settled waits until a file is no longer written to.
func settled(folder, rel string, stable time.Duration) error {
	root, err := regular(folder, rel)
	if err != nil {
		return err
	}
	defer root.Close()
	for deadline := time.Now().Add(longestWrite); time.Now().Before(deadline); {
		info, err := root.Lstat(filepath.FromSlash(rel))
		if err != nil {
			return err
		}
		rest := stable - time.Since(info.ModTime())
		if rest <= 0 || rest > stable {
			return nil
		}
		time.Sleep(rest)
	}
	return nil
}

// isOthers tells whether the file may be more than what this row names: a table that is still to be
// read, or what lies with finished ones. It stays where it is, and is copied.
func (b beside) isOthers(from string) bool {
	if readable(strings.ToLower(b.rel)) || b.rule.wants(path.Base(b.rel)) || b.rule.isMarker(b.rel) {
		return true
	}
	full := filepath.Join(from, filepath.FromSlash(b.rel))
	for _, folder := range []string{b.rule.Done, b.rule.Failed} {
		if rel, err := filepath.Rel(folder, full); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}

// carry moves the file, or copies it, into the taken file's inbox folder.
func (b beside) carry(from, taken string, keep bool) error {
	src, dst := filepath.Join(from, filepath.FromSlash(b.rel)), filepath.Join(taken, filepath.FromSlash(b.rel))
	if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
		return fmt.Errorf("taking a file beside a table: %w", err)
	}
	if keep {
		return disk.Copy(src, dst)
	}
	return disk.Move(src, dst)
}

func (b beside) missing(where string, names []string) error {
	hint := "put it there before the table, under the name that the row gives"
	if b.zipped && where != "the zip" {
		return noFile(fmt.Sprintf("names %q, which did not come with the table", b.rel),
			"have the table and the files that its rows name put into one zip over there: what lies beside it is not fetched")
	}
	if near := diag.Nearest(path.Base(b.rel), names); len(near) > 0 {
		hint = "there is " + diag.Names(near, "and") + ": correct the name, or put the file there before the table"
	}
	return noFile(fmt.Sprintf("names %q, which is not in %s", b.rel, where), hint)
}

func namesIn(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries[:min(len(entries), 5000)] {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}
