package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/tree"
)

// Kind is the trigger that takes HTTP requests.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "webhook" }

var (
	keys     = []string{"path", "auth", "items", "networks", "headers", "max_bytes", "max_depth", "max_items", "rate", "burst", "encoding"}
	authKeys = []string{"basic", "bearer", "hmac", "api_key", "none"}
)

// credentialHeaders never reach a rule or the journal.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", DefaultAPIKeyHeader, DefaultHMACHeader}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Sample decodes a sample into record bodies as a request with it would, at most limit of them.
func (Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	header := http.Header{}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		header.Set("Content-Type", "application/json")
	case ".xml":
		header.Set("Content-Type", "application/xml")
	case ".ndjson", ".jsonl":
		return sampleLines(text, limit)
	}
	route := read(t, func(diag.Diagnostic) {})
	v, err := decode(header, text, tree.Limits{Depth: DefaultMaxDepth}, route.Encoding)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	route.Limits = route.Limits.withDefaults()
	items, err := route.items(v)
	if err != nil {
		return nil, fmt.Errorf("sample %s: %w", filepath.Base(path), err)
	}
	return items[:min(len(items), limit)], nil
}

// sampleLines reads a sample of one record on each line.
func sampleLines(text []byte, limit int) ([]any, error) {
	var bodies []any
	for n, line := range bytes.Split(text, []byte("\n")) {
		if len(bodies) == limit {
			break
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, err := tree.JSON(line, tree.Limits{Depth: DefaultMaxDepth})
		if err != nil {
			return nil, fmt.Errorf("sample, line %d: %w", n+1, err)
		}
		bodies = append(bodies, v)
	}
	return bodies, nil
}

// RouteOf makes the route of a rule from its trigger, which has passed Check. Where the trigger has no auth of its own, fallback holds. resolve gives the
// value of a secret that the trigger names as ${NAME}.
func RouteOf(rule string, t *rules.Trigger, fallback Auth, resolve func(text string) (string, error)) (Route, error) {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	if r.Auth.empty() && t.Config.Get("auth") == nil {
		r.Auth, r.Inherits = fallback, true
		return r, nil
	}
	for _, secret := range []*string{&r.Auth.Username, &r.Auth.Password, &r.Auth.Bearer, &r.Auth.HMACSecret, &r.Auth.APIKey} {
		value, err := resolve(*secret)
		if err != nil {
			return r, fmt.Errorf("webhook of rule %s: %w", rule, err)
		}
		if *secret != "" && value == "" {
			return r, fmt.Errorf("webhook of rule %s: a secret of its auth is empty", rule)
		}
		*secret = value
	}
	return r, nil
}

type configReader struct {
	config *yamlnode.Node
	report func(diag.Diagnostic)
}

// read makes a route of a trigger's config and reports what is wrong with it.
func read(t *rules.Trigger, report func(diag.Diagnostic)) Route {
	var r Route
	if t == nil || t.Config == nil || t.Config.Kind != yamlnode.Mapping {
		if t != nil {
			report(diag.Diagnostic{Code: "webhook-config", Message: "the webhook trigger needs a path", Hint: "write webhook: {path: /commcare/forms}", Place: t.Place})
		}
		return r
	}
	c := configReader{config: t.Config, report: report}
	for _, p := range t.Config.Pairs() {
		if !contains(keys, p.Key.Value) {
			c.wrong(p.Key, "unknown-key", fmt.Sprintf("webhook has no %q", p.Key.Value), diag.Suggest(p.Key.Value, keys, "keys"))
		}
	}
	r.Path = c.path(t)
	r.Auth = c.auth()
	r.Items = c.items()
	r.Networks = c.networks()
	r.Headers = c.headers()
	r.Encoding = c.encoding()
	r.Limits = Limits{MaxBody: int64(c.number("max_bytes", 1<<30)), MaxDepth: int(c.number("max_depth", 1000)), MaxItems: int(c.number("max_items", 1e6)),
		Rate: c.number("rate", 1e6), Burst: int(c.number("burst", 1e6))}
	return r
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

func (c *configReader) wrong(n *yamlnode.Node, code, message, hint string) {
	c.report(diag.Diagnostic{Code: code, Message: message, Hint: hint, Place: n.Place()})
}

// Reserved are the paths, with all below them, that the web server of a run answers itself; the last is kept for later.
var Reserved = []string{"/", "/health", "/ready", "/metrics", "/console", "/api"}

func (c *configReader) path(t *rules.Trigger) string {
	n := c.config.Get("path")
	switch {
	case n == nil || n.Value == "":
		c.report(diag.Diagnostic{Code: "missing-key", Message: "webhook needs path", Hint: "write path: /commcare/forms, or any other path of your own", Place: t.Place})
		return ""
	case n.Kind != yamlnode.Scalar || !strings.HasPrefix(n.Value, "/") || strings.ContainsAny(n.Value, "?# {}") || strings.Contains(n.Value, "://"):
		c.wrong(n, "path", fmt.Sprintf("%q is no path", n.Value), "write the part of the URL behind the host, such as /commcare/forms")
		return ""
	}
	p := cleanPath(n.Value)
	for _, taken := range Reserved {
		if p == taken || taken != "/" && strings.HasPrefix(p, taken+"/") {
			c.wrong(n, "path", fmt.Sprintf("the path %q is Culvert's own", n.Value), "choose another, such as /hooks"+strings.TrimSuffix(p, "/"))
			return ""
		}
	}
	return p
}

func (c *configReader) auth() Auth {
	var a Auth
	n := c.config.Get("auth")
	if n == nil {
		return a
	}
	ways := n.Pairs()
	if len(ways) != 1 {
		c.wrong(n, "bad-auth", "auth must name one way to log in", "one of "+diag.Names(authKeys, "or"))
		return a
	}
	v := ways[0].Value
	switch ways[0].Key.Value {
	case "basic":
		a.Username, a.Password = c.secret(v, "username"), c.secret(v, "password")
	case "bearer":
		a.Bearer = v.Value
	case "hmac":
		a.HMACSecret = c.secret(v, "secret")
		a.HMACHeader, a.HMACTimestamp = optional(v, "header"), optional(v, "timestamp_header")
	case "api_key":
		a.APIKey = c.secret(v, "key")
		a.APIKeyHeader = optional(v, "header")
	case "none":
		if a.None = v.IsTrue(); !a.None {
			c.wrong(v, "bad-auth", "none must be true", "write none: true to let everybody send, on purpose")
		}
		return a
	default:
		c.wrong(ways[0].Key, "bad-auth", fmt.Sprintf("%q is not a way to log in", ways[0].Key.Value), "one of "+diag.Names(authKeys, "or"))
		return a
	}
	if a.empty() {
		c.wrong(v, "bad-auth", "auth holds no secret", "name an environment variable, such as bearer: ${WEBHOOK_TOKEN}")
	}
	return a
}

func (c *configReader) secret(n *yamlnode.Node, key string) string {
	v := n.Get(key)
	if v == nil || v.Kind != yamlnode.Scalar || v.Value == "" {
		c.wrong(n, "bad-auth", "auth needs "+key, "write "+key+": ${NAME}, and set NAME in the environment")
		return ""
	}
	return v.Value
}

func optional(n *yamlnode.Node, key string) string {
	if v := n.Get(key); v != nil && v.Kind == yamlnode.Scalar {
		return v.Value
	}
	return ""
}

// items compiles the expression that picks the records out of a body.
func (c *configReader) items() func(any) ([]any, error) {
	n := c.config.Get("items")
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Scalar {
		c.wrong(n, "wrong-type", "items is an expression", "write items: trigger.data")
		return nil
	}
	scope := expression.NewScope(expression.Options{})
	scope.AddShape("trigger", expression.Dynamic())
	program, problems := expression.Compile(n.Value, scope, expression.List)
	for _, p := range problems {
		c.report(diag.Diagnostic{Code: p.Code, Message: p.Message, Hint: p.Hint, Place: n.PlaceOf(p.From, p.To)})
	}
	if len(problems) > 0 {
		return nil
	}
	return func(body any) ([]any, error) {
		v, err := program.Run(expression.Env{"trigger": body})
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case []any:
			return v, nil
		case map[string]any:
			return []any{v}, nil
		case nil:
			return nil, nil
		}
		return nil, errors.New("items gives neither a list nor an object")
	}
}

func (c *configReader) networks() []netip.Prefix {
	n := c.config.Get("networks")
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Sequence || len(n.Items()) == 0 {
		c.wrong(n, "networks", "networks is a list of networks that may send", "write networks: [10.0.0.0/8, 192.0.2.7]")
		return nil
	}
	var list []netip.Prefix
	for _, item := range n.Items() {
		p, err := netip.ParsePrefix(item.Value)
		if err != nil {
			addr, aerr := netip.ParseAddr(item.Value)
			if aerr != nil {
				c.wrong(item, "networks", fmt.Sprintf("%q is no network", item.Value), "write an address such as 192.0.2.7, or a network such as 10.0.0.0/8")
				continue
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list
}

func (c *configReader) headers() []string {
	n := c.config.Get("headers")
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Sequence {
		c.wrong(n, "wrong-type", "headers is a list of request headers that the rule uses", "write headers: [X-Facility]")
		return nil
	}
	var list []string
	for _, item := range n.Items() {
		name := http.CanonicalHeaderKey(item.Value)
		switch {
		case item.Value == "" || strings.ContainsAny(item.Value, " :\t"):
			c.wrong(item, "headers", fmt.Sprintf("%q is no name of a header", item.Value), "write it as it is sent, such as X-Facility")
		case contains(credentialHeaders, name) || name == http.CanonicalHeaderKey(DefaultAPIKeyHeader):
			c.wrong(item, "headers", fmt.Sprintf("%s holds credentials, which records must not keep", name), "take it out")
		default:
			list = append(list, name)
		}
	}
	return list
}

// encoding reads the encoding of bodies that name none.
func (c *configReader) encoding() string {
	n := c.config.Get("encoding")
	if n == nil {
		return ""
	}
	if _, ok := charset.Find(n.Value); n.Kind != yamlnode.Scalar || !ok {
		c.wrong(n, "encoding", fmt.Sprintf("no encoding is named %q", n.Value), "use "+charset.Examples)
		return ""
	}
	return n.Value
}

// number reads a positive number; 0 when it is absent or wrong.
func (c *configReader) number(key string, limit float64) float64 {
	n := c.config.Get(key)
	if n == nil {
		return 0
	}
	f, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yamlnode.Scalar || err != nil || f <= 0 || f > limit || key != "rate" && f != float64(int64(f)) {
		c.wrong(n, "wrong-type", fmt.Sprintf("%s is a number above 0 and up to %.0f", key, limit), "write "+key+": 100")
		return 0
	}
	return f
}
