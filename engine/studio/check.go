package studio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"strings"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/engine/lsp"
)

// maxQuestion bounds what a page may send: some texts of files.
const maxQuestion = 8 << 20

// question is what a page asks: what the texts that are not saved come to, once they are changed.
type question struct {
	File   string            `json:"file"`
	Drafts map[string]string `json:"drafts"`
	Edits  []edit            `json:"edits"`
	Sample string            `json:"sample"`
	Record int               `json:"record"`
	Across bool              `json:"across"` // the rules are checked against each other too

	At    *lsp.Position `json:"at"`   // of a completion in the text
	Path  []string      `json:"path"` // of the entry whose value is being typed
	Typed string        `json:"typed"`
	Caret int           `json:"caret"`

	Seq int64 `json:"seq"` // of a record of the journal

	Save map[string]string `json:"save"` // the versions that files had when they were read
}

// answered is a status with what is said.
type answered struct {
	status int
	text   string
}

func (e answered) Error() string { return e.text }

// maxDrafts bounds how many files are edited at once.
const maxDrafts = 20

// answer reads a question and answers it as JSON.
func (s *Studio) answer(do func(*http.Request, *question) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q question
		out, err := any(nil), error(nil)
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			err = answered{http.StatusUnsupportedMediaType, "the question must be JSON"}
		} else if err = json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion)).Decode(&q); err != nil {
			err = answered{http.StatusBadRequest, "the question cannot be read: " + err.Error()}
		} else if err = q.check(); err == nil {
			out, err = do(r, &q)
		}
		status := http.StatusOK
		if err != nil {
			status = http.StatusUnprocessableEntity
			var known answered
			switch {
			case errors.As(err, &known):
				status = known.status
			case errors.Is(err, fs.ErrNotExist):
				status = http.StatusNotFound
			case errors.Is(err, errChanged):
				status = http.StatusConflict
			}
			out = map[string]string{"error": s.languageOf(r).Text(err.Error())}
		}
		text, err := json.Marshal(out)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		if _, err := w.Write(text); err != nil {
			s.c.Log.Debug("answer not read to its end", "path", r.URL.Path, "error", err)
		}
	}
}

// check refuses what no page of ours asks.
func (q *question) check() error {
	if len(q.Drafts) > maxDrafts {
		return answered{http.StatusBadRequest, fmt.Sprintf("more than %d files are edited at once", maxDrafts)}
	}
	for name, text := range q.Drafts {
		if err := editable(name); err != nil {
			return err
		}
		if len(text) > maxText {
			return answered{http.StatusRequestEntityTooLarge, fmt.Sprintf("%s is larger than %d KiB", name, maxText>>10)}
		}
	}
	if err := editable(q.File); err != nil {
		return err
	}
	return sampleName(q.Sample)
}

// checked is what a page is told of its texts.
type checked struct {
	Drafts   map[string]string `json:"drafts,omitempty"`  // texts that the changes changed
	Problem  string            `json:"problem,omitempty"` // why a change was not made
	Sheet    string            `json:"sheet"`             // HTML
	Findings []finding         `json:"findings"`
}

// finding is one in the text of the rule's file.
type finding struct {
	Range    lsp.Range `json:"range"`
	Severity int       `json:"severity"` // 1 error, 2 warning
	Code     string    `json:"code"`
	Message  string    `json:"message"`
}

// change applies the changes of a question to its drafts.
func (s *Studio) change(q *question) (changed map[string]string, err error) {
	drafts := maps.Clone(q.Drafts)
	if drafts == nil {
		drafts = map[string]string{}
	}
	changed = map[string]string{}
	for _, e := range q.Edits {
		name, err := fileOf(e, q.File)
		if err != nil {
			return nil, err
		}
		text, held := drafts[name]
		if !held {
			read, err := s.readText(name)
			if err != nil {
				return nil, err
			}
			text = string(read)
		}
		out, err := apply(name, []byte(text), e)
		if err != nil {
			return nil, err
		}
		if string(out) != text {
			drafts[name], changed[name] = string(out), string(out)
		}
	}
	q.Drafts = drafts
	return changed, nil
}

// check answers what the texts come to, once they are changed.
func (s *Studio) check(r *http.Request, q *question) (any, error) {
	var out checked
	changed, err := s.change(q)
	if err != nil {
		out.Problem = s.languageOf(r).Text(err.Error())
	}
	out.Drafts = changed
	if q.Across {
		if err := s.local.Across(r.Context(), q.Drafts); err != nil {
			return nil, err
		}
	}
	d, err := s.sheet(r, q)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := s.write(&b, r, "rule", "sheet", d); err != nil {
		return nil, err
	}
	out.Sheet, out.Findings = b.String(), findingsOf(d.Sheet.Findings, s.languageOf(r))
	return out, nil
}

// maxFindings bounds the findings that an editor marks.
const maxFindings = 1000

func findingsOf(list []lsp.Found, l *language.Language) []finding {
	out := make([]finding, 0, min(len(list), maxFindings))
	for _, f := range list[:min(len(list), maxFindings)] {
		x := finding{Range: f.Range, Severity: 1 + int(f.Severity), Code: f.Code, Message: l.Text(f.Message)}
		if f.Hint != "" {
			x.Message += "\n" + l.Text(f.Hint)
		}
		out = append(out, x)
	}
	return out
}

// complete proposes what may be written in the text, or in the place of one value.
func (s *Studio) complete(r *http.Request, q *question) (any, error) {
	if q.At != nil {
		list, err := s.local.Complete(r.Context(), q.Drafts, q.File, *q.At)
		return list.In(s.languageOf(r)), err
	}
	if len(q.Path) == 0 || q.Caret < 0 || q.Caret > len(q.Typed) || strings.ContainsAny(q.Typed, "\n\r") {
		return nil, answered{http.StatusBadRequest, "the question does not say where it is typed"}
	}
	q.Edits = []edit{{Do: "text", Path: q.Path, Text: "nil"}}
	if nodeAt(q.File, []byte(q.Drafts[q.File]), q.Path) == nil {
		if _, err := s.change(q); err != nil {
			return nil, err
		}
	}
	list, err := s.local.CompleteValue(r.Context(), q.Drafts, q.File, q.Path, q.Typed, q.Caret)
	return list.In(s.languageOf(r)), err
}

// save writes the texts: all of them, or none when one of the files was changed beside.
func (s *Studio) save(r *http.Request, q *question) (any, error) {
	for name, base := range q.Save {
		if _, ok := q.Drafts[name]; !ok {
			return nil, answered{http.StatusBadRequest, "there is no text for " + name}
		}
		now, err := s.readText(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && base == "":
		case errors.Is(err, fs.ErrNotExist), err == nil && version(now) != base:
			return nil, fmt.Errorf("%s was not saved: %w; load it anew, or copy your text first", name, errChanged)
		case err != nil:
			return nil, err
		}
	}
	saved := map[string]string{}
	for name, base := range q.Save {
		if err := s.replace(name, base, []byte(q.Drafts[name])); err != nil {
			return nil, fmt.Errorf("%s was not saved: %w", name, err)
		}
		saved[name] = version([]byte(q.Drafts[name]))
		s.c.Log.Info("saved", "file", name)
	}
	return map[string]any{"saved": saved}, nil
}
