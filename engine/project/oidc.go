package project

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/access/oidc"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

const badOIDC = "bad-oidc"

// texts lists what may come from the environment or from files.
func (o *OIDC) texts() []Text { return []Text{o.Issuer, o.ClientID, o.ClientSecret, o.RedirectURL} }

// oidc reads the identity provider of the console.
func (p *parser) oidc(r settings.Reader) *OIDC {
	o := &OIDC{Name: r.Text("name"), Issuer: p.issuer(r), ClientID: p.value(r, "client_id"),
		ClientSecret: p.secretOf(r, "client_secret"), RedirectURL: p.redirectURL(r),
		Scopes: []string{"openid", "profile", "email"}, Roles: map[string][]string{}, CAFile: p.authorities(r)}
	if r.Has("scopes") {
		o.Scopes = r.Texts("scopes")
	}
	if roles, ok := r.Sub("roles"); ok {
		p.oidcRoles(o, roles)
	}
	return o
}

// oidcRoles reads which values of a claim stand for which role.
func (p *parser) oidcRoles(o *OIDC, r settings.Reader) {
	o.Claim = r.TextOr("claim")
	some := false
	for _, role := range []string{"viewer", "operator", "admin"} {
		for _, item := range r.List(role) {
			if strings.Contains(item.Value, "*") || strings.TrimSpace(item.Value) == "" {
				p.report(item, badOIDC, fmt.Sprintf("%q is no value of the claim: roles are given by whole values", item.Value),
					"name each group, so that nobody comes in by accident")
				continue
			}
			o.Roles[role] = append(o.Roles[role], item.Value)
			some = true
		}
	}
	if !some && !p.findings.HasErrors() {
		p.report(r.Config, badOIDC, "console_oidc gives nobody a role, so that nobody can log in by it",
			"name the groups of the provider: roles: {claim: groups, operator: [culvert-operators]}")
	}
}

// issuer reads the address of a provider. What it says is believed, so it must come by https, except
// from this machine itself.
func (p *parser) issuer(r settings.Reader) Text {
	n, t := r.Node("issuer"), p.value(r, "issuer")
	if !t.Literal() {
		return t
	}
	u, err := url.Parse(t.raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		p.report(n, badOIDC, fmt.Sprintf("%q is no address of an identity provider", t.raw),
			"write it as https://login.example.org/realms/health: the address before /.well-known/openid-configuration")
	case strings.HasSuffix(u.Path, "/.well-known/openid-configuration"):
		p.report(n, badOIDC, "this is where the provider describes itself",
			"leave /.well-known/openid-configuration out")
	case !encrypted(u):
		p.report(n, badOIDC, "the issuer is not an https address: whoever is on the way could let themselves in",
			"it starts with https://")
	case manyTenants(u):
		p.report(n, badOIDC, "this issuer is for the accounts of all organisations", "name your own tenant: "+
			"https://login.microsoftonline.com/TENANT-ID/v2.0")
	}
	return t
}

// encrypted tells whether an address is one by https, or of this machine.
func encrypted(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && oidc.Loopback(u.Hostname())
}

// manyTenants tells whether an issuer is one of Microsoft's that are no single organisation's: their
// tokens name another issuer.
func manyTenants(u *url.URL) bool {
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return strings.EqualFold(u.Hostname(), "login.microsoftonline.com") &&
		slices.Contains([]string{"common", "organizations", "consumers"}, tenant)
}

func (p *parser) redirectURL(r settings.Reader) Text {
	n, t := r.Node("redirect_url"), p.value(r, "redirect_url")
	if !t.Literal() {
		return t
	}
	u, err := url.Parse(t.raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != oidc.CallbackPath || u.RawQuery != "" ||
		u.Fragment != "":
		p.report(n, badOIDC, fmt.Sprintf("%q is not where the console takes people back", t.raw),
			"write https://, the name under which people reach the console, and "+oidc.CallbackPath)
	case !encrypted(u):
		p.report(n, badOIDC, "redirect_url is not an https address: log-ins could be read on their way",
			"it starts with https://")
	}
	return t
}

// consoleAddress finds out where the provider sends people back to when redirect_url does not say
// it: to the console's address that messages name. Without that one, the console must be this
// machine's alone, for what a request says of our address may be made up.
func (p *parser) consoleAddress(c *Config, key *yamlnode.Node) {
	if c.OIDC == nil || c.OIDC.RedirectURL.IsSet() {
		return
	}
	if c.Notify != nil {
		if u, err := url.Parse(c.Notify.Console); err == nil && u.Host != "" && u.User == nil && encrypted(u) {
			back := url.URL{Scheme: u.Scheme, Host: u.Host, Path: oidc.CallbackPath}
			c.OIDC.RedirectURL = Text{raw: back.String(), key: "console_oidc.redirect_url"}
			return
		}
	}
	host, _, err := net.SplitHostPort(c.Listen.raw)
	if err == nil && c.Listen.Literal() && !oidc.Loopback(host) {
		p.report(key, badOIDC, "console_oidc does not say where the provider sends people back to",
			"add redirect_url: https://, the name under which people reach the console, and "+oidc.CallbackPath)
	}
}
