package service

import (
	"log/slog"
	"path/filepath"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/sources"
)

// findAttachments gives flows what finds the files that their records name.
func findAttachments(p *project.Project, flows map[string]*program.Flow) {
	root, err := filepath.Abs(p.Dir)
	if err != nil {
		root = p.Dir // then the files are looked for from where the program runs
	}
	env := sources.AttachmentEnv{Dir: root, Inbox: Inbox(p.Dir, p.Config), Log: slog.Default(),
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
