package console

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
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

// download answers with the results of a file, or its failed rows. That somebody took them is
// logged and stands in the audit trail: they hold what people said.
func (s *Console) download(w http.ResponseWriter, r *http.Request) {
	list, err := s.c.Journal.Files(r.Context(), "")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, f := range list {
		if f.ID != r.PathValue("id") {
			continue
		}
		results, failed := s.c.Running.Outputs(f)
		path := results
		if r.PathValue("what") == "failed" {
			path = failed
		}
		if path == "" {
			break
		}
		content, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		defer content.Close()
		if err := s.note(r, "download", journal.Filter{Rule: f.Rule, FileID: f.ID}.Subject()); err != nil {
			s.fail(w, r, err)
			return
		}
		s.c.Log.Info("a file was downloaded", "file", filepath.Base(path), "rule", f.Rule, "who", who(r))
		name := filepath.Base(path)
		if name[0] == '.' {
			name = f.Name + name
		}
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Time{}, content)
		return
	}
	s.fail(w, r, errNoFile)
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
	name, err := s.takeUpload(r)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		err = refused(fmt.Sprintf("the file is larger than %d MB: drop it into the rule's folder instead", maxUpload>>20))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.c.Log.Info("a file was uploaded", "file", name, "who", who(r))
	http.Redirect(w, r, Prefix+"files?did=upload", http.StatusSeeOther)
}

func (s *Console) takeUpload(r *http.Request) (name string, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return "", refused("the form could not be read")
	}
	rule := ""
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return "", refused("choose a file first")
		}
		if err != nil {
			return "", fmt.Errorf("read the upload: %w", err)
		}
		switch part.FormName() {
		case "rule":
			text, err := io.ReadAll(io.LimitReader(part, 1000))
			if err != nil {
				return "", fmt.Errorf("read the upload: %w", err)
			}
			rule = string(text)
		case "file":
			if part.FileName() == "" {
				return "", refused("choose a file first")
			}
			if rule == "" {
				return "", refused("the form names no rule")
			}
			id, err := s.c.Running.Upload(r.Context(), rule, part.FileName(), part)
			if err != nil {
				return "", err
			}
			// The file is taken, whatever comes of the entry.
			if err := s.note(r, "upload", journal.Filter{Rule: rule, FileID: id}.Subject()); err != nil {
				s.c.Log.Error("an upload is missing in the audit trail", "rule", rule, "who", who(r), "error", err)
			}
			return part.FileName(), nil
		}
	}
}
