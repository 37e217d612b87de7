package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/poll"
	"github.com/culvert/culvert/sources/tabular"
)

// maxFile bounds a fetched file, in bytes.
const maxFile = 1 << 30

// fileFields declares the keys of file.
func fileFields() []settings.Field {
	fields := requestFields()
	for i := range fields {
		if f := &fields[i]; f.Name == "url" {
			f.Hint = "write the address of the file, such as https://example.org/export.csv"
			f.Doc = "the address of the file; of a Google sheet the one that File, Share, Publish to web gives for CSV. " +
				"Places as in params"
		}
	}
	fields = append(fields, settings.Field{Name: "folder", LeftOut: "`fetched/` and the name of the rule",
		Doc: "the folder below which `done/` and `failed/` hold the files that were read, with their results"})
	return append(fields, tabular.Fields()...)
}

func readFile(c settings.Reader) *File {
	h, ok := c.Sub("file")
	if !ok {
		return nil
	}
	f := &File{Request: readRequest(h), Folder: h.Text("folder"), Format: tabular.ReadFormat(h)}
	if isSheetPage(f.URL) {
		h.Wrong(h.Config.Get("url"), "url", "this is the page on which people edit or read the Google sheet, not a file",
			"give the address that File, Share, Publish to web shows for comma-separated values: it ends with output=csv")
	}
	if f.Folder != "" && !filepath.IsAbs(f.Folder) && !filepath.IsLocal(filepath.FromSlash(f.Folder)) {
		h.Wrong(h.Config.Get("folder"), "folder", fmt.Sprintf("folder %q leads out of the project", f.Folder),
			"give the whole path, from / on, for a folder outside the project")
	}
	return f
}

// isSheetPage tells the address of a Google sheet's page, as the browser shows it (/edit, /pubhtml...), from those of its
// values (/pub?output=csv, /export?format=csv, /gviz/tq?tqx=out:csv).
func isSheetPage(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() != "docs.google.com" || !strings.HasPrefix(u.Path, "/spreadsheets/") {
		return false
	}
	query := u.Query()
	switch path.Base(u.Path) {
	case "pub":
		return !query.Has("output") || query.Get("output") == "html"
	case "export":
		return false
	case "tq":
		return !strings.Contains(query.Get("tqx"), "csv")
	}
	return true
}

// FileFormat gives how the files of a trigger are read; the zero format where it takes none.
func (Kind) FileFormat(t *rules.Trigger) tabular.Format {
	if f := read(t, time.UTC, func(diag.Diagnostic) {}).File; f != nil {
		return f.Format
	}
	return tabular.Format{}
}

// fetched is what is kept of the file that was taken last.
type fetched struct {
	Content string `json:"content"` // SHA-256 of its bytes
	File    string `json:"file"`    // its SHA256 in the journal, which is made of the one before it too
	Rule    string `json:"rule"`    // digest of the rule that it was taken for
}

// fetchingFolder holds files while they are fetched, in a folder for each rule.
func (s *Source) fetchingFolder() string { return filepath.Join(filepath.Dir(s.c.Inbox), "fetching") }

// discardHalves removes files that a run was killed over, also of rules that are gone: they are fetched anew.
func (s *Source) discardHalves() {
	if s.c.Inbox == "" {
		return
	}
	if err := os.RemoveAll(s.fetchingFolder()); err != nil {
		s.c.Log.Warn("files that a killed run has left cannot be removed", "folder", s.fetchingFolder(), "error", err)
	}
}

// file fetches a file, and takes it when it is not as it was the last time, or its rule is not: a
// table that was refused for a mistake in the rule is read once the rule is right.
func (r *run) file(ctx context.Context, last, due time.Time) (int, error) {
	cursor := "schedule.file/" + r.rule.Rule
	var before fetched
	text, err := r.sink.Cursor(ctx, cursor)
	if err != nil {
		return 0, err
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &before); err != nil {
			return 0, errors.New("what is saved of the last file cannot be read")
		}
	}
	at := filepath.Join(r.fetchingFolder(), url.PathEscape(r.rule.Rule))
	if err := errors.Join(os.RemoveAll(at), os.MkdirAll(at, 0o700)); err != nil { // of a run that was cut off
		return 0, fmt.Errorf("make room for the file: %w", err)
	}
	defer func() { _ = os.RemoveAll(at) }()
	name, content, err := r.fetch(ctx, at, last, due)
	if err != nil {
		return 0, err
	}
	if content == before.Content && r.rule.File.Rule == before.Rule {
		r.log.Info("the file is as it was", "file", name)
		return 0, nil
	}
	taken, _, err := files.TakeAfter(ctx, filepath.Join(at, name), r.rule.Rule, r.results(), r.c.Inbox, before.File,
		r.sink)
	if err != nil {
		return 0, fmt.Errorf("take the file: %w", err)
	}
	now, err := json.Marshal(fetched{Content: content, File: taken.SHA256, Rule: r.rule.File.Rule})
	if err != nil {
		return 0, fmt.Errorf("save which file was taken: %w", err)
	}
	saved := sources.Batch{Cursor: &sources.Cursor{Name: cursor, Value: string(now)}}
	if _, err := poll.Accept(ctx, r.sink, saved, r.log); err != nil {
		return 0, fmt.Errorf("save which file was taken: %w", err)
	}
	return 1, nil
}

// results gives the folder below which the results of fetched files lie.
func (r *run) results() string {
	folder := filepath.FromSlash(r.rule.File.Folder)
	switch {
	case folder == "":
		return filepath.Join(r.c.Dir, "fetched", url.PathEscape(r.rule.Rule))
	case filepath.IsAbs(folder):
		return folder
	}
	return filepath.Join(r.c.Dir, folder)
}

// fetch writes the file into a folder. It gives the file's name there and the SHA-256 of its content.
func (r *run) fetch(ctx context.Context, folder string, last, due time.Time) (name, content string, err error) {
	f := r.rule.File
	client, err := r.client(f.Request)
	if err != nil {
		return "", "", err
	}
	u, err := r.address(f.Request, last, due)
	if err != nil {
		return "", "", err
	}
	to, err := os.OpenFile(filepath.Join(folder, "part"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("write the file: %w", err)
	}
	sum := sha256.New()
	media, err := client.Fetch(ctx, u, io.MultiWriter(to, sum), maxFile)
	var head []byte
	if err == nil {
		head = make([]byte, 4096)
		var n int
		if n, err = to.ReadAt(head, 0); err == io.EOF {
			err = nil
		}
		head = head[:n]
	}
	if err := errors.Join(err, to.Close()); err != nil {
		return "", "", err
	}
	name = path.Base(r.rule.Rule) + "-" + due.Format("20060102-1504") +
		tabular.Extension(f.Format.Kind, media, path.Ext(u.Path), head)
	if err := os.Rename(to.Name(), filepath.Join(folder, name)); err != nil {
		return "", "", fmt.Errorf("write the file: %w", err)
	}
	return name, hex.EncodeToString(sum.Sum(nil)), nil
}
