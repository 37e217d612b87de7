package project

import (
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/openrosa"
)

// hostedFiles are the files of a project as it is read: from the disk, or as an editor holds them.
type hostedFiles struct{ p *Project }

// Read implements sources.Files.
func (f hostedFiles) Read(name string) ([]byte, error) { return f.p.read(name) }

// List implements sources.Files.
func (f hostedFiles) List(folder string) []string { return openrosa.List(f.p.Dir, folder) }

// checkHosted notes what is wrong with the files that a rule's trigger hands out.
func (l *Loader) checkHosted(p *Project, out *Rule) {
	if k, ok := sources.Named(l.Sources, out.Trigger.Kind).(sources.Hosting); ok && out.Trigger.Config != nil {
		k.CheckFiles(out.Rule, hostedFiles{p}, func(d diag.Diagnostic) { out.Hosted.Add(d) })
	}
}
