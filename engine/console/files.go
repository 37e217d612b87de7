package console

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// errNoFile answers 404.
var errNoFile = notFound{"there is no such file, or it is gone from where it was"}

type filesView struct {
	Files []fileRow
	Rules []Rule // that take files
	More  bool
}

type fileRow struct {
	journal.File
	HasResults, HasFailed bool
}

func (s *Console) files(r *http.Request) (view, error) {
	list, err := s.c.Journal.Files(r.Context(), "")
	if err != nil {
		return view{}, err
	}
	data := filesView{More: len(list) > pageSize}
	v := view{Title: "Files", Page: "files", Trail: nil}
	for _, f := range list[:min(len(list), pageSize)] {
		results, failed := s.c.Running.Outputs(f)
		data.Files = append(data.Files, fileRow{f, there(results), there(failed)})
		if f.State == journal.FileOpen {
			v.Refresh = 5
		}
	}
	for _, x := range s.c.Running.Rules() {
		if x.TakesFiles {
			data.Rules = append(data.Rules, x)
		}
	}
	v.Data = data
	return v, nil
}

func there(path string) bool {
	if path == "" {
		return false
	}
	_, err := os.Stat(path)
	return err == nil
}

// downloadOf answers with the results of a file, or its failed rows. That somebody took them is
// logged and stands in the audit trail: they hold what people said.
func (s *Console) downloadOf(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.download(w, r, what); err != nil {
			s.fail(w, r, err)
		}
	}
}

func (s *Console) download(w http.ResponseWriter, r *http.Request, what string) error {
	f, err := s.fileOf(r)
	if err != nil {
		return err
	}
	path, failed := s.c.Running.Outputs(f)
	if what == "failed" {
		path = failed
	}
	if path == "" {
		return errNoFile
	}
	var content io.ReadSeekCloser
	content, err = os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return errNoFile
	}
	if err != nil {
		return fmt.Errorf("open %s of %s: %w", what, f.Name, err)
	}
	defer content.Close()
	kind := "application/octet-stream"
	if !strings.HasPrefix(r.URL.Path, APIPrefix) { // what programs read is in the language of the run
		kind = typeOf(path)
		told, err := s.c.Running.Tell(r.Context(), f, what == "failed", s.languageOf(r))
		if err == nil {
			defer told.Close()
			content = told
		} else {
			s.c.Log.Warn("a file is downloaded as it lies, not in the visitor's language", "file", f.Name, "error", err)
		}
	}
	if err := s.note(r, "download", journal.Filter{Rule: f.Rule, FileID: f.ID}.Subject()); err != nil {
		return err
	}
	s.c.Log.Info("a file was downloaded", "file", filepath.Base(path), "rule", f.Rule, "who", who(r))
	name := filepath.Base(path)
	if name[0] == '.' {
		name = f.Name + name
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// typeOf gives the type of a file that is downloaded: texts are compressed on the way.
func typeOf(name string) string {
	switch filepath.Ext(name) {
	case ".csv", ".tsv":
		return "text/csv; charset=utf-8"
	case ".json", ".ndjson":
		return "application/json"
	}
	return "application/octet-stream"
}

// maxUpload bounds what a browser may send, in bytes, and fileTime how long a file may take either
// way: the lines are slow.
const (
	maxUpload = 200 << 20
	fileTime  = 30 * time.Minute
)

// upload takes a file for a rule. The form's rule comes before its file, so that nothing is kept of
// a file that nobody wants.
func (s *Console) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload+maxForm)
	parts, err := r.MultipartReader()
	if err != nil {
		s.fail(w, r, refused("the form could not be read"))
		return
	}
	form := &arriving{parts: parts}
	id, name, err := s.takeUpload(r, form)
	var large *http.MaxBytesError
	switch {
	case errors.As(form.broken, &large):
		err = refused(fmt.Sprintf("the file is larger than %d MB: drop it into the rule's folder instead", maxUpload>>20))
	case form.broken != nil:
		s.c.Log.Info("an upload was cut off", "who", who(r), "error", form.broken)
		err = errCutOff
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.c.Log.Info("a file was uploaded", "file", name, "who", who(r))
	if strings.HasPrefix(r.URL.Path, APIPrefix) {
		apiAnswer(w, map[string]string{"file": id})
		return
	}
	http.Redirect(w, r, Prefix+"files?did=upload", http.StatusSeeOther)
}

// errCutOff answers 400.
var errCutOff = errors.New("no file arrived, or not all of it, and nothing was kept; send it again")

// arriving is a form of several parts that comes over the line, and notes what broke it.
type arriving struct {
	parts  *multipart.Reader
	part   *multipart.Part
	broken error // nil: nothing yet
}

// next goes to the next part. The end is too early as long as no file came: browsers send one
// without a name where none was chosen.
func (a *arriving) next() error {
	a.part, a.broken = a.parts.NextPart()
	return a.broken
}

// Read reads the part that the form is at.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.part.Read(p)
	if err != nil && err != io.EOF {
		a.broken = err
	}
	return n, err
}

func (s *Console) takeUpload(r *http.Request, form *arriving) (id, name string, err error) {
	rule := ""
	for {
		if err := form.next(); err != nil {
			return "", "", fmt.Errorf("read the upload: %w", err)
		}
		switch form.part.FormName() {
		case "rule":
			text, err := io.ReadAll(io.LimitReader(form, 1000))
			if err != nil {
				return "", "", fmt.Errorf("read the upload: %w", err)
			}
			rule = string(text)
		case "file":
			name := form.part.FileName()
			if name == "" {
				return "", "", refused("choose a file first")
			}
			if rule == "" {
				return "", "", refused("the form names no rule")
			}
			id, err := s.c.Running.Upload(r.Context(), rule, name, form)
			if err != nil {
				return "", "", err
			}
			// The file is taken, whatever comes of the entry.
			if err := s.note(r, "upload", journal.Filter{Rule: rule, FileID: id}.Subject()); err != nil {
				s.c.Log.Error("an upload is missing in the audit trail", "rule", rule, "who", who(r), "error", err)
			}
			return id, name, nil
		}
	}
}
