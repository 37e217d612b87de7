package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

// Table is how a rule takes a request's body as a file of rows.
type Table struct {
	Format tabular.Format
	Folder string // where its results go, as the rule writes it; empty: received/ and the name of the rule
}

// tableFields declares the keys of table.
func tableFields() []settings.Field {
	return append([]settings.Field{{Name: "folder", LeftOut: "`received/` and the name of the rule",
		Doc: "the folder below which `done/` and `failed/` hold the files that were sent, with their results"}},
		tabular.Fields()...)
}

func (c *configReader) table() *Table {
	t, ok := c.Sub("table")
	if !ok {
		return nil
	}
	out := &Table{Format: tabular.ReadFormat(t), Folder: t.Text("folder")}
	if out.Folder != "" && !filepath.IsAbs(out.Folder) && !filepath.IsLocal(filepath.FromSlash(out.Folder)) {
		t.Wrong(t.Config.Get("folder"), "folder", fmt.Sprintf("folder %q leads out of the project", out.Folder),
			"give the whole path, from / on, for a folder outside the project")
	}
	for _, key := range []string{"items", "encoding", "attachments", "reply", "wait", "max_depth", "max_items"} {
		if c.Has(key) {
			c.Wrong(c.Config.Key(key), "not-allowed", key+" is for requests that hold records, and this rule takes tables",
				"take it out; how a table is read stands under table:")
		}
	}
	return out
}

// FileFormat gives how the files of a trigger are read; the zero format where it takes none.
func (Kind) FileFormat(t *rules.Trigger) tabular.Format {
	if table := read(t, func(diag.Diagnostic) {}).Table; table != nil {
		return table.Format
	}
	return tabular.Format{}
}

// takeTables takes a body as a file of each rule that wants tables. The error is a *refusal.
func (h *Handler) takeTables(w http.ResponseWriter, r *http.Request, ref *sinkRef, routes []*Route, body []byte,
	now time.Time) (*receipt, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &refusal{http.StatusUnprocessableEntity, "the body is empty",
			"send the table: curl --data-binary @file.csv"}
	}
	given, body, err := sentFile(r, body)
	if err != nil {
		return nil, err
	}
	out := &receipt{Records: []receiptLine{}}
	for _, x := range routes {
		line, err := h.takeTable(r, ref, x, given, body, now)
		if full, ok := errors.AsType[*sources.ErrBusy](err); ok {
			return nil, busy(w, full.RetryAfter, full.Reason)
		}
		if err != nil {
			h.config.Log.Error("cannot keep a table of a webhook", "path", x.Path, "rule", x.Rule, "error", err)
			return nil, busy(w, 0, "the table cannot be kept now")
		}
		out.Files = append(out.Files, line)
		out.Accepted++
	}
	return out, nil
}

// fileLine is what a sender gets for a table.
type fileLine struct {
	Rule      string `json:"rule"`
	File      string `json:"file"` // as its results are named
	Duplicate bool   `json:"duplicate,omitempty"`
}

func (h *Handler) takeTable(r *http.Request, ref *sinkRef, x *Route, given string, body []byte,
	now time.Time) (line fileLine, err error) {
	name := fileName(x, given, r.Header.Get("Content-Type"), body, now)
	parent := h.receiving()
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return line, fmt.Errorf("make room for a table: %w", err)
	}
	at, err := os.MkdirTemp(parent, "")
	if err != nil {
		return line, fmt.Errorf("make room for a table: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(at)) }()
	file := filepath.Join(at, name)
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return line, fmt.Errorf("write a table: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerTime)
	defer cancel()
	_, duplicate, err := files.TakeFor(ctx, file, x.Rule, h.resultsOf(x), h.config.Inbox, ref.sink)
	return fileLine{Rule: x.Rule, File: name, Duplicate: duplicate}, err
}

// receiving is the folder where tables lie until they are taken, each in a folder of its own.
func (h *Handler) receiving() string { return filepath.Join(filepath.Dir(h.config.Inbox), "receiving") }

// clearReceiving removes the tables of a process that was killed: their senders had no answer, and
// nobody else would take away what they hold of people.
func (h *Handler) clearReceiving() {
	if err := disk.RemoveStale(h.receiving(), "*", h.config.Now()); err != nil {
		h.config.Log.Warn("tables of webhooks that were left behind cannot be removed: remove them by hand", "error", err)
	}
}

// resultsOf gives the folder below which the results of a rule's tables lie.
func (h *Handler) resultsOf(x *Route) string {
	folder := filepath.FromSlash(x.Table.Folder)
	switch {
	case folder == "":
		return filepath.Join(h.config.Dir, "received", url.PathEscape(x.Rule))
	case filepath.IsAbs(folder):
		return folder
	}
	return filepath.Join(h.config.Dir, folder)
}

// sentFile gives the table of a request, and its name where the sender names it: the body itself, or
// the one file of a form.
func sentFile(r *http.Request, body []byte) (name string, table []byte, err error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // one that cannot be read says nothing
	_, disposition, _ := mime.ParseMediaType(r.Header.Get("Content-Disposition"))
	if kind != "multipart/form-data" {
		return disposition["filename"], body, nil
	}
	broken := &refusal{http.StatusBadRequest, "the multipart form was cut off, or is none", "send it again"}
	if b := params["boundary"]; b == "" || !bytes.Contains(body, []byte("--"+b+"--")) {
		return "", nil, broken
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	found := false
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", nil, broken
		}
		if part.FileName() == "" {
			continue
		}
		if found {
			return "", nil, &refusal{http.StatusUnprocessableEntity, "the form holds two files", "send one table at a time"}
		}
		found, name = true, part.FileName()
		if table, err = io.ReadAll(part); err != nil {
			return "", nil, broken
		}
	}
	if len(bytes.TrimSpace(table)) == 0 {
		return "", nil, &refusal{http.StatusUnprocessableEntity, "the form holds no file, or an empty one",
			"send the table: curl -F file=@file.csv"}
	}
	return name, table, nil
}

// longestName is how much of a sender's name for a file is kept, in bytes: file systems allow 255,
// and a letter outside of Latin script takes three.
const longestName = 150

// fileName names a table as its results are named: as its sender does, with the time in front, so
// that files of one name do not meet.
func fileName(x *Route, given, media string, body []byte, now time.Time) string {
	given = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._- ", c) {
			return c
		}
		return '_'
	}, path.Base(strings.ReplaceAll(tabular.PlainName(given), `\`, "/")))
	ext := path.Ext(given)
	if stem := strings.TrimSuffix(given, ext); len(stem) > longestName {
		given = strings.ToValidUTF8(stem[:longestName], "") + ext
	}
	if !tabular.Known(ext) {
		given = path.Base(x.Rule) + tabular.Extension(x.Table.Format.Kind, media, "", body)
	}
	return now.UTC().Format("20060102-150405.000-") + given
}
