package project

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// auth reads {basic: {...}}, {bearer: ...}, {hmac: {...}}, {api_key: {...}} or {none: true}.
func (p *parser) auth(key string, n *yamlnode.Node) *Auth {
	a := &Auth{Place: n.Place()}
	ways := n.Pairs()
	if len(ways) != 1 {
		p.report(n, "bad-auth", fmt.Sprintf("%s must name one way to log in", key), "one of basic, bearer, hmac, api_key, or none: true")
		return a
	}
	v := ways[0].Value
	switch ways[0].Key.Value {
	case "basic":
		a.Username = p.text(key+".basic.username", v.Get("username"))
		a.Password = p.secret(key+".basic.password", v.Get("password"))
		if !a.Username.IsSet() || !a.Password.IsSet() {
			p.report(n, "bad-auth", key+".basic needs username and password", "basic: {username: commcare, password: ${COMMCARE_PASSWORD}}")
		}
	case "bearer":
		a.Bearer = p.secret(key+".bearer", v)
	case "hmac":
		a.HMACSecret = p.secret(key+".hmac.secret", v.Get("secret"))
		if !a.HMACSecret.IsSet() {
			p.report(n, "bad-auth", key+".hmac needs a secret", "hmac: {secret: ${WEBHOOK_SECRET}}")
		}
		a.HMACHeader = "X-Hub-Signature-256"
		if h := v.Get("header"); h != nil {
			a.HMACHeader = h.Value
		}
		if h := v.Get("timestamp_header"); h != nil {
			a.HMACTimestamp = h.Value
		}
	case "api_key":
		a.APIKey = p.secret(key+".api_key.key", v.Get("key"))
		a.APIKeyHeader = "X-API-Key"
		if h := v.Get("header"); h != nil {
			a.APIKeyHeader = h.Value
		}
		if !a.APIKey.IsSet() {
			p.report(n, "bad-auth", key+".api_key needs a key", "api_key: {header: X-API-Key, key: ${API_KEY}}")
		}
	case "none":
		a.None = v.IsTrue()
	default:
		p.report(ways[0].Key, "bad-auth", fmt.Sprintf("%q is not a way to log in", ways[0].Key.Value), "one of basic, bearer, hmac, api_key, or none: true")
	}
	return a
}

// connection reads a named outside system.
func (p *parser) connection(key, n *yamlnode.Node) Connection {
	at := "connections." + key.Value + "."
	c := Connection{Name: key.Value, Place: key.Place()}
	for _, pair := range n.Pairs() {
		v := pair.Value
		switch pair.Key.Value {
		case "database":
			c.Kind, c.URL = "database", p.secretURL(at+"database", v)
			if c.URL.Literal() && passwordInDSN.MatchString(v.Value) {
				p.report(v, "secret-in-file", at+"database holds a password, where everyone who can read the repository sees it", "put the whole address into a variable: `database: ${DATABASE_URL}`")
			}
		case "commcare":
			c.Kind, c.URL = "commcare", p.text(at+"commcare", v)
		case "domain":
			c.Domain = v.Value
		case "username":
			c.Username = p.text(at+"username", v)
		case "password":
			c.Password = p.secret(at+"password", v)
		case "api_key":
			c.APIKey = p.secret(at+"api_key", v)
		case "locations":
			if c.Locations = v.Value; !isTable(v.Value) {
				p.report(v, "bad-value", fmt.Sprintf("%q is no reference table", v.Value), "write locations: tables/locations.csv")
			}
		}
	}
	if c.Kind == "" {
		p.report(key, "bad-connection", fmt.Sprintf("connection %q names no system", key.Value), "give `database: ${DATABASE_URL}` or `commcare: https://www.commcarehq.org`")
	}
	if c.Kind == "commcare" {
		p.commcare(key, c)
	}
	return c
}

// commcare checks that a project space is named and can be logged in to.
func (p *parser) commcare(key *yamlnode.Node, c Connection) {
	switch {
	case c.Domain == "":
		p.report(key, "bad-connection", fmt.Sprintf("connection %q names no project space", key.Value), "add domain: with what stands behind /a/ in the address of your project")
	case !c.Username.IsSet() || !c.APIKey.IsSet() && !c.Password.IsSet():
		p.report(key, "bad-connection", fmt.Sprintf("connection %q cannot log in", key.Value), "add username: with api_key: ${NAME}, or with password: ${NAME}")
	}
}

// passwordInDSN finds the password in an address of MySQL's own form: user:password@tcp(host:3306)/name.
var passwordInDSN = regexp.MustCompile(`^[^:/@]+:[^@]+@[a-z0-9]*\(`)

// isTable tells whether a path names a CSV file below tables/.
func isTable(name string) bool {
	return filepath.IsLocal(filepath.FromSlash(name)) && strings.HasPrefix(name, "tables/") && strings.HasSuffix(name, ".csv") && path.Clean(name) == name
}
