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
	kind := sources.Named(l.Sources, out.Trigger.Kind)
	k, ok := kind.(sources.Hosting)
	if !ok || out.Trigger.Config == nil {
		return
	}
	k.CheckFiles(out.Rule, hostedFiles{p}, func(d diag.Diagnostic) { out.Hosted.Add(d) })
	forms, auth := out.Trigger.Config.Get("forms"), p.Config.WebhookAuth
	i, ok := kind.(sources.Inheriting)
	if forms != nil && ok && i.Inherits(&out.Trigger) && auth != nil && !auth.None && !auth.Username.IsSet() {
		out.Hosted.Add(diag.Diagnostic{Severity: diag.Error, Problem: diag.Problem{Place: forms.Place(), Code: "forms",
			Message: "phones log in with a name and a password, and webhook_auth in culvert.yaml asks for something else",
			Hint:    "write auth: {basic: {username: phones, password: \"${PHONES_PASSWORD}\"}} in this trigger"}})
	}
}
