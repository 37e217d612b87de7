package project

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/window"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/schemas"
)

// ParseConfig reads culvert.yaml. The findings say what is wrong; the config holds what could be read.
func ParseConfig(dir, path string, text []byte) (*Config, diag.List) {
	p := &parser{dir: dir}
	c := &Config{StateDir: "state", Zone: time.UTC}
	doc := yamlnode.Parse(path, text, &p.findings)
	if doc == nil || p.findings.HasErrors() {
		return c, p.findings
	}
	if doc.Root == nil {
		p.findings.Add(diag.Diagnostic{Problem: diag.Problem{
			Code: "empty-file", Message: "culvert.yaml is empty",
			Hint: "write at least `project:` and `servers:`, or run `culvert init`",
			Place: diag.Place{File: path, Range: diag.Range{Start: diag.Position{Line: 1, Column: 1},
				End: diag.Position{Line: 1, Column: 2}}},
		}})
		return c, p.findings
	}
	schemas.Check(doc, schemas.Config, &p.findings)
	if !p.findings.HasErrors() {
		p.config(c, doc.Root)
	}
	return c, p.findings
}

type parser struct {
	dir      string
	findings diag.List
}

func (p *parser) report(n *yamlnode.Node, code, message, hint string) {
	p.findings.Add(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: n.Place()}})
}

// config reads the file by what configKeys declares.
func (p *parser) config(c *Config, root *yamlnode.Node) {
	r := settings.Read(root, configKeys(), root.Place(), func(d diag.Diagnostic) { p.findings.Add(d) })
	c.Project = r.Text("project")
	for name, s := range r.Named("servers") {
		c.Servers = append(c.Servers, p.server(name, s))
	}
	p.defaults(c, r.Node("servers"))
	if state := r.Text("state"); state != "" {
		c.StateDir = state
	}
	if c.Store = p.store(r); !c.Store.IsSet() {
		c.Store = Text{raw: "sqlite:" + c.StateDir + "/culvert.db", key: "store"}
	}
	if c.Listen = p.listen(r); !c.Listen.IsSet() {
		c.Listen = Text{raw: "127.0.0.1:8080", key: "listen"}
	}
	p.people(c, r)
	sync, _ := r.Sub("sync")
	c.SyncEvery = sync.Duration("every")
	kept, _ := r.Sub("retention")
	c.Retention = Retention{Payloads: kept.Duration("payloads"), Delivered: kept.Duration("delivered"),
		Failed: kept.Duration("failed")}
	if n := r.Node("language"); n != nil {
		c.Language, c.Speaks = language.Find(r.Word("language"))
	}
	c.Zone = p.zone(r)
	p.encryptionKeys(c, r)
	for name, s := range r.Named("connections") {
		c.Connections = append(c.Connections, p.connection(name, s.Config))
	}
	c.Missing = r.Texts("missing")
	c.Proxies = p.networks(r.List("trusted_proxies"))
	c.PublicURL = p.publicURL(r)
	c.MaxBacklog = r.Whole("max_backlog")
	if t, ok := r.Sub("tracing"); ok {
		c.Tracing = p.tracing(t)
	}
	if n, ok := r.Sub("notify"); ok { // it names servers
		c.Notify = p.notify(c, n)
	}
	p.consoleAddress(c, root.Key("console_oidc"))
}

// publicURL reads the address under which others reach the project.
func (p *parser) publicURL(r settings.Reader) Text {
	n, t := r.Node("public_url"), p.value(r, "public_url")
	if !t.Literal() {
		return t
	}
	u, err := url.Parse(n.Value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" ||
		u.Fragment != "" {
		p.report(n, "bad-value", fmt.Sprintf("%q is no address of this Culvert", n.Value),
			"write public_url: https://culvert.example.org")
	}
	return t
}

// people reads who may call webhooks and who may log in to the console.
func (p *parser) people(c *Config, r settings.Reader) {
	if auth, ok := r.Sub("webhook_auth"); ok {
		c.WebhookAuth = p.auth(auth)
	}
	if auth, ok := r.Sub("console_auth"); ok {
		if c.Console = p.auth(auth); !c.Console.Username.IsSet() && !p.findings.HasErrors() {
			p.report(auth.Config, "bad-auth", "people log in to the console with a name and a password",
				"console_auth: {basic: {username: admin, password: ${CONSOLE_PASSWORD}}}, or console_users:, or `culvert user "+
					"add`")
		}
	}
	for name, u := range r.Named("console_users") {
		c.ConsoleUsers = append(c.ConsoleUsers, ConsoleUser{Name: name.Value, Password: p.secretOf(u, "password"),
			Role: u.Word("role")})
	}
	if o, ok := r.Sub("console_oidc"); ok {
		c.OIDC = p.oidc(o)
	}
}

// store reads where the journal lies.
func (p *parser) store(r settings.Reader) Text {
	n := r.Node("store")
	t := p.secretURL("store", n)
	kind, _, _ := strings.Cut(t.raw, ":")
	if t.Literal() && kind != "sqlite" && kind != "postgres" && kind != "postgresql" {
		p.report(n, "bad-value", "this is no store", "write sqlite:state/culvert.db, or postgres://user@host/database")
	}
	return t
}

// listen reads where the web server listens.
func (p *parser) listen(r settings.Reader) Text {
	n := r.Node("listen")
	t := p.value(r, "listen")
	if !t.Literal() {
		return t
	}
	_, port, err := net.SplitHostPort(t.raw)
	if number, perr := strconv.Atoi(port); err != nil || perr != nil || number < 0 || number > 65535 {
		p.report(n, "bad-value", fmt.Sprintf("%q is no address to listen on", t.raw),
			"write the machine's address and a port, such as 127.0.0.1:8080, or 0.0.0.0:8080 for all of its addresses")
	}
	return t
}

// defaults checks that exactly one server is the default one.
func (p *parser) defaults(c *Config, servers *yamlnode.Node) {
	var first *Server
	for i := range c.Servers {
		s := &c.Servers[i]
		if !s.Default {
			continue
		}
		if first != nil {
			p.findings.Add(diag.Diagnostic{
				Problem: diag.Problem{Code: "two-defaults",
					Message: fmt.Sprintf("servers %q and %q are both the default", first.Name, s.Name),
					Hint:    "keep `default: true` on one of them",
					Place:   s.Place}, Related: []diag.Related{{Place: first.Place, Message: "the other default"}},
			})
			continue
		}
		first = s
	}
	if first == nil && len(c.Servers) > 1 {
		p.report(servers, "no-default", "none of the servers is the default one",
			"add `default: true` to the server that rules use when they name none")
	}
}

func (p *parser) server(key *yamlnode.Node, r settings.Reader) Server {
	s := Server{Name: key.Value, Place: key.Place(), URL: p.url(r, "url"), Username: p.value(r, "username"),
		Password: p.secretOf(r, "password"), Token: p.secretOf(r, "token"), Bearer: p.secretOf(r, "bearer"),
		Default: r.Is("default"), CAFile: p.authorities(r), Proxy: p.value(r, "proxy")}
	if l, ok := r.Sub("limits"); ok {
		s.Limits = p.limits(l)
	}
	if i, ok := r.Sub("import"); ok {
		s.Import = ImportOptions{SkipRuleEngine: i.Is("skip_rule_engine"), SkipSideEffects: i.Is("skip_side_effects"),
			SkipPatternValidation: i.Is("skip_pattern_validation"), Async: i.Is("async")}
	}
	if a, ok := r.Sub("analytics"); ok {
		s.Analytics = p.analytics(a)
	}
	p.credentials(key, s)
	return s
}

// credentials checks that a server has exactly one way to log in.
func (p *parser) credentials(key *yamlnode.Node, s Server) {
	ways := 0
	for _, t := range []Text{s.Token, s.Bearer, s.Username} {
		if t.IsSet() {
			ways++
		}
	}
	switch {
	case ways == 0:
		p.report(key, "no-credentials", fmt.Sprintf("server %q has no credentials", s.Name),
			"give `token: ${NAME}`, or `username:` and `password: ${NAME}`")
	case ways > 1:
		p.report(key, "two-credentials", fmt.Sprintf("server %q has more than one kind of credentials", s.Name),
			"keep one of token, bearer, or username with password")
	case s.Username.IsSet() && !s.Password.IsSet():
		p.report(key, "no-credentials", fmt.Sprintf("server %q has a username but no password", s.Name),
			"add `password: ${NAME}` and set that variable where Culvert runs")
	}
}

func (p *parser) limits(r settings.Reader) Limits {
	l := Limits{Timeout: r.Duration("timeout"), RequestsPerSecond: r.Number("requests_per_second"),
		Concurrency: r.Whole("concurrency"), BatchMin: r.Whole("batch_min"), BatchMax: r.Whole("batch_max"),
		Window: r.Text("window")}
	if l.Window != "" {
		if _, err := window.ParseDaily(l.Window); err != nil {
			p.report(r.Node("window"), "bad-window", err.Error(), `write it as "18:00-06:00", in the project's time zone`)
		}
	}
	return l
}

// minAnalyticsAfter keeps pauses between two batches from being taken for the end of a load.
const minAnalyticsAfter = time.Minute

// analytics reads when the analytics tables of a server are made anew.
func (p *parser) analytics(r settings.Reader) *Analytics {
	a := &Analytics{After: r.Duration("after"), AtMostEvery: r.Duration("at_most_every"), LastYears: r.Whole("last_years")}
	for _, key := range []string{"after", "at_most_every"} {
		if r.Has(key) && r.Duration(key) < minAnalyticsAfter {
			p.report(r.Node(key), "bad-duration", fmt.Sprintf("%s of analytics is shorter than a minute", key),
				"DHIS2 works on its analytics tables for minutes to hours: write for instance `after: 15m` and "+
					"`at_most_every: 24h`")
		}
	}
	return a
}

// ReadConfig reads culvert.yaml of a project folder. The error is for a file that cannot be read at all.
func ReadConfig(dir string) (*Config, []byte, diag.List, error) {
	path := filepath.Join(dir, ConfigFile)
	text, err := ReadPlain(path, ConfigFile)
	if vanished(err) {
		return nil, nil, nil, fmt.Errorf("there is no %s in %s: run culvert in the project's folder, name it with -C, or "+
			"make one with `culvert init`", ConfigFile, show(dir))
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the project in %s: %w", dir, err)
	}
	c, findings := ParseConfig(dir, ConfigFile, text)
	return c, text, findings, nil
}

func show(dir string) string {
	if dir == "" || dir == "." {
		return "this folder"
	}
	return dir
}
