package project

import (
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/settings"
)

// secretDoc is said of every secret.
const secretDoc = ", as ${NAME} or {file: path}"

// configKeys declares culvert.yaml: what stands behind its keys, what holds when they are left out,
// and what they say. The JSON Schema and docs/config.md are made from it.
func configKeys() settings.Spec {
	return settings.Spec{Example: "project: anc-pilot",
		Doc: "One per project. Secrets stand nowhere else, and here only as ${NAME} or {file: path}.",
		Fields: []settings.Field{
			{Name: "project", Required: true, Hint: "write project: anc-pilot",
				Doc: "namespace of all derived ids. Never change it once data has been sent"},
			{Name: "servers", Type: settings.Named, Required: true, Min: 1, Hint: "write servers: {national: {url: ...}}",
				Doc: "DHIS2 instances by name", Each: &settings.Field{Type: settings.Mapping, Doc: "one DHIS2 instance",
					Fields: serverKeys()}},
			{Name: "store", Type: settings.Value, Default: "sqlite:state/culvert.db",
				Doc: "where the journal lies: sqlite:path, or postgres://user@host/database"},
			{Name: "listen", Type: settings.Value, Default: "127.0.0.1:8080",
				Doc: "address of the webhook and the console"},
			{Name: "webhook_auth", Type: settings.Mapping, LeftOut: "every rule with a webhook says it",
				Doc: "how callers of webhooks show who they are; a rule may override it", Fields: loginKeys()},
			{Name: "notify", Type: settings.Mapping, LeftOut: "nobody is told",
				Doc: "whom to tell what is not well, and of what", Fields: notifyKeys()},
			{Name: "console_users", Type: settings.Named, Max: 1000, LeftOut: "none",
				Doc: "who may log in to the console, by name; `culvert user add` makes users that are kept in the state " +
					"folder instead",
				Each: &settings.Field{Type: settings.Mapping, Fields: userKeys()}},
			{Name: "console_oidc", Type: settings.Mapping, LeftOut: "none",
				Doc: "an OpenID Connect provider (Keycloak, Microsoft Entra, Google and others) by which people log in to " +
					"the console, beside users with passwords", Fields: oidcKeys()},
			{Name: "console_auth", Type: settings.Mapping, LeftOut: "none",
				Doc: "the name and password of one admin of the console", Fields: loginKeys()},
			{Name: "sync", Type: settings.Mapping, LeftOut: "only by hand",
				Doc: "when metadata is synced", Fields: []settings.Field{
					{Name: "every", Type: settings.Duration, LeftOut: "only by hand", Doc: "how often metadata is read again"}}},
			{Name: "retention", Type: settings.Mapping, LeftOut: "all is kept for ever",
				Doc: "how long things stay in the journal", Fields: []settings.Field{
					{Name: "payloads", Type: settings.Duration, LeftOut: "for ever",
						Doc: "how long records' contents are kept after delivery"},
					{Name: "delivered", Type: settings.Duration, LeftOut: "for ever",
						Doc: "how long the fact of a delivery is kept"},
					{Name: "failed", Type: settings.Duration, LeftOut: "for ever", Doc: "how long failed records are kept"}}},
			{Name: "tracing", Type: settings.Mapping, LeftOut: "nobody is told",
				Doc: "a collector of traces (OpenTelemetry) that is told how long each part of a record's way took; its " +
					"content never", Fields: tracingKeys()},
			{Name: "language", Type: settings.Word, Words: language.Tags(), LeftOut: "that of whoever started it (LANG)",
				Doc: "language of notifications and results files, and of the console and commands where neither browser " +
					"nor environment names one"},
			{Name: "time_zone", Default: "UTC", Doc: "zone of dates without one, such as Africa/Nairobi"},
			{Name: "state", Default: "state", Doc: "folder for the journal and taken files"},
			{Name: "encryption_key", Type: settings.Value, LeftOut: "the journal is not encrypted",
				Doc: "key for the journal at rest: contents, ids, keys, external ids; as ${NAME} or {file: path}"},
			{Name: "encryption_keys", Type: settings.List, Min: 1, Max: 8, LeftOut: "none besides encryption_key",
				Doc: "keys for the journal at rest, the newest first, instead of encryption_key; `culvert rekey` makes the " +
					"others needless",
				Each: &settings.Field{Type: settings.Value, Doc: "a key" + secretDoc}},
			{Name: "connections", Type: settings.Named, LeftOut: "none",
				Doc:  "outside systems that rules name: databases, CommCare, KoboToolbox, ODK Central, SFTP servers, object stores, web APIs",
				Each: &settings.Field{Type: settings.Mapping, Doc: "one outside system", Fields: connectionKeys()}},
			{Name: "missing", Type: settings.Texts, LeftOut: "none", Schema: []string{"string", "number", "array"},
				Doc: "words by which all sources of the project say that there is no answer, such as [n/a]: a value that is " +
					"one of them is blank in every rule"},
			{Name: "trusted_proxies", Type: settings.List, Max: 100, LeftOut: "nobody is believed",
				Doc: "addresses or networks of the proxies before Culvert, such as [127.0.0.1]: what they say in " +
					"X-Forwarded-For is believed",
				Each: &settings.Field{}},
			{Name: "public_url", Type: settings.Value, LeftOut: "what each request says of it",
				Doc: "the address under which others reach this Culvert, such as https://culvert.example.org: phones get the " +
					"addresses of forms below it. Needed only where a proxy does not pass on the name that it was called by"},
			{Name: "max_backlog", Type: settings.Whole, LeftOut: "no limit",
				Doc: "accepted records that may wait before intake answers busy"},
		}}
}

// serverKeys declares one DHIS2 instance.
func serverKeys() []settings.Field {
	return []settings.Field{
		{Name: "url", Type: settings.Value, Required: true, Hint: "write url: https://dhis2.example.org",
			Doc: "address of DHIS2; a trailing slash, /api or a login page is understood"},
		{Name: "username", Type: settings.Value, LeftOut: "token or bearer", Doc: "user name, with password"},
		{Name: "password", Type: settings.Value, LeftOut: "token or bearer", Doc: "password" + secretDoc},
		{Name: "token", Type: settings.Value, LeftOut: "another kind of credentials",
			Doc: "personal access token" + secretDoc},
		{Name: "bearer", Type: settings.Value, LeftOut: "another kind of credentials",
			Doc: "OAuth2 access token" + secretDoc},
		{Name: "default", Type: settings.Switch, Doc: "rules that name no server go here; needed of one of several servers"},
		{Name: "ca_file", LeftOut: "only the system's are",
			Doc: "certificates (PEM) that the server's certificate is checked against besides the system's"},
		{Name: "proxy", Type: settings.Value, LeftOut: "that of the environment",
			Doc: "address of an HTTP proxy; none for no proxy"},
		{Name: "limits", Type: settings.Mapping, LeftOut: "what is usual",
			Doc: "how hard the server may be worked", Fields: []settings.Field{
				{Name: "requests_per_second", Type: settings.Number, LeftOut: "no limit", Doc: "at most so many requests"},
				{Name: "concurrency", Type: settings.Whole, Min: 1, LeftOut: "4",
					Doc: "at most so many requests at the same time"},
				{Name: "batch_min", Type: settings.Whole, Min: 1, LeftOut: "1", Doc: "smallest batch, in records"},
				{Name: "batch_max", Type: settings.Whole, Min: 1, LeftOut: "1000", Doc: "largest batch, in records"},
				{Name: "window", LeftOut: "always", Doc: `when it may be sent to, such as "18:00-06:00"`},
				{Name: "timeout", Type: settings.Duration, LeftOut: "5m", Doc: "how long one request may take"}}},
		{Name: "import", Type: settings.Mapping, LeftOut: "none",
			Doc: "import options of all writes to the server; each gives up a check of the server for speed",
			Fields: []settings.Field{
				{Name: "skip_rule_engine", Type: settings.Switch,
					Doc: "DHIS2 does not run program rules on these writes: faster, and values that rules would assign or " +
						"refuse are not"},
				{Name: "skip_side_effects", Type: settings.Switch,
					Doc: "DHIS2 sends no notifications and messages for these writes"},
				{Name: "skip_pattern_validation", Type: settings.Switch,
					Doc: "DHIS2 does not check generated attribute values against their pattern"},
				{Name: "async", Type: settings.Switch, Doc: "DHIS2 takes the batch as a job that is asked for until it is done"}}},
		{Name: "analytics", Type: settings.Mapping, LeftOut: "they are not made anew",
			Doc: "have DHIS2 make its analytics tables anew once a load is over, so that charts and reports show it; {} " +
				"takes all that is usual",
			Fields: []settings.Field{
				{Name: "after", Type: settings.Duration, Default: "15m",
					Doc: "once nothing was delivered for so long"},
				{Name: "at_most_every", Type: settings.Duration, Default: "24h",
					Doc: "from start to start at least so long"},
				{Name: "last_years", Type: settings.Whole, Min: 1, LeftOut: "all",
					Doc: "data of so many years only, which takes less time"}}},
	}
}

// loginKeys declares how a caller shows who it is: exactly one of them.
func loginKeys() []settings.Field {
	const other = "another way"
	return []settings.Field{
		{Name: "basic", Type: settings.Mapping, LeftOut: other, Doc: "HTTP basic authentication", Fields: []settings.Field{
			{Name: "username", Type: settings.Value, LeftOut: "needed", Doc: "user name"},
			{Name: "password", Type: settings.Value, LeftOut: "needed", Doc: "password" + secretDoc}}},
		{Name: "bearer", Type: settings.Value, LeftOut: other, Doc: "a token that the caller sends as Authorization: Bearer"},
		{Name: "hmac", Type: settings.Mapping, LeftOut: other, Doc: "a signature over the body", Fields: []settings.Field{
			{Name: "secret", Type: settings.Value, LeftOut: "needed", Doc: "the shared secret" + secretDoc},
			{Name: "header", Default: "X-Hub-Signature-256", Doc: "header with the signature"},
			{Name: "timestamp_header", LeftOut: "only the body is signed",
				Doc: "header with the time that is signed together with the body"}}},
		{Name: "api_key", Type: settings.Mapping, LeftOut: other, Doc: "a key in a header", Fields: []settings.Field{
			{Name: "key", Type: settings.Value, LeftOut: "needed", Doc: "the key" + secretDoc},
			{Name: "header", Default: "X-API-Key", Doc: "header with the key"}}},
		{Name: "none", Type: settings.Switch, Doc: "everybody may call, on purpose"},
	}
}

func userKeys() []settings.Field {
	return []settings.Field{
		{Name: "password", Type: settings.Value, Required: true, Hint: "write password: ${NAME}",
			Doc: "password" + secretDoc},
		{Name: "role", Type: settings.Word, Required: true, Hint: "write role: viewer",
			Words: []string{"viewer", "operator", "admin"},
			Doc:   "viewer sees counts and causes, operator also what records say, and acts on them, admin also who did what"},
	}
}

// oidcKeys declares the identity provider of the console.
func oidcKeys() []settings.Field {
	role := func(name string) settings.Field {
		return settings.Field{Name: name, Type: settings.List, Max: 1000, LeftOut: "nobody has it",
			Doc: "values that stand for the role " + name, Each: &settings.Field{}}
	}
	return []settings.Field{
		{Name: "name", Min: 1, Max: 60, LeftOut: "the provider's host",
			Doc: "what people call the provider; put on the button"},
		{Name: "issuer", Type: settings.Value, Required: true, Hint: "write issuer: https://login.example.org/realms/health",
			Doc: "address of the provider, letter by letter as it calls itself"},
		{Name: "client_id", Type: settings.Value, Required: true, Hint: "write client_id: culvert",
			Doc: "id of the client that is registered for this console over there"},
		{Name: "client_secret", Type: settings.Value, Required: true, Hint: "write client_secret: ${NAME}",
			Doc: "secret of that client" + secretDoc},
		{Name: "redirect_url", Type: settings.Value,
			LeftOut: "at the address in notify.console",
			Doc: "where the provider sends people back to: the console's public address and /console/oidc/callback. " +
				"Without it and notify.console, only people at this machine can log in by the provider"},
		{Name: "scopes", Type: settings.List, Max: 50, Default: "[openid, profile, email]",
			Doc: "what the provider is asked for", Each: &settings.Field{}},
		{Name: "roles", Type: settings.Mapping, Required: true, Hint: "write roles: {operator: [culvert-operators]}",
			Doc: "who may do what. Somebody to whom nothing here applies is not let in; of several roles the highest counts",
			Fields: []settings.Field{
				{Name: "claim", Min: 1, Max: 500, Default: "groups",
					Doc: "what of that which the provider says of somebody decides, such as groups, roles, " +
						"realm_access.roles or email"},
				role("viewer"), role("operator"), role("admin")}},
		{Name: "ca_file", LeftOut: "only the system's are",
			Doc: "certificates (PEM) that the provider's certificate is checked against besides the system's"},
	}
}

// notifyKeys declares whom to tell what is not well.
func notifyKeys() []settings.Field {
	return []settings.Field{
		{Name: "failed", Type: settings.Whole, Min: 1, Default: "1",
			Doc: "a rule is told of once so many of its records have failed, and again at ten times as many"},
		{Name: "failed_percent", Type: settings.Whole, Min: 1, Max: 100, LeftOut: "never",
			Doc: "a rule is told of once so many in a hundred of the last hour's records failed, of ten or more"},
		{Name: "away", Type: settings.Duration, Default: "15m",
			Doc: "a server is told of once it is away for so long, and at once when it refuses the credentials"},
		{Name: "waiting", Type: settings.Duration, Default: "24h",
			Doc: "a rule is told of once one of its records waits for so long"},
		{Name: "silent", Type: settings.Named, Max: 10000, LeftOut: "nobody is told",
			Doc:  `a rule is told of once it has received nothing for so long, by its name; "*" stands for all others`,
			Each: &settings.Field{Type: settings.Duration}},
		{Name: "quiet", LeftOut: "none",
			Doc: `hours in which nothing is sent, such as "22:00-06:00"; what is still so afterwards is told then`},
		{Name: "digest", LeftOut: "none", Doc: `time of day of a daily summary, such as "07:00"`},
		{Name: "console", LeftOut: "messages have no link",
			Doc: "address of the console as people reach it; put into messages"},
		{Name: "to", Type: settings.Named, Required: true, Min: 1, Max: 50, Hint: "write to: {team: {email: {...}}}",
			Doc: "ways to people, by a name of your own", Each: &settings.Field{Type: settings.Mapping, Min: 1, Max: 1,
				Fields: channelKeys()}},
	}
}

// headersKey declares headers that go with requests.
func headersKey() settings.Field {
	return settings.Field{Name: "headers", Type: settings.Named, Max: 20, LeftOut: "none",
		Doc:  "further headers, by name; values as ${NAME} or {file: path} where they are secret",
		Each: &settings.Field{Type: settings.Value}}
}

// channelKeys declares the ways to people: exactly one of them.
func channelKeys() []settings.Field {
	const other = "another way"
	address := settings.Field{Name: "url", Type: settings.Value, Required: true, Hint: "write url: ${NAME}"}
	url := func(doc string) settings.Field {
		f := address
		f.Doc = doc
		return f
	}
	list := func(name, doc, leftOut string) settings.Field {
		return settings.Field{Name: name, Type: settings.List, Min: 1, Max: 100, Doc: doc, LeftOut: leftOut,
			Required: leftOut == "", Hint: "write " + name + ": [...]", Each: &settings.Field{}}
	}
	headers := headersKey()
	return []settings.Field{
		{Name: "email", Type: settings.Mapping, LeftOut: other, Doc: "e-mail by SMTP", Fields: []settings.Field{
			{Name: "smtp", Type: settings.Value, Required: true, Hint: "write smtp: smtp.example.org:587",
				Doc: "mail server as host:port"},
			{Name: "tls", Type: settings.Word, Words: []string{"starttls", "tls", "none"},
				Doc: "how the connection is protected"},
			{Name: "username", Type: settings.Value, LeftOut: "nobody logs in", Doc: "user of the mail server"},
			{Name: "password", Type: settings.Value, LeftOut: "nobody logs in", Doc: "password" + secretDoc},
			{Name: "from", Required: true, Hint: "write from: culvert@example.org", Doc: "address of the sender"},
			list("to", "addresses of the recipients", "")}},
		{Name: "webhook", Type: settings.Mapping, LeftOut: other, Doc: "the message as JSON to any address",
			Fields: []settings.Field{url("address"), headers}},
		{Name: "slack", Type: settings.Mapping, LeftOut: other,
			Doc:    "a channel of Slack, or of what takes the same shape (Mattermost, Rocket.Chat)",
			Fields: []settings.Field{url("address of the incoming webhook; a secret")}},
		{Name: "teams", Type: settings.Mapping, LeftOut: other, Doc: "a channel of Microsoft Teams",
			Fields: []settings.Field{url("address of the workflow's webhook; a secret")}},
		{Name: "sms", Type: settings.Mapping, LeftOut: other, Doc: "SMS by a gateway with an HTTP API: one request for " +
			"each number",
			Fields: []settings.Field{url("address; {to} and {text} stand for number and message"),
				{Name: "body", LeftOut: "the address is asked with GET", Doc: "body of a POST with {to} and {text}"},
				{Name: "type", Type: settings.Word, Doc: "type of the body",
					Words: []string{"application/x-www-form-urlencoded", "application/json"}},
				headers,
				list("to", "numbers, in international form", "")}},
		{Name: "dhis2", Type: settings.Mapping, LeftOut: other, Doc: "a message within DHIS2", Fields: []settings.Field{
			{Name: "server", LeftOut: "the default one", Doc: "which server"},
			list("users", "ids of users", "user_groups"),
			list("user_groups", "ids of user groups", "users")}},
	}
}

// connectionKeys declares the keys of all kinds of connections; each says of which kinds it is.
func connectionKeys() []settings.Field {
	var fields, own []settings.Field
	of := map[string]string{}
	for _, c := range ConnectionKinds() {
		fields = append(fields, settings.Field{Name: c.Name, Type: settings.Value, LeftOut: "another system",
			Doc: c.Doc + ", such as " + c.Example})
		for _, f := range c.Keys {
			if of[f.Name] == "" {
				own = append(own, f)
			} else {
				of[f.Name] += ", "
			}
			of[f.Name] += c.Name
		}
	}
	for _, f := range own {
		f.Doc += "; of " + of[f.Name]
		if f.Type == settings.Secret || f.Name == "username" {
			f.Type = settings.Value
		}
		fields = append(fields, f)
	}
	return fields
}
