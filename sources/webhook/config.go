package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/charset"
)

// Kind is the trigger that takes HTTP requests.
type Kind struct{}

// Name is how rule files name the trigger.
func (Kind) Name() string { return "webhook" }

var authKeys = []string{"basic", "bearer", "hmac", "api_key", "none"}

// Settings declares the keys of a trigger.
func (Kind) Settings() settings.Spec {
	return settings.Spec{
		Name: "webhook", Doc: "Records come as HTTP requests with JSON, XML, a form or a table in their body.",
		Example: "webhook: {path: /commcare/forms}",
		Fields: []settings.Field{
			{Name: "path", Required: true, Hint: "write path: /commcare/forms, or any other path of your own",
				Doc: "the path of the URL, such as /commcare/forms, or /fhir/* for that one and all below it. Several rules may share one: " +
					"each gets every record whose sender it lets in, and chooses with `when`"},
			{Name: "auth", Type: settings.Mapping, LeftOut: "`webhook_auth` of culvert.yaml", Fields: authFields(),
				Doc: "how senders show who they are, in one way: basic, bearer, hmac, api_key, or none: true. Secrets as ${NAME}"},
			{Name: "items", Type: settings.Expression, LeftOut: "the body, or each of its items when it is a list,",
				Doc: "an expression that picks the records out of a body, such as `trigger.data`"},
			{Name: "networks", Type: settings.Texts, Schema: []string{"array"}, LeftOut: "everybody",
				Doc: "who may send: `[10.0.0.0/8, 192.0.2.7]`"},
			{Name: "headers", Type: settings.Texts, Schema: []string{"array"},
				LeftOut: "`received-on`, `server-modified-on`, `idempotency-key` and `x-request-id`",
				Doc:     "request headers that the rule reads as `source.headers[\"x-facility\"]`"},
			{Name: "encoding", LeftOut: "UTF-8", Words: charset.Common,
				Doc: "the encoding of bodies that name none and are not UTF-8, such as `windows-1252`"},
			{Name: "attachments", Type: settings.Switch,
				Doc: "keeps photos and other files that come with a form: attributes and data elements that hold files take " +
					"them by the names in its answers. " +
					"The journal keeps them as long as the record"},
			{Name: "forms", Type: settings.Texts, Schema: []string{"string", "array"}, LeftOut: "none",
				Doc: "forms (XForms) below forms/ that ODK Collect, KoboCollect and others get here, as files or folders: " +
					"`forms/anc.xml`. The path ends in /submission, and phones are given the address without it"},
			{Name: "reply", Type: settings.Word, Words: []string{replyKept, replyOutcome},
				Doc: "`kept`: the answer says that the records are safe here. `outcome`: it waits for DHIS2 and says what " +
					"became of each record: the ids that were written, or what is wrong and how to fix it"},
			{Name: "wait", Type: settings.Duration, Default: "20s", Least: time.Second, Most: longestWait,
				Doc: "how long `reply: outcome` waits. After that the answer is 202, and the records go on"},
			{Name: "table", Type: settings.Mapping, LeftOut: "none", Fields: tableFields(),
				Doc: "the body is a table (CSV, xlsx, NDJSON, JSON, packed or not), whose rows are read as those of a dropped " +
					"file: `table: {}`, or how it is read"},
			{Name: "rate", Type: settings.Number, Max: 1e6, LeftOut: "no limit",
				Doc: "requests in a second that are taken; more are answered 429"},
			{Name: "burst", Type: settings.Whole, Min: 1, Max: 1e6, LeftOut: "those of a second",
				Doc: "requests that may come at once before `rate` holds"},
			{Name: "max_bytes", Type: settings.Whole, Min: 1, Max: 1 << 30, LeftOut: "10 MiB",
				Doc: "size of the body, unpacked, in bytes"},
			{Name: "max_depth", Type: settings.Whole, Min: 1, Max: 1000, LeftOut: "64", Doc: "how deep a body may nest"},
			{Name: "max_items", Type: settings.Whole, Min: 1, Max: 1e6, LeftOut: "10,000",
				Doc: "how many records one body may hold"},
		},
	}
}

func authFields() []settings.Field {
	return []settings.Field{
		{Name: "basic", Type: settings.Mapping, LeftOut: "none", Doc: "a name and a password", Fields: []settings.Field{
			{Name: "username", LeftOut: "needed", Doc: "the name"},
			{Name: "password", Type: settings.Secret, LeftOut: "needed", Doc: "the password, as ${NAME}"},
		}},
		{Name: "bearer", Type: settings.Secret, LeftOut: "none", Doc: "a token, as ${NAME}"},
		{Name: "hmac", Type: settings.Mapping, LeftOut: "none", Doc: "a signature of the body", Fields: []settings.Field{
			{Name: "secret", Type: settings.Secret, LeftOut: "needed", Doc: "the key of the signature, as ${NAME}"},
			{Name: "header", Default: DefaultHMACHeader, Doc: "the header that holds it"},
			{Name: "timestamp_header", LeftOut: "none",
				Doc: "a header with the time that is signed in front of the body, and a dot"},
		}},
		{Name: "api_key", Type: settings.Mapping, LeftOut: "none", Doc: "a key in a header", Fields: []settings.Field{
			{Name: "key", Type: settings.Secret, LeftOut: "needed", Doc: "the key, as ${NAME}"},
			{Name: "header", Default: DefaultAPIKeyHeader, Doc: "the header that holds it"},
		}},
		{Name: "none", Type: settings.Switch, Doc: "everybody may send, on purpose"},
	}
}

// Describe says that forms come as they are submitted.
func (Kind) Describe() rules.TriggerKind {
	return rules.TriggerKind{Name: Kind{}.Name(), Submissions: true}
}

// Inherits tells whether a trigger leaves to culvert.yaml who may send.
func (Kind) Inherits(t *rules.Trigger) bool { return t.Config.Get("auth") == nil }

// New makes the handler that answers at the paths of the rules. One whose secret is missing answers
// that callers are to come again: nobody can be told from anybody else.
func (Kind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	h, err := New(Config{Dir: env.Dir, Inbox: env.Inbox, Log: env.Log, NonceKey: env.NonceKey})
	if err != nil {
		return nil, err
	}
	login, loginErr := env.Login()
	var routes, off []Route
	for _, b := range bound {
		r, err := routeOf(b.Rule, b.Trigger, Auth(login), env.Secret)
		if r.Inherits && err == nil {
			err = loginErr
		}
		if err != nil && !b.Off {
			env.Log.Error("a webhook cannot tell who calls; its path answers 503", "rule", b.Rule, "path", r.Path, "error", err)
			r.Closed = true
		}
		switch {
		case r.Path == "":
		case b.Off:
			r.Off = true
			off = append(off, r)
		default:
			routes = append(routes, r)
		}
	}
	// A path of which every rule is switched off is kept, so that callers send again later.
	for _, r := range off {
		if !slices.ContainsFunc(routes, func(o Route) bool { return o.Path == r.Path }) {
			routes = append(routes, r)
		}
	}
	h.Trust(env.Proxies)
	h.Publish(env.PublicURL)
	h.Replace(routes)
	return h, nil
}

// credentialHeaders never reach a rule or the journal.
var credentialHeaders = []string{"Authorization", "Proxy-Authorization", "Cookie", DefaultAPIKeyHeader,
	DefaultHMACHeader}

// Check reads a trigger's config and reports what is wrong with it.
func (Kind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { read(t, report) }

// Encloses implements sources.Enclosing.
func (Kind) Encloses(t *rules.Trigger) (kept bool, how string) {
	route := read(t, func(diag.Diagnostic) {})
	if route.Table != nil {
		return false, ""
	}
	return route.Attachments, "write `attachments: true` beside path:, which keeps the files that come with a form"
}

// routeOf makes the route of a rule from its trigger, which has passed Check. Where the trigger has
// no auth of its own, fallback holds. resolve gives the value of a secret that the trigger names as
// ${NAME}.
func routeOf(rule string, t *rules.Trigger, fallback Auth, resolve func(text string) (string, error)) (Route, error) {
	r := read(t, func(diag.Diagnostic) {})
	r.Rule = rule
	if r.Auth.empty() && t.Config.Get("auth") == nil {
		r.Auth, r.Inherits = fallback, true
		return r, nil
	}
	for _, secret := range []*string{&r.Auth.Username, &r.Auth.Password, &r.Auth.Bearer, &r.Auth.HMACSecret,
		&r.Auth.APIKey} {
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

// configReader reads the keys of a trigger.
type configReader struct{ settings.Reader }

// read makes a route of a trigger's config and reports what is wrong with it.
func read(t *rules.Trigger, report func(diag.Diagnostic)) Route {
	var r Route
	reader, ok := t.Read(Kind{}.Settings(), report)
	if !ok {
		return r
	}
	c := configReader{reader}
	r.Path = c.path()
	r.Auth = c.auth()
	r.Items = c.items()
	r.Networks = c.networks()
	r.Headers = c.headers()
	r.Encoding = charset.Setting(c.Reader, "encoding")
	r.Attachments = c.Config.Get("attachments") != nil && c.Config.Get("attachments").Value == "true"
	r.Wait = c.wait()
	r.Table = c.table()
	r.Forms = c.forms(r.Path)
	r.Limits = Limits{MaxBody: int64(c.Whole("max_bytes")), MaxDepth: c.Whole("max_depth"),
		MaxItems: c.Whole("max_items"), Rate: c.Number("rate"), Burst: c.Whole("burst")}
	return r
}

// Reserved are the paths, with all below them, that the web server of a run answers itself; the last is kept for later.
var Reserved = []string{"/", "/health", "/ready", "/metrics", "/console", "/api"}

func (c *configReader) path() string {
	n := c.Config.Get("path")
	switch {
	case n == nil:
		return ""
	case n.Kind != yamlnode.Scalar || !strings.HasPrefix(n.Value, "/") || strings.ContainsAny(n.Value, "?# {}") ||
		strings.Contains(n.Value, "://") || strings.Contains(strings.TrimSuffix(n.Value, below), "*"):
		c.Wrong(n, "path", fmt.Sprintf("%q is no path", n.Value),
			"write the part of the URL behind the host, such as /commcare/forms")
		return ""
	}
	p := cleanPath(n.Value)
	for _, taken := range Reserved {
		if p == taken || p == below || taken != "/" && strings.HasPrefix(p, taken+"/") {
			c.Wrong(n, "path", fmt.Sprintf("the path %q is Culvert's own", n.Value),
				"choose another, such as /hooks"+strings.TrimSuffix(p, "/"))
			return ""
		}
	}
	return p
}

// wait gives how long an answer waits for the outcome; zero where it does not.
func (c *configReader) wait() time.Duration {
	wait := c.Duration("wait")
	if c.Word("reply") == replyOutcome {
		return wait
	}
	if n := c.Config.Get("wait"); n != nil {
		c.Wrong(n, "bad-value", "`wait` is for an answer with the outcome, and this one says at once that records are kept",
			"write reply: outcome too, or take wait out")
	}
	return 0
}

func (c *configReader) auth() Auth {
	var a Auth
	n := c.Config.Get("auth")
	if n == nil {
		return a
	}
	ways := n.Pairs()
	if len(ways) != 1 {
		c.Wrong(n, "bad-auth", "auth must name one way to log in", "one of "+diag.Names(authKeys, "or"))
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
			c.Wrong(v, "bad-auth", "none must be true", "write none: true to let everybody send, on purpose")
		}
		return a
	default:
		c.Wrong(ways[0].Key, "bad-auth", fmt.Sprintf("%q is not a way to log in", ways[0].Key.Value),
			"one of "+diag.Names(authKeys, "or"))
		return a
	}
	if a.empty() {
		c.Wrong(v, "bad-auth", "auth holds no secret", "name an environment variable, such as bearer: ${WEBHOOK_TOKEN}")
	}
	return a
}

func (c *configReader) secret(n *yamlnode.Node, key string) string {
	v := n.Get(key)
	if v == nil || v.Kind != yamlnode.Scalar || v.Value == "" {
		c.Wrong(n, "bad-auth", "auth needs "+key, "write "+key+": ${NAME}, and set NAME in the environment")
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

func (c *configReader) networks() []netip.Prefix {
	n := c.Config.Get("networks")
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Sequence || len(n.Items()) == 0 {
		c.Wrong(n, "networks", "networks is a list of networks that may send", "write networks: [10.0.0.0/8, 192.0.2.7]")
		return nil
	}
	var list []netip.Prefix
	for _, item := range n.Items() {
		p, err := netip.ParsePrefix(item.Value)
		if err != nil {
			addr, aerr := netip.ParseAddr(item.Value)
			if aerr != nil {
				c.Wrong(item, "networks", fmt.Sprintf("%q is no network", item.Value),
					"write an address such as 192.0.2.7, or a network such as 10.0.0.0/8")
				continue
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, p.Masked())
	}
	return list
}

func (c *configReader) headers() []string {
	n := c.Config.Get("headers")
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Sequence {
		c.Wrong(n, "wrong-type", "headers is a list of request headers that the rule uses", "write headers: [X-Facility]")
		return nil
	}
	var list []string
	for _, item := range n.Items() {
		name := http.CanonicalHeaderKey(item.Value)
		switch {
		case item.Value == "" || strings.ContainsAny(item.Value, " :\t"):
			c.Wrong(item, "headers", fmt.Sprintf("%q is no name of a header", item.Value),
				"write it as it is sent, such as X-Facility")
		case slices.Contains(credentialHeaders, name) || name == http.CanonicalHeaderKey(DefaultAPIKeyHeader):
			c.Wrong(item, "headers", fmt.Sprintf("%s holds credentials, which records must not keep", name), "take it out")
		default:
			list = append(list, name)
		}
	}
	return list
}

// errNothingThere says that a body has nothing where a rule looks for its records: an empty list holds none, but a
// body without the list may be of another kind, which must not be taken for an empty one.
var errNothingThere error = &refusal{http.StatusUnprocessableEntity,
	"the body has nothing where the rule looks for its records", "compare it with items: in the rule"}

// items compiles the expression that picks the records out of a body.
func (c *configReader) items() func(any) ([]any, error) {
	program := c.Program("items", expression.List)
	if program == nil {
		return nil
	}
	plain := c.Program("items", expression.Anything) // a list of nothing is empty; this tells whether there was one
	return func(body any) ([]any, error) {
		v, err := program.Run(expression.Env{"trigger": body})
		if err != nil {
			return nil, err
		}
		list, ok := v.([]any)
		if !ok {
			return nil, errors.New("items gives neither a list nor an object")
		}
		if len(list) == 0 && plain != nil {
			if v, err = plain.Run(expression.Env{"trigger": body}); err == nil && v == nil {
				return nil, errNothingThere
			}
		}
		return list, nil
	}
}
