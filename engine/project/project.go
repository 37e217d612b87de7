package project

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/openrosa"
)

// Folders of a project.
const (
	RulesDir     = "rules"
	MetadataDir  = "metadata"
	FunctionsDir = "functions"
	FormsDir     = openrosa.Folder // handed out to phones
)

// Project is a project folder as it was read: its config, its rules compiled with their actions, and all findings.
type Project struct {
	Dir      string
	Config   *Config
	Rules    []*Rule                    // in the order of their paths; those with findings too
	Indexes  map[string]*metadata.Index // by server; absent without a snapshot
	Findings diag.List                  // of everything, sorted
	Texts    map[string][]byte          // of every file that findings may point into
	Former   map[string]string          // rules that had another name, by that name; set by who knows what has run
	Sources  []sources.Kind             // the kinds of triggers that exist
	Library  *rules.Library             // functions and value maps that the rules share
	Checked  int                        // rule files looked at, those that could not be read as rules included

	// Finished gives the path of a dropped file that is finished, "" where it is not known; set by who
	// knows the journal.
	Finished func(fileID string) string

	// Lost are files and folders that could not be read, by their names: another program may hold them for a
	// moment. Each has a finding.
	Lost []string

	badDefaults []string // files of defaults that cannot be used
	files       reader
	names       *sync.Map // of the files that were read
}

// lost notes a file that could not be read.
func (p *Project) lost(name string) { p.Lost = append(p.Lost, name) }

// Has tells whether a file of rules is in the project's folder, or may be: in a folder that could not be listed.
func (p *Project) Has(file string) bool {
	_, there := p.Texts[file]
	return there || slices.ContainsFunc(p.Lost, func(name string) bool { return under(name, file) })
}

// reader gives the text of a file of the project by its name in it.
type reader func(name string) ([]byte, error)

// read gives the text of a file: from the disk, or as an editor holds it.
func (p *Project) read(name string) ([]byte, error) {
	if p.names != nil {
		p.names.Store(name, true)
	}
	if p.files != nil {
		return p.files(name)
	}
	return readFile(p.Dir, name)
}

// Reads tells whether the rules read files of a folder that lies beside culvert.yaml, or a file there.
func (p *Project) Reads(top string) bool {
	return slices.ContainsFunc(p.fileNames(), func(name string) bool { return name == top || under(top, name) })
}

// fileNames lists the files that were read, sorted.
func (p *Project) fileNames() []string {
	var names []string
	if p.names != nil {
		p.names.Range(func(name, _ any) bool {
			names = append(names, name.(string))
			return true
		})
	}
	slices.Sort(names)
	return names
}

// Rule is one rule file, compiled.
type Rule struct {
	*rules.Rule
	Server   string
	Actions  []actions.Action // parallel to Rule.Actions; nil entries could not be compiled
	Parts    []Part           // by where the actions write to; none where that is not known
	Findings diag.List
	// Hosted is what is wrong with the files that the trigger hands out: it keeps no record from being taken.
	Hosted diag.List

	unread bool // its file could not be read
}

// Loader reads projects. It keeps the index of a snapshot between loads for as long as the snapshot stays the same.
type Loader struct {
	Now     func() time.Time // nil: the clock
	Sources []sources.Kind
	Actions []ActionMaker // nil: ActionKinds

	mu      sync.Mutex
	indexes map[string]cached
	legacy  atomic.Pointer[[]string]
}

// SetLegacy says which namespaces of records have the ids of the whole project, because they were
// sent under before there were namespaces.
func (l *Loader) SetLegacy(names []string) { l.legacy.Store(&names) }

func (l *Loader) isLegacy(name string) bool {
	names := l.legacy.Load()
	return names != nil && slices.Contains(*names, name)
}

type cached struct {
	stamp [sha256.Size]byte
	index *metadata.Index
}

// Load reads a project. Findings are in the project; the error is for what could not be read at all.
func (l *Loader) Load(ctx context.Context, dir string) (*Project, error) {
	config, text, findings, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	p := &Project{Dir: dir, Config: config, Findings: findings, Sources: l.Sources, Indexes: map[string]*metadata.Index{}}
	p.Texts, p.names = map[string][]byte{ConfigFile: text}, &sync.Map{}
	if findings.HasErrors() {
		p.Findings.Sort()
		return p, nil
	}
	l.snapshots(p)
	if err := l.rules(ctx, p); err != nil {
		return nil, err
	}
	p.Findings.Sort()
	p.readPlaces()
	return p, nil
}

// readPlaces reads the maps, tables and extended files that findings point into, so that their lines can be shown.
func (p *Project) readPlaces() {
	for _, d := range p.Findings {
		if _, ok := p.Texts[d.Place.File]; ok || d.Place.File == "" {
			continue
		}
		// A file that cannot be read has a finding that says so, and is shown without its lines.
		if text, err := p.read(d.Place.File); err == nil {
			p.Texts[d.Place.File] = text
		}
	}
}

// snapshotFile is the file of a snapshot that says of which server it is.
const snapshotFile = "server.json"

// snapshots reads the snapshot of every server; a server without one is left out, its rules say so. In the
// place of one that cannot be read stands what it was when it was read last, and a finding says so.
func (l *Loader) snapshots(p *Project) {
	for _, s := range p.Config.Servers {
		index, err := l.snapshot(filepath.Join(p.Dir, MetadataDir, s.Name))
		if err != nil {
			file := path.Join(MetadataDir, s.Name, snapshotFile)
			p.lost(file)
			start := diag.Position{Line: 1, Column: 1}
			p.Findings.Add(diag.Diagnostic{Problem: diag.Problem{Code: "unreadable-snapshot",
				Message: fmt.Sprintf("the metadata of server %q cannot be read: %v", s.Name, err),
				Place:   diag.Place{File: file, Range: diag.Range{Start: start, End: start}},
				Hint:    fmt.Sprintf("take metadata/%s from git again, or run `culvert sync` to write it anew", s.Name)}})
		}
		if index != nil {
			p.Indexes[s.Name] = index
		}
	}
}

// snapshot gives the index of the snapshot in a folder; nil where there is none. With an error comes what was
// read last, nil if nothing was.
func (l *Loader) snapshot(dir string) (*metadata.Index, error) {
	_, err := os.Stat(filepath.Join(dir, snapshotFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var stamp [sha256.Size]byte
	if err == nil {
		stamp, err = Fingerprint(dir, nil)
	}
	if err == nil {
		var index *metadata.Index
		if index, err = l.index(dir, stamp); err == nil {
			return index, nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.indexes[dir].index, err
}

func (l *Loader) index(dir string, stamp [sha256.Size]byte) (*metadata.Index, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.indexes[dir]; ok && c.stamp == stamp {
		return c.index, nil
	}
	snapshot, err := metadata.Read(dir)
	if err != nil {
		return nil, err
	}
	index := metadata.NewIndex(snapshot)
	if l.indexes == nil {
		l.indexes = map[string]cached{}
	}
	l.indexes[dir] = cached{stamp: stamp, index: index}
	return index, nil
}

func (l *Loader) now() func() time.Time {
	if l.Now != nil {
		return l.Now
	}
	return time.Now
}

func under(folder, file string) bool { return folder == "." || strings.HasPrefix(file, folder+"/") }

// sampleLimit bounds how many records of a sample are looked at.
const sampleLimit = 1000

func (l *Loader) samples(p *Project, t *rules.Trigger) ([]any, error) {
	if t.Sample == "" {
		return nil, nil
	}
	text, err := p.read(t.Sample)
	if err != nil {
		return nil, err
	}
	return l.decodeWith(p.Dir, t, t.Sample, text)
}

// Sample decodes a sample file of the project as the trigger would.
func (l *Loader) Sample(dir string, t *rules.Trigger, file string) ([]any, error) {
	text, err := readFile(dir, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w%s", err, nearFile(dir, file))
	case err != nil:
		return nil, err
	}
	return l.decodeWith(dir, t, file, text)
}

// DraftSample decodes a sample for which no rule is written yet, and says in which row the names of
// its columns stand (1, or lower where a title stands above them).
func (l *Loader) DraftSample(dir, kind, file string) (bodies []any, header int, err error) {
	t := &rules.Trigger{Kind: kind}
	for _, k := range l.Sources {
		guesser, ok := k.(interface {
			HeaderRow(path string, text []byte) int
		})
		if !ok || k.Name() != kind {
			continue
		}
		text, err := readFile(dir, file)
		if err != nil {
			break // Sample says why
		}
		if header = guesser.HeaderRow(file, text); header > 1 {
			var none diag.List
			t.Config = yamlnode.Parse(file, fmt.Appendf(nil, "header: %d", header), &none).Root
		}
	}
	bodies, err = l.Sample(dir, t, file)
	return bodies, max(header, 1), err
}

// Decode decodes the text of a sample as the trigger would, without the files beside it.
func (l *Loader) Decode(t *rules.Trigger, file string, text []byte) ([]any, error) {
	for _, k := range l.Sources {
		if k.Name() == t.Kind {
			return k.Sample(t, file, text, sampleLimit)
		}
	}
	return nil, fmt.Errorf("trigger %q does not exist", t.Kind)
}
