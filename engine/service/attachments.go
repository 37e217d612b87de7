package service

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// findAttachments gives flows what finds the files that their records name.
func findAttachments(p *project.Project, flows map[string]*program.Flow) {
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		root = p.Dir // then the files are looked for from where the program runs
	}
	env := sources.AttachmentEnv{Dir: root, Inbox: Inbox(p.Dir, p.Config), Log: slog.Default(),
		Finished:   p.Finished,
		Connection: func(name string) (sources.Connection, error) { return p.Config.Connection(name, root) }}
	for _, f := range flows {
		if f.Invalid != nil {
			continue
		}
		t := &f.Rule.Trigger
		if k, ok := sources.Named(p.Sources, t.Kind).(sources.Attaching); ok {
			f.Attachments = k.Attachments(f.Rule.Name, t, env)
		}
	}
}

// finished knows where finished files lie: they do not move any more.
type finished struct {
	mu    sync.Mutex
	paths map[string]string
}

// mostFinished is of how many files it is known at once.
const mostFinished = 1000

// of gives the path of a finished file, "" where the journal knows none of the id.
func (f *finished) of(ctx context.Context, j journal.Reader, id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path, ok := f.paths[id]; ok || j == nil {
		return path
	}
	list, err := j.Files(ctx, journal.FileFinished)
	if err != nil {
		return "" // the record fails as one whose file is gone, and can be sent again
	}
	if f.paths == nil || len(f.paths) >= mostFinished {
		f.paths = map[string]string{}
	}
	for _, x := range list {
		if x.ID == id || len(f.paths) < mostFinished {
			f.paths[x.ID] = results.Original(x.Results, x.Name)
		}
	}
	return f.paths[id]
}
