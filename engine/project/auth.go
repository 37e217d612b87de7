package project

import (
	"fmt"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// auth reads {basic: {...}}, {bearer: ...}, {hmac: {...}}, {api_key: {...}} or {none: true}.
func (p *parser) auth(r settings.Reader) *Auth {
	n := r.Config
	a := &Auth{Place: n.Place()}
	ways := n.Pairs()
	if len(ways) != 1 {
		p.report(n, "bad-auth", fmt.Sprintf("%s must name one way to log in", r.Label),
			"one of basic, bearer, hmac, api_key, or none: true")
		return a
	}
	switch key := ways[0].Key.Value; key {
	case "bearer":
		a.Bearer = p.secretOf(r, key)
		return a
	case "none":
		a.None = r.Is(key)
		return a
	}
	way, _ := r.Sub(ways[0].Key.Value)
	switch ways[0].Key.Value {
	case "basic":
		a.Username, a.Password = p.value(way, "username"), p.secretOf(way, "password")
		if !a.Username.IsSet() || !a.Password.IsSet() {
			p.report(n, "bad-auth", way.Label+" needs username and password",
				"basic: {username: commcare, password: ${COMMCARE_PASSWORD}}")
		}
	case "hmac":
		a.HMACSecret, a.HMACHeader = p.secretOf(way, "secret"), way.TextOr("header")
		a.HMACTimestamp = way.Text("timestamp_header")
		if !a.HMACSecret.IsSet() {
			p.report(n, "bad-auth", way.Label+" needs a secret", "hmac: {secret: ${WEBHOOK_SECRET}}")
		}
	case "api_key":
		a.APIKey, a.APIKeyHeader = p.secretOf(way, "key"), way.TextOr("header")
		if !a.APIKey.IsSet() {
			p.report(n, "bad-auth", way.Label+" needs a key", "api_key: {header: X-API-Key, key: ${API_KEY}}")
		}
	}
	return a
}

// connection reads a named outside system: the address behind the name of its kind, and the keys of that kind.
func (p *parser) connection(key, n *yamlnode.Node) Connection {
	at := "connections." + key.Value + "."
	c := Connection{Name: key.Value, Place: key.Place()}
	kinds := ConnectionKinds()
	var kind *sources.ConnectionKind
	for i := range kinds {
		v := n.Get(kinds[i].Name)
		switch {
		case v == nil:
		case kind != nil:
			p.report(n.Key(kinds[i].Name), "bad-connection",
				fmt.Sprintf("connection %q names two systems, %s and %s", key.Value, kind.Name, kinds[i].Name),
				"keep one, and make another connection of the other")
		default:
			kind, c.Kind = &kinds[i], kinds[i].Name
			c.URL = p.connectionURL(at+kind.Name, v, kind.Secret)
		}
	}
	if kind == nil {
		var ways []string
		for _, k := range kinds {
			ways = append(ways, "`"+k.Name+": "+k.Example+"`")
		}
		p.report(key, "bad-connection", fmt.Sprintf("connection %q names no system", key.Value),
			"give "+strings.Join(ways, " or "))
		return c
	}
	own := settings.Keys(kind.Keys)
	for _, pair := range n.Pairs() {
		name := pair.Key.Value
		switch {
		case slices.Contains(own, name):
			p.connectionKey(&c, at, settings.Find(kind.Keys, name), pair.Value)
		case !slices.ContainsFunc(kinds, func(k sources.ConnectionKind) bool { return k.Name == name }):
			p.report(pair.Key, "unknown-key", fmt.Sprintf("a connection of kind %s has no %q", kind.Name, name),
				diag.Suggest(name, own, "keys"))
		}
	}
	if kind.Requires != nil {
		if message, hint := kind.Requires(func(k string) bool {
			v := n.Get(k)
			return !v.IsNull() && (v.Kind == yamlnode.Mapping || v.Value != "")
		}); message != "" {
			p.report(key, "bad-connection", fmt.Sprintf("connection %q %s", key.Value, message), hint)
		}
	}
	return c
}

// connectionURL reads the address of an outside system.
func (p *parser) connectionURL(key string, v *yamlnode.Node, secret bool) Text {
	if !secret {
		return p.text(key, v)
	}
	t := p.secretURL(key, v)
	if t.Literal() && passwordInDSN.MatchString(v.Value) {
		p.report(v, "secret-in-file", key+" holds a password, where everyone who can read the repository sees it",
			"put the whole address into a variable: `"+last(key)+": ${DATABASE_URL}`")
	}
	return t
}

func (p *parser) connectionKey(c *Connection, at string, field *settings.Field, v *yamlnode.Node) {
	switch name := field.Name; name {
	case "domain":
		c.Domain = v.Value
	case "username":
		c.Username = p.text(at+name, v)
	case "password":
		c.Password = p.secret(at+name, v)
	case "api_key":
		c.APIKey = p.secret(at+name, v)
	case "bearer":
		c.Bearer = p.secret(at+name, v)
	case "header":
		if c.Header = http.CanonicalHeaderKey(v.Value); !isHeader(v.Value) {
			p.report(v, "bad-value", fmt.Sprintf("%q is no name of a header", v.Value), "write header: X-API-Key")
		}
	case "locations":
		if c.Locations = v.Value; !isTable(v.Value) {
			p.report(v, "bad-value", fmt.Sprintf("%q is no reference table", v.Value), "write locations: tables/locations.csv")
		}
	default:
		if c.Own == nil {
			c.Own = map[string]Text{}
		}
		if field.Type == settings.Switch && v.Value != "true" && v.Value != "false" {
			p.report(v, "bad-value", fmt.Sprintf("%s is %q, not true or false", at+name, v.Value), "write true or false")
		}
		if field.Type == settings.Secret {
			c.Own[name] = p.secret(at+name, v)
		} else {
			c.Own[name] = p.text(at+name, v)
		}
	}
}

// isHeader tells whether a text can be the name of a header: letters, digits and hyphens.
func isHeader(name string) bool {
	return name != "" && len(name) <= 100 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// passwordInDSN finds the password in an address of MySQL's own form: user:password@tcp(host:3306)/name.
var passwordInDSN = regexp.MustCompile(`^[^:/@]+:[^@]+@[a-z0-9]*\(`)

// isTable tells whether a path names a CSV file below tables/.
func isTable(name string) bool {
	return filepath.IsLocal(filepath.FromSlash(name)) && strings.HasPrefix(name, "tables/") &&
		strings.HasSuffix(name, ".csv") && path.Clean(name) == name
}
