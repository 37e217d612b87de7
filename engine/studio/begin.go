package studio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/scaffold"
	"github.com/culvert/culvert/engine/scaffold/form"
	"github.com/culvert/culvert/rules"
)

// beginData is what the page shows on which a rule is begun.
type beginData struct {
	Problem string
	Targets []target
	Samples []string
	Forms   []string
	Tools   []form.Tool
	Ways    []way

	Name, Target, Sample, Form, FormName, Tool, Address, Way string // as they were chosen
}

// way is how the records of a rule may come, from a connection of the project where it needs one.
type way struct{ Value, Name, Doc string }

// ways lists them: a kind that needs a connection once for each that the project has.
func ways(all []scaffold.Way, connections []project.Connection) (list []way) {
	for _, w := range all {
		found := false
		for _, c := range connections {
			if w.Connection != "" && w.Connection == c.Kind {
				list = append(list, way{Value: w.Name + "/" + c.Name, Name: w.Name + ": " + c.Name, Doc: w.Doc})
				found = true
			}
		}
		if !found {
			list = append(list, way{Value: w.Name, Name: w.Name, Doc: w.Doc})
		}
	}
	return list
}

// target is something that a rule may write to.
type target struct {
	Value, Server, Name string
	Stages              []target
}

// targets lists the programs with their stages, and the data sets, of all servers.
func targets(p *project.Project) []target {
	var out []target
	for _, server := range p.Config.Servers {
		x := p.Indexes[server.Name]
		if x == nil {
			continue
		}
		for i := range x.Snapshot.Programs {
			program := &x.Snapshot.Programs[i]
			t := target{Value: path.Join(server.Name, "program", program.ID), Server: server.Name, Name: program.Name}
			for _, stage := range program.Stages {
				t.Stages = append(t.Stages, target{Value: path.Join(t.Value, stage.ID), Name: stage.Name})
			}
			out = append(out, t)
		}
		for i := range x.Snapshot.DataSets {
			d := &x.Snapshot.DataSets[i]
			out = append(out, target{Value: path.Join(server.Name, "set", d.ID), Server: server.Name, Name: d.Name})
		}
	}
	return out
}

// begin is the page on which a rule is begun.
func (s *Studio) begin(r *http.Request) (view, error) {
	d, err := s.beginning(r)
	return view{Title: "A new rule", Page: "begin", Data: d}, err
}

func (s *Studio) beginning(r *http.Request) (beginData, error) {
	d := beginData{Forms: s.formFiles(), Tools: form.Tools}
	entries, err := fs.ReadDir(s.root.FS(), samplesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d, fmt.Errorf("list the samples: %w", err)
	}
	for _, e := range entries {
		if name := path.Join(samplesDir, e.Name()); e.Type().IsRegular() && sampleName(name) == nil &&
			len(d.Samples) < maxSamples {
			d.Samples = append(d.Samples, name)
		}
	}
	err = s.local.Project(r.Context(), nil, func(p *project.Project) error {
		if p.Config != nil {
			d.Targets, d.Ways = targets(p), ways(scaffold.Ways(s.c.Loader.Sources), p.Config.Connections)
		}
		return nil
	})
	return d, err
}

// maxUpload bounds the files that a new rule is begun with, in bytes.
const maxUpload = 40 << 20

// beginRule writes a new rule with what was chosen, and shows it; or says what is wrong.
func (s *Studio) beginRule(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	file, err := "", error(answered{text: "the form cannot be read, or its files are larger than 40 MB"})
	if r.ParseMultipartForm(1<<20) == nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }() // temporary files of this request
		file, err = s.newRule(r)
	}
	if err == nil {
		http.Redirect(w, r, "/rule/"+escapePath(file), http.StatusSeeOther)
		return
	}
	s.page(func(r *http.Request) (view, error) {
		d, failed := s.beginning(r)
		if failed != nil {
			return view{}, failed
		}
		d.Problem = s.languageOf(r).Text(err.Error())
		d.Name, d.Target, d.Address = r.PostFormValue("name"), r.PostFormValue("target"), r.PostFormValue("address")
		d.Sample, d.Form, d.Tool = r.PostFormValue("sample"), r.PostFormValue("form"), r.PostFormValue("tool")
		d.FormName, d.Way = r.PostFormValue("form_name"), r.PostFormValue("way")
		return view{Title: "A new rule", Page: "begin", Status: http.StatusUnprocessableEntity, Data: d}, nil
	})(w, r)
}

// samplesDir is where a project keeps its samples.
const samplesDir = "samples"

var ruleName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,99}$`)

// newRule writes the file of a new rule, with its sample and its form. It gives the rule's file.
func (s *Studio) newRule(r *http.Request) (file string, err error) {
	q := scaffold.Request{Name: strings.TrimSpace(r.PostFormValue("name"))}
	if !ruleName.MatchString(q.Name) {
		return "", fmt.Errorf("%q cannot be a rule's name: small letters, digits and dashes, a letter first", q.Name)
	}
	file = path.Join(project.RulesDir, q.Name+".yaml")
	for _, name := range []string{file, scaffold.ColumnsFile(q.Name)} {
		if _, err := s.root.Lstat(filepath.FromSlash(name)); err == nil {
			return "", fmt.Errorf("%s is there already: choose another name for the rule", name)
		}
	}
	var wrote []string // files that are here for this rule alone
	defer func() {
		for _, name := range wrote {
			if err != nil {
				_ = s.root.Remove(filepath.FromSlash(name)) // it stays beside then, and is nobody's
			}
		}
	}()
	formFile, fresh, err := s.chosen(r, "form", formsDir, formTypes)
	if fresh {
		wrote = append(wrote, formFile)
	}
	if err != nil {
		return "", err
	}
	if q.Sample, fresh, err = s.chosen(r, "sample", samplesDir, sampleTypes); fresh {
		wrote = append(wrote, q.Sample)
	}
	if err != nil {
		return "", err
	}
	if err := triggered(&q, scaffold.Ways(s.c.Loader.Sources), r.PostFormValue("way"),
		strings.TrimSpace(r.PostFormValue("address"))); err != nil {
		return "", err
	}
	if q.Sample != "" {
		if q.Bodies, err = s.c.Loader.Sample(s.c.Dir, &rules.Trigger{Kind: q.Trigger}, q.Sample); err != nil {
			return "", err
		}
	}
	if formFile != "" {
		name := strings.TrimSpace(r.PostFormValue("form_name"))
		if name == "" && len(q.Bodies) > 0 {
			name = xmlnsOf(q.Bodies[0])
		}
		if q.Form, err = s.parseForm(formFile, name); err != nil {
			return "", err
		}
	}
	if q.Sample == "" {
		if q.Sample, err = s.madeSample(&q, form.Tool(r.PostFormValue("tool"))); err != nil {
			return "", err
		}
		wrote = append(wrote, q.Sample)
		if q.Bodies, err = s.c.Loader.Sample(s.c.Dir, &rules.Trigger{Kind: q.Trigger}, q.Sample); err != nil {
			return "", err
		}
	}
	var draft scaffold.Draft
	err = s.local.Project(r.Context(), nil, func(p *project.Project) error {
		if err := aim(p, &q, r.PostFormValue("target")); err != nil {
			return err
		}
		draft, err = scaffold.Rule(q)
		return err
	})
	if err != nil {
		return "", err
	}
	if draft.Columns != nil {
		if err := s.replace(scaffold.ColumnsFile(q.Name), "", draft.Columns); err != nil {
			return "", err
		}
	}
	return file, s.replace(file, "", []byte(s.languageOf(r).Comments(draft.Text)))
}

// triggered says how the records of a new rule come: as it was chosen, else tables by files, and the rest by webhook.
func triggered(q *scaffold.Request, ways []scaffold.Way, chosen, address string) error {
	name, connection, _ := strings.Cut(chosen, "/")
	switch {
	case name == "webhook" || name == "files":
		q.Trigger = name
	case name != "":
		w, err := scaffold.WayNamed(ways, name)
		q.Trigger, q.Way, q.Connection, q.Address = w.Kind, w, connection, address
		return err
	case slices.Contains([]string{".csv", ".tsv", ".xlsx", ".ods", ".txt"}, path.Ext(q.Sample)) ||
		address != "" && !strings.HasPrefix(address, "/"):
		q.Trigger = "files"
	default:
		q.Trigger = "webhook"
	}
	q.Address = map[string]string{"webhook": "/" + q.Name, "files": "drop/" + q.Name}[q.Trigger]
	if address != "" {
		q.Address = address
	}
	return nil
}

// aim resolves what a new rule writes to.
func aim(p *project.Project, q *scaffold.Request, chosen string) error {
	parts := strings.Split(chosen, "/")
	if len(parts) < 3 || p.Indexes[parts[0]] == nil {
		return errors.New("choose the program, stage or data set that the rule writes to")
	}
	q.Index = p.Indexes[parts[0]]
	if parts[1] == "set" {
		q.DataSet = q.Index.DataSetByID(parts[2])
	} else if q.Program = q.Index.ProgramByID(parts[2]); q.Program != nil && len(parts) > 3 {
		q.Stage, _ = q.Index.StageByID(parts[3])
	}
	if q.DataSet == nil && q.Program == nil {
		return errors.New("choose the program, stage or data set that the rule writes to")
	}
	return nil
}

// chosen gives a file of the project that was chosen, or writes the one that came with the request.
func (s *Studio) chosen(r *http.Request, what, folder string, types []string) (name string, fresh bool, err error) {
	upload, header, err := r.FormFile(what + "_file")
	if errors.Is(err, http.ErrMissingFile) {
		name := r.PostFormValue(what)
		if name != "" && (path.Dir(name) != folder || !slices.Contains(types, path.Ext(name)) || sampleName(name) != nil) {
			return "", false, fmt.Errorf("%q is no file of %s/", name, folder)
		}
		return name, false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read the file: %w", err)
	}
	defer upload.Close()
	base := path.Base(strings.ReplaceAll(header.Filename, `\`, "/"))
	name = path.Join(folder, base)
	if !slices.Contains(types, path.Ext(name)) || sampleName(name) != nil {
		return "", false, fmt.Errorf("%q is not taken here: its name must end with one of %s", base, strings.Join(types, " "))
	}
	text, err := io.ReadAll(upload)
	if err != nil {
		return "", false, fmt.Errorf("read the file: %w", err)
	}
	if old, err := fs.ReadFile(s.root.FS(), name); err == nil {
		if string(old) != string(text) {
			return "", false, fmt.Errorf(
				"%s is there already and says something else: rename your file, or choose that one",
				name,
			)
		}
		return name, false, nil
	}
	if err := s.root.MkdirAll(folder, 0o755); err != nil {
		return "", false, fmt.Errorf("make the folder of %s: %w", name, err)
	}
	return name, true, s.put(filepath.FromSlash(name), 0o644, text)
}

// madeSample writes a sample that the form would make.
func (s *Studio) madeSample(q *scaffold.Request, tool form.Tool) (string, error) {
	if q.Form == nil {
		return "", errors.New("give a sample, or the definition of the form, from which one is made")
	}
	if q.Form.Tool != "" {
		tool = q.Form.Tool
	}
	if !slices.Contains(form.Tools, tool) {
		return "", errors.New("the form does not say who sends it, which decides where answers stand: choose the tool, or " +
			"give a sample")
	}
	text, err := json.MarshalIndent(q.Form.Sample(tool), "", "  ")
	if err != nil {
		return "", fmt.Errorf("write the sample: %w", err)
	}
	q.Made = true
	name := path.Join(samplesDir, q.Name+".json")
	if err := s.replace(name, "", append(text, '\n')); err != nil {
		return "", fmt.Errorf("%s was not written: %w; choose it as the sample, or another name", name, err)
	}
	return name, nil
}
