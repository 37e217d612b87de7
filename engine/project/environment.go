package project

import (
	"fmt"
	"os"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// missingSecret is the code of a secret that a rule or culvert.yaml names and this machine does not have.
const missingSecret = "missing-secret"

// CheckEnvironment looks whether this machine has the variables and files that the rules name, by
// themselves or by way of culvert.yaml, and adds a finding to each rule that lacks one. Without it
// a project is judged as it stands in git, where no secret is.
func (p *Project) CheckEnvironment(kinds []sources.Kind) {
	for _, r := range p.Rules {
		var found diag.List
		p.triggerSecrets(r, &found)
		p.sharedSecrets(r, kinds, &found)
		found.Sort()
		r.Findings.Add(found...)
		p.Findings.Add(found...)
	}
	p.Findings.Sort()
}

// CheckOwnEnvironment adds findings for what culvert.yaml needs for itself: its store, its address, its console.
func (p *Project) CheckOwnEnvironment() {
	c := p.Config
	own := []Text{c.Store, c.Listen}
	if c.Encryption != nil {
		own = append(own, *c.Encryption)
	}
	own = append(own, c.OldKeys...)
	if c.Console != nil {
		own = append(own, c.Console.texts()...)
	}
	for _, u := range c.ConsoleUsers {
		own = append(own, u.Password)
	}
	if c.OIDC != nil {
		own = append(own, c.OIDC.texts()...)
	}
	if c.Tracing != nil {
		own = append(own, c.Tracing.texts()...)
	}
	p.reportOwn(own)
}

// CheckConnections adds findings for what the connections of culvert.yaml need, whoever uses them: a request that a
// rule makes waits for its credentials without holding the rule.
func (p *Project) CheckConnections() {
	var own []Text
	for _, c := range p.Config.Connections {
		own = append(own, c.texts()...)
	}
	p.reportOwn(own)
}

func (p *Project) reportOwn(texts []Text) {
	start := diag.Position{Line: 1, Column: 1}
	place := diag.Place{File: ConfigFile, Range: diag.Range{Start: start, End: start}}
	for _, t := range texts {
		reportUnset(t, place, &p.Findings)
	}
	p.Findings.Sort()
}

// triggerSecrets looks at what stands in the rule's own trigger.
func (p *Project) triggerSecrets(r *Rule, found *diag.List) {
	var look func(n *yamlnode.Node)
	look = func(n *yamlnode.Node) {
		if n == nil {
			return
		}
		for _, pair := range n.Pairs() {
			look(pair.Value)
		}
		for _, item := range n.Items() {
			look(item)
		}
		if n.Kind != yamlnode.Scalar {
			return
		}
		for _, m := range variable.FindAllStringSubmatch(n.Value, -1) {
			if _, ok := os.LookupEnv(m[1]); !ok {
				reportMissing(fmt.Sprintf("the environment variable %s is not set", m[1]), n.Place(), found)
			}
		}
	}
	look(r.Trigger.Config)
}

// sharedSecrets looks at what the rule uses of culvert.yaml: its server, its connections, and how webhooks are let in.
func (p *Project) sharedSecrets(r *Rule, kinds []sources.Kind, found *diag.List) {
	for _, name := range r.Servers(p.Config) {
		if s := p.Config.ServerNamed(name); s != nil {
			for _, t := range s.texts() {
				reportUnset(t, r.ServerPlace(), found)
			}
		}
	}
	for _, l := range r.Lookups {
		if at, _ := lookupConnection(l); at != nil {
			p.connectionSecrets([]*yamlnode.Node{at}, found)
		}
	}
	for _, k := range kinds {
		if k.Name() != r.Trigger.Kind || r.Trigger.Config == nil {
			continue
		}
		if connected, ok := k.(sources.Connected); ok {
			p.connectionSecrets(connected.Connections(&r.Trigger), found)
		}
		if i, ok := k.(sources.Inheriting); ok && i.Inherits(&r.Trigger) && p.Config.WebhookAuth != nil {
			for _, t := range p.Config.WebhookAuth.texts() {
				reportUnset(t, r.Trigger.Place, found)
			}
		}
	}
}

func (p *Project) connectionSecrets(named []*yamlnode.Node, found *diag.List) {
	for _, n := range named {
		if n == nil || n.Kind != yamlnode.Scalar {
			continue
		}
		if c := p.Config.ConnectionNamed(n.Value); c != nil {
			for _, t := range c.texts() {
				reportUnset(t, n.Place(), found)
			}
		}
	}
}

// texts lists the values of an auth that may be secrets.
func (a *Auth) texts() []Text {
	return []Text{a.Username, a.Password, a.Bearer, a.HMACSecret, a.APIKey}
}

func reportUnset(t Text, place diag.Place, found *diag.List) {
	if !t.IsSet() {
		return
	}
	if _, err := t.Resolve(); err != nil {
		reportMissing(err.Error(), place, found)
	}
}

func reportMissing(message string, place diag.Place, found *diag.List) {
	found.Add(diag.Diagnostic{Problem: diag.Problem{
		Code: missingSecret, Message: message, Place: place,
		Hint: "set it where `culvert run` is started (for a service: in its unit or environment file); the other rules " +
			"run meanwhile",
	}})
}
