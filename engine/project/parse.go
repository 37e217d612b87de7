package project

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
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

func (p *parser) config(c *Config, root *yamlnode.Node) {
	for _, pair := range root.Pairs() {
		v := pair.Value
		switch pair.Key.Value {
		case "project":
			c.Project = v.Value
		case "servers":
			for _, s := range v.Pairs() {
				c.Servers = append(c.Servers, p.server(s.Key, s.Value))
			}
			p.defaults(c, v)
		case "store":
			c.Store = p.store(v)
		case "listen":
			c.Listen = p.listen(v)
		case "webhook_auth":
			c.WebhookAuth = p.auth("webhook_auth", v)
		case "console_auth":
			if c.Console = p.auth("console_auth", v); !c.Console.Username.IsSet() && !p.findings.HasErrors() {
				p.report(v, "bad-auth", "people log in to the console with a name and a password",
					"console_auth: {basic: {username: admin, password: ${CONSOLE_PASSWORD}}}, or console_users:, or `culvert user "+
						"add`")
			}
		case "console_users":
			for _, u := range v.Pairs() {
				c.ConsoleUsers = append(c.ConsoleUsers, ConsoleUser{
					Name: u.Key.Value, Password: p.secret("console_users."+u.Key.Value+".password", u.Value.Get("password")),
					Role: u.Value.Get("role").Value,
				})
			}
		case "console_oidc":
			c.OIDC = p.oidc(v)
		case "sync":
			c.SyncEvery = p.duration(v.Get("every"))
		case "retention":
			c.Retention = Retention{
				Payloads:  p.duration(v.Get("payloads")),
				Delivered: p.duration(v.Get("delivered")),
				Failed:    p.duration(v.Get("failed")),
			}
		case "language":
			c.Language, _ = language.Find(v.Value)
		case "time_zone":
			c.Zone = p.zone(v)
		case "state":
			c.StateDir = v.Value
		case "encryption_key":
			if c.Encryption != nil {
				p.report(v, "two-keys", "encryption_key and encryption_keys are both given",
					"write all keys in encryption_keys, the newest first")
				break
			}
			t := p.secret("encryption_key", v)
			c.Encryption = &t
		case "encryption_keys":
			p.encryptionKeys(c, v)
		case "connections":
			for _, s := range v.Pairs() {
				c.Connections = append(c.Connections, p.connection(s.Key, s.Value))
			}
		case "missing":
			if v.Kind == yamlnode.Scalar {
				c.Missing = []string{v.Value}
			}
			for _, word := range v.Items() {
				c.Missing = append(c.Missing, word.Value)
			}
		case "trusted_proxies":
			c.Proxies = p.networks(v)
		case "max_backlog":
			c.MaxBacklog = p.integer(v)
		}
	}
	if n := root.Get("notify"); n != nil { // it names servers
		c.Notify = p.notify(c, n)
	}
	p.consoleAddress(c, root.Key("console_oidc"))
	if !c.Store.IsSet() {
		c.Store = Text{raw: "sqlite:" + c.StateDir + "/culvert.db", key: "store"}
	}
	if !c.Listen.IsSet() {
		c.Listen = Text{raw: "127.0.0.1:8080", key: "listen"}
	}
}

// store reads where the journal lies.
func (p *parser) store(n *yamlnode.Node) Text {
	t := p.secretURL("store", n)
	kind, _, _ := strings.Cut(t.raw, ":")
	if t.Literal() && kind != "sqlite" && kind != "postgres" && kind != "postgresql" {
		p.report(n, "bad-value", "this is no store", "write sqlite:state/culvert.db, or postgres://user@host/database")
	}
	return t
}

// listen reads where the web server listens.
func (p *parser) listen(n *yamlnode.Node) Text {
	t := p.text("listen", n)
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

func (p *parser) server(key, n *yamlnode.Node) Server {
	s := Server{Name: key.Value, Place: key.Place()}
	at := "servers." + key.Value + "."
	for _, pair := range n.Pairs() {
		v := pair.Value
		switch pair.Key.Value {
		case "url":
			s.URL = p.url(at+"url", v)
		case "username":
			s.Username = p.text(at+"username", v)
		case "password":
			s.Password = p.secret(at+"password", v)
		case "token":
			s.Token = p.secret(at+"token", v)
		case "bearer":
			s.Bearer = p.secret(at+"bearer", v)
		case "default":
			s.Default = v.Value == "true"
		case "ca_file":
			s.CAFile = p.authorities(v)
		case "proxy":
			s.Proxy = p.text(at+"proxy", v)
		case "limits":
			s.Limits = p.limits(v)
		case "import":
			s.Import = ImportOptions{
				SkipRuleEngine:        v.Get("skip_rule_engine").IsTrue(),
				SkipSideEffects:       v.Get("skip_side_effects").IsTrue(),
				SkipPatternValidation: v.Get("skip_pattern_validation").IsTrue(),
				Async:                 v.Get("async").IsTrue(),
			}
		case "analytics":
			s.Analytics = p.analytics(v)
		}
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

func (p *parser) limits(n *yamlnode.Node) Limits {
	l := Limits{Timeout: p.duration(n.Get("timeout"))}
	if v := n.Get("requests_per_second"); v != nil {
		f, err := strconv.ParseFloat(v.Value, 64)
		if err != nil || f <= 0 {
			p.report(v, "bad-number", "requests_per_second must be a number above 0",
				"for instance 10, or 0.5 for one every two seconds")
		}
		l.RequestsPerSecond = f
	}
	l.Concurrency = p.integer(n.Get("concurrency"))
	l.BatchMin = p.integer(n.Get("batch_min"))
	l.BatchMax = p.integer(n.Get("batch_max"))
	if v := n.Get("window"); v != nil {
		l.Window = v.Value
		if _, err := ParseWindow(v.Value); err != nil {
			p.report(v, "bad-window", err.Error(), `write it as "18:00-06:00", in the project's time zone`)
		}
	}
	return l
}

// minAnalyticsAfter keeps pauses between two batches from being taken for the end of a load.
const minAnalyticsAfter = time.Minute

// analytics reads when the analytics tables of a server are made anew.
func (p *parser) analytics(n *yamlnode.Node) *Analytics {
	a := &Analytics{After: 15 * time.Minute, AtMostEvery: 24 * time.Hour, LastYears: p.integer(n.Get("last_years"))}
	for key, d := range map[string]*time.Duration{"after": &a.After, "at_most_every": &a.AtMostEvery} {
		v := n.Get(key)
		if v == nil {
			continue
		}
		if *d = p.duration(v); *d < minAnalyticsAfter {
			p.report(v, "bad-duration", fmt.Sprintf("%s of analytics is shorter than a minute", key),
				"DHIS2 works on its analytics tables for minutes to hours: write for instance `after: 15m` and "+
					"`at_most_every: 24h`")
		}
	}
	return a
}

// ReadConfig reads culvert.yaml of a project folder. The error is for a file that cannot be read at all.
func ReadConfig(dir string) (*Config, []byte, diag.List, error) {
	path := filepath.Join(dir, ConfigFile)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil, nil, fmt.Errorf("there is no %s in %s: run culvert in the project's folder, name it with -C, or "+
			"make one with `culvert init`", ConfigFile, show(dir))
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read %s: %w", path, err)
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
