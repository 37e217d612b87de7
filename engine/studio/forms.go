package studio

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/culvert/culvert/engine/scaffold/form"
)

// formsDir is where a project keeps the definitions of its forms.
const formsDir = "forms"

// formTypes are how files of forms end.
var formTypes = []string{".xlsx", ".xml", ".json"}

// maxForms bounds how many definitions are looked through.
const maxForms = 50

// knownForm is a definition as it was read.
type knownForm struct {
	stat string
	form *form.Form // nil: it cannot be read
}

// formFiles lists the definitions of forms.
func (s *Studio) formFiles() []string {
	entries, err := fs.ReadDir(s.root.FS(), formsDir)
	if err != nil {
		return nil // most projects have none
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && slices.Contains(formTypes, path.Ext(e.Name())) && len(out) < maxForms {
			out = append(out, path.Join(formsDir, e.Name()))
		}
	}
	return out
}

// formOf gives the form that a record came from: the one that has the most of its fields.
func (s *Studio) formOf(record any) *form.Form {
	leaves := leavesOf(nil, record, nil)
	var best *form.Form
	most := 0
	for _, name := range s.formFiles() {
		f := s.readForm(name, xmlnsOf(record))
		if f == nil {
			continue
		}
		n := 0
		for _, at := range leaves {
			if f.Find(at) != nil {
				n++
			}
		}
		if n > most {
			best, most = f, n
		}
	}
	return best
}

// readForm reads a definition, once as long as it stays as it is. An app of several forms has the one of an xmlns.
func (s *Studio) readForm(name, xmlns string) *form.Form {
	info, err := s.root.Stat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	stat := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	key := name + "\x00" + xmlns
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.forms[key]; ok && known.stat == stat {
		return known.form
	}
	f, err := s.parseForm(name, xmlns)
	if err != nil {
		s.c.Log.Info("a form cannot be read", "file", name, "error", err)
	}
	if s.forms == nil || len(s.forms) > 4*maxForms {
		s.forms = map[string]knownForm{}
	}
	s.forms[key] = knownForm{stat, f}
	return f
}

// maxForm bounds the file of a form, in bytes.
const maxForm = 32 << 20

func (s *Studio) parseForm(name, xmlns string) (*form.Form, error) {
	file, err := s.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read the form %s: %w", name, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxForm+1))
	if err != nil {
		return nil, fmt.Errorf("read the form %s: %w", name, err)
	}
	f, err := form.Read(path.Base(name), data, "")
	if err != nil && xmlns != "" {
		return form.Read(path.Base(name), data, xmlns)
	}
	return f, err
}

// xmlnsOf gives the name that CommCare has for the form of a record.
func xmlnsOf(record any) string {
	body, _ := record.(map[string]any)
	inner, _ := body["form"].(map[string]any)
	name, _ := inner["@xmlns"].(string)
	return name
}

// maxLeaves bounds the fields of a record that are compared with a form.
const maxLeaves = 2000

// leavesOf lists the paths of a record's fields; of a list those of its first item.
func leavesOf(out [][]string, v any, at []string) [][]string {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if len(out) < maxLeaves && len(at) < 20 {
				out = leavesOf(out, value, append(slices.Clip(at), name))
			}
		}
		return out
	case []any:
		if len(v) > 0 {
			return leavesOf(out, v[0], at)
		}
		return out
	}
	return append(out, at)
}
