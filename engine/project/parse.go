package project

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
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
		p.findings.Add(diag.Diagnostic{
			Code: "empty-file", Message: "culvert.yaml is empty",
			Hint: "write at least `project:` and `servers:`, or run `culvert init`",
			Place: diag.Place{File: path, Range: diag.Range{Start: diag.Position{Line: 1, Column: 1},
				End: diag.Position{Line: 1, Column: 2}}},
		})
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
	p.findings.Add(diag.Diagnostic{Code: code, Message: message, Hint: hint, Place: n.Place()})
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

// authorities reads the name of a file of certificates. One outside of the project is looked for where it is used.
func (p *parser) authorities(n *yamlnode.Node) string {
	if filepath.IsAbs(n.Value) {
		return n.Value
	}
	if _, err := os.Stat(filepath.Join(p.dir, filepath.FromSlash(n.Value))); errors.Is(err, fs.ErrNotExist) {
		p.report(n, "missing-file", fmt.Sprintf("the file %q does not exist", n.Value),
			"paths count from the folder that holds culvert.yaml")
	}
	return n.Value
}

// networks reads a list of addresses and networks.
func (p *parser) networks(n *yamlnode.Node) (list []netip.Prefix) {
	for _, item := range n.Items() {
		prefix, err := netip.ParsePrefix(item.Value)
		if addr, aerr := netip.ParseAddr(item.Value); err != nil && aerr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			p.report(item, "networks", fmt.Sprintf("%q is no network", item.Value),
				"write an address such as 127.0.0.1, or a network such as 10.0.0.0/8")
			continue
		}
		list = append(list, prefix.Masked())
	}
	return list
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
				Code: "two-defaults", Message: fmt.Sprintf("servers %q and %q are both the default", first.Name, s.Name),
				Hint:  "keep `default: true` on one of them",
				Place: s.Place, Related: []diag.Related{{Place: first.Place, Message: "the other default"}},
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

func (p *parser) url(key string, n *yamlnode.Node) Text {
	t := p.text(key, n)
	if !t.Literal() {
		return t
	}
	u, err := url.Parse(t.raw)
	switch {
	case err != nil || u.Host == "":
		p.report(n, "bad-url", fmt.Sprintf("%q is not the address of a server", t.raw),
			"write it as https://dhis2.example.org/path")
	case u.User != nil:
		p.report(n, "secret-in-file", "the server's address holds credentials",
			"move them to `username:` and `password: ${NAME}`")
	case u.Scheme != "http" && u.Scheme != "https":
		p.report(n, "bad-url", fmt.Sprintf("%q is not an address that DHIS2 answers at", u.Scheme+"://"),
			"it starts with https://")
	}
	return t
}

func (p *parser) text(key string, n *yamlnode.Node) Text {
	if n == nil {
		return Text{}
	}
	if n.Kind == yamlnode.Mapping {
		if f := n.Get("file"); f != nil {
			return Text{file: f.Value, dir: p.dir, key: key}
		}
		p.report(n, "bad-value", key+" is neither text nor {file: path}",
			"write `"+last(key)+": ${NAME}` or `"+last(key)+": {file: path}`")
		return Text{}
	}
	return Text{raw: n.Value, key: key}
}

// secret is a text that must not stand in the file itself.
func (p *parser) secret(key string, n *yamlnode.Node) Text {
	t := p.text(key, n)
	if t.Literal() {
		name := strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(strings.TrimPrefix(key, "servers.")))
		p.report(n, "secret-in-file", key+" stands in the file, where everyone who can read the repository sees it",
			"write `"+last(key)+": ${"+name+"}` and set that variable where Culvert runs, or {file: path}; and change the "+
				"secret, for it is known now")
	}
	return t
}

// encryptionKeys reads the list of keys, the newest first.
func (p *parser) encryptionKeys(c *Config, n *yamlnode.Node) {
	if c.Encryption != nil {
		p.report(n, "two-keys", "encryption_key and encryption_keys are both given",
			"write all keys in encryption_keys, the newest first")
	}
	for i, item := range n.Items() {
		t := p.secret("encryption_keys", item)
		if i == 0 {
			c.Encryption = &t
			continue
		}
		c.OldKeys = append(c.OldKeys, t)
	}
}

func last(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

func (p *parser) integer(n *yamlnode.Node) int {
	if n == nil {
		return 0
	}
	i, err := strconv.Atoi(n.Value)
	if err != nil || i < 0 {
		p.report(n, "bad-number", fmt.Sprintf("%q is not a whole number from 0", n.Value), "write digits only")
	}
	return i
}

func (p *parser) duration(n *yamlnode.Node) time.Duration {
	if n == nil {
		return 0
	}
	d, err := ParseDuration(n.Value)
	if err != nil {
		p.report(n, "bad-duration", err.Error(), "write a number with s, m, h or d: 90s, 30m, 6h, 180d")
	}
	return d
}

func (p *parser) zone(n *yamlnode.Node) *time.Location {
	z, err := time.LoadLocation(n.Value)
	if err != nil {
		p.report(n, "unknown-zone", fmt.Sprintf("%q is not a time zone", n.Value), "use a name such as Africa/Dar_es_Salaam")
		return time.UTC
	}
	return z
}

// ParseDuration reads 90s, 30m, 6h, 30d, and Go's own forms.
func ParseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length of time", s)
	}
	return d, nil
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

// secretURL is an address that may carry a password only through the environment.
func (p *parser) secretURL(key string, n *yamlnode.Node) Text {
	t := p.text(key, n)
	if !t.Literal() {
		return t
	}
	if u, err := url.Parse(t.raw); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			p.report(n, "secret-in-file", key+" holds a password, where everyone who can read the repository sees it",
				"put the whole address into a variable: `"+last(key)+": ${DATABASE_URL}`")
		}
	}
	return t
}
