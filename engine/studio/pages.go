package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/engine/lsp"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// functions are what the templates may call.
var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		text, err := json.Marshal(v)
		return string(text), err
	},
	"counted":  counted,
	"add":      func(a, b int) int { return a + b },
	"subtract": func(a, b int) int { return a - b },
	"escape":   escapePath,
	"severity": func(s diag.Severity) string { return s.String() },
	"pair":     func(a, b any) []any { return []any{a, b} },
	"id":       func(path []string) string { return "row-" + version([]byte(strings.Join(path, "\x00")))[:12] },
	"below":    below,
}

// counted says how many there are.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func escapePath(file string) string {
	parts := strings.Split(file, "/")
	for i, part := range parts {
		parts[i] = template.URLQueryEscaper(part)
		parts[i] = strings.ReplaceAll(parts[i], "+", "%20")
	}
	return strings.Join(parts, "/")
}

// ruleLine is a rule in the list of all.
type ruleLine struct {
	Name, File, Description, Trigger, Server string
	Actions                                  []string
	Errors, Warnings                         int
}

// overviewData is what the first page shows.
type overviewData struct {
	Rules    []ruleLine
	Findings diag.List // of other files
	Servers  int
}

func (s *Studio) overview(r *http.Request) (view, error) {
	var d overviewData
	if err := s.local.Across(r.Context(), nil); err != nil {
		return view{}, err
	}
	err := s.local.Project(r.Context(), nil, func(p *project.Project) error {
		d.Servers = len(p.Indexes)
		files, err := project.RuleFiles(p.Dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, file := range files {
			d.Rules = append(d.Rules, lineOf(p, file))
		}
		for _, f := range p.Findings {
			if !slices.Contains(files, f.Place.File) {
				d.Findings = append(d.Findings, f)
			}
		}
		return nil
	})
	return view{Title: "Rules", Page: "overview", Data: d}, err
}

func lineOf(p *project.Project, file string) ruleLine {
	l := ruleLine{Name: strings.TrimSuffix(path.Base(file), path.Ext(file)), File: file}
	for _, r := range p.Rules {
		if r.Path != file {
			continue
		}
		l.Name, l.Description, l.Trigger, l.Server = r.Name, r.Description, r.Trigger.Kind, r.Server
		for _, a := range r.Rule.Actions {
			l.Actions = append(l.Actions, a.Kind)
		}
	}
	for _, f := range p.Findings {
		switch {
		case f.Place.File != file:
		case f.Severity == diag.Error:
			l.Errors++
		default:
			l.Warnings++
		}
	}
	return l
}

// sheetData is what the table of a rule is made of.
type sheetData struct {
	File             string
	Sheet            *lsp.Sheet
	Errors, Warnings int
	MapNames         []string
	Collections      []string
}

// ruleData is what the page of a rule shows.
type ruleData struct {
	sheetData
	Version  string
	Samples  []string
	Findings []finding
}

// rule is the page of a rule.
func (s *Studio) rule(r *http.Request) (view, error) {
	file := r.PathValue("file")
	text, err := s.readText(file)
	if err != nil {
		return view{}, err
	}
	q := &question{File: file, Sample: r.URL.Query().Get("sample")}
	q.Record, _ = strconv.Atoi(r.URL.Query().Get("record"))
	if err := sampleName(q.Sample); err != nil {
		return view{}, err
	}
	q.Record = max(q.Record-1, 0)
	if err := s.local.Across(r.Context(), nil); err != nil {
		return view{}, err
	}
	sheet, err := s.sheet(r, q)
	if err != nil {
		return view{}, err
	}
	d := ruleData{sheetData: *sheet, Version: version(text), Findings: findingsOf(sheet.Sheet.Findings, s.languageOf(r))}
	d.Samples = s.samples(sheet.Sheet)
	title := strings.TrimSuffix(path.Base(file), path.Ext(file))
	if sheet.Sheet.Rule != nil && sheet.Sheet.Rule.Name != "" {
		title = sheet.Sheet.Rule.Name
	}
	return view{Title: title, Page: "rule", Data: d}, nil
}

// sheet makes the table of a rule.
func (s *Studio) sheet(r *http.Request, q *question) (*sheetData, error) {
	if _, held := q.Drafts[q.Sample]; q.Sample != "" && !held {
		// A link in the project may lead out of it.
		if _, err := s.root.Stat(filepath.FromSlash(q.Sample)); err != nil {
			return nil, fmt.Errorf("read the sample %s: %w", q.Sample, err)
		}
	}
	sheet, err := s.local.Sheet(r.Context(), q.Drafts, q.File, lsp.Pick{Sample: q.Sample, Record: q.Record,
		Form: s.formOf})
	if err != nil {
		return nil, err
	}
	d := &sheetData{File: q.File, Sheet: sheet}
	for _, f := range sheet.Findings {
		if f.Severity == diag.Error {
			d.Errors++
		} else {
			d.Warnings++
		}
	}
	for _, m := range sheet.Maps {
		d.MapNames = append(d.MapNames, m.Name)
	}
	err = s.local.Project(r.Context(), q.Drafts, func(p *project.Project) error {
		if sheet.Rule == nil {
			return nil
		}
		if x := p.Indexes[sheet.Rule.Server]; x != nil {
			d.Collections = x.Directory().Collections()
		}
		if sheet.Rule.Rule != nil {
			d.MapNames = slices.Sorted(maps.Keys(sheet.Rule.Maps))
			d.MapNames = slices.DeleteFunc(d.MapNames, func(name string) bool { return name == "" })
		}
		return nil
	})
	slices.Sort(d.MapNames)
	d.MapNames = d.MapNames[:min(len(d.MapNames), maxMapNames)]
	return d, err
}

// maxMapNames bounds how many value maps a choice lists.
const maxMapNames = 300

// maxSamples bounds how many files a choice of samples lists.
const maxSamples = 300

// sampleTypes are how files of samples end.
var sampleTypes = []string{".json", ".csv", ".xml", ".xlsx", ".txt", ".ods", ".tsv", ".ndjson"}

// sampleName refuses what is not a file of samples of the project.
func sampleName(name string) error {
	top, _, _ := strings.Cut(name, "/")
	hidden := slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
	if name != "" && (!filepath.IsLocal(filepath.FromSlash(name)) || hidden || top == project.MetadataDir ||
		!slices.Contains(sampleTypes, path.Ext(name))) {
		return fmt.Errorf("%q is not a sample of this project: %w", name, fs.ErrNotExist)
	}
	return nil
}

// samples lists the files that the rule may be tried with: its own, those of its tests, and those beside them.
func (s *Studio) samples(sheet *lsp.Sheet) []string {
	var out []string
	add := func(name string) {
		name = strings.TrimPrefix(name, "./")
		if name != "" && sampleName(name) == nil && !slices.Contains(out, name) && len(out) < maxSamples {
			out = append(out, name)
		}
	}
	add(sheet.Sample.File)
	if sheet.Rule == nil || sheet.Rule.Rule == nil {
		return out
	}
	add(sheet.Rule.Trigger.Sample)
	for _, t := range sheet.Rule.Tests {
		add(t.Given)
	}
	for _, name := range slices.Clone(out) {
		// A folder that cannot be read has no samples to choose.
		entries, _ := fs.ReadDir(s.root.FS(), path.Dir(name))
		for _, e := range entries {
			if e.Type().IsRegular() && path.Ext(e.Name()) == path.Ext(name) {
				add(path.Join(path.Dir(name), e.Name()))
			}
		}
	}
	return out
}
