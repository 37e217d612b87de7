package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

const goodConfig = `project: anc-pilot
servers:
  national:
    url: https://dhis2.example.org/hmis/
    token: ${DHIS2_TOKEN}
    default: true
    limits: {requests_per_second: 2.5, concurrency: 3, batch_max: 200, window: "18:00-06:00", timeout: 90s}
  district:
    url: ${DISTRICT_URL}
    username: culvert
    password: {file: secrets/district}
store: sqlite:state/other.db
listen: 127.0.0.1:9000
webhook_auth: {basic: {username: commcare, password: "${COMMCARE_PASSWORD}"}}
sync: {every: 6h}
retention: {payloads: 30d, delivered: 180d, failed: 365d}
time_zone: Africa/Dar_es_Salaam
encryption_key: ${JOURNAL_KEY}
max_backlog: 100000
notify:
  failed: 20
  silent: {anc: 24h, "*": 7d}
  quiet: "22:00-06:00"
  digest: "07:00"
  to:
    team: {email: {smtp: "smtp.example.org:587", from: culvert@example.org, to: [asha@example.org], username: u, password: "${SMTP_PASSWORD}"}}
    chat: {slack: {url: "${SLACK_URL}"}}
    phones: {sms: {url: "https://sms.example.org/send", body: "to={to}&text={text}", to: ["+254722000123"]}}
    managers: {dhis2: {server: national, user_groups: [wl5cDMuUhmF]}}
`

func TestParseConfig(t *testing.T) {
	c, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(goodConfig))
	if len(findings) > 0 {
		t.Fatalf("findings: %v", findings)
	}
	if c.Project != "anc-pilot" || len(c.Servers) != 2 || c.SyncEvery != 6*time.Hour ||
		c.Retention.Payloads != 30*24*time.Hour || c.MaxBacklog != 100000 {
		t.Fatalf("config = %+v", c)
	}
	if s := c.ServerNamed(""); s == nil || s.Name != "national" || s.Limits.RequestsPerSecond != 2.5 ||
		s.Limits.BatchMax != 200 || s.Limits.Timeout != 90*time.Second {
		t.Fatalf("default server = %+v", s)
	}
	if c.ServerNamed("nowhere") != nil {
		t.Fatal("an unknown server was found")
	}
	if n := c.Notify; n == nil || n.Failed != 20 || n.Away != 15*time.Minute || n.Silent["*"] != 7*24*time.Hour ||
		n.Digest != 7*time.Hour || len(n.To) != 4 ||
		n.To[0].Kind != "email" || n.To[0].TLS != "starttls" || n.To[3].Groups[0] != "wl5cDMuUhmF" {
		t.Fatalf("notify = %+v", c.Notify)
	}
	if c.Zone.String() != "Africa/Dar_es_Salaam" {
		t.Fatalf("zone = %s", c.Zone)
	}
}

// oidcWith gives the console an identity provider with one key as given.
func oidcWith(line string) string {
	text := "console_oidc:\n  " + line + "\n"
	given, _, _ := strings.Cut(line, ":")
	for key, v := range map[string]string{"issuer": "https://l.org", "client_id": "c", "client_secret": "${S}",
		"roles": "{viewer: [v]}"} {
		if key != given {
			text += "  " + key + ": " + v + "\n"
		}
	}
	return text
}

func TestParseOIDC(t *testing.T) {
	const base = "project: p\nservers: {a: {url: https://x.org, token: \"${T}\"}}\n"
	for name, c := range map[string]struct{ text, back string }{
		"at this machine": {base + oidcWith("issuer: http://127.0.0.1:8180/realms/health"), ""},
		"given": {base + oidcWith("redirect_url: https://c.org/console/oidc/callback"),
			"https://c.org/console/oidc/callback"},
		"of messages": {base + oidcWith("name: x") + "listen: 0.0.0.0:8080\nnotify: {console: \"https://c.org/console\", " +
			"to: {x: {slack: {url: \"${U}\"}}}}\n", "https://c.org/console/oidc/callback"},
	} {
		config, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(c.text))
		if len(findings) > 0 {
			t.Errorf("%s: %v", name, findings)
			continue
		}
		o := config.OIDC
		if back, err := o.RedirectURL.Resolve(); err != nil || back != c.back || o.Claim != "groups" ||
			o.Roles["viewer"][0] != "v" || o.Scopes[0] != "openid" {
			t.Errorf("%s: %+v, back to %q, %v", name, o, back, err)
		}
	}
}

// TestParseConfigFindings holds every mistake to one finding at its place, with what to do.
func TestParseConfigFindings(t *testing.T) {
	server := "    url: https://x.org\n    token: ${T}\n"
	base := "project: p\nservers:\n  a:\n" + server
	for name, c := range map[string]struct{ text, place, code, hint string }{
		"two ways": {base + "notify:\n  to:\n    x: {slack: {url: \"${U}\"}, teams: {url: \"${U}\"}}\n", "8:31",
			"wrong-shape", ""},
		"quiet hours": {base + "notify:\n  quiet: 22-06\n  to: {x: {slack: {url: \"${U}\"}}}\n", "7:10", "bad-window",
			"22:00-06:00"},
		"digest at night": {base +
			"notify:\n  quiet: \"22:00-06:00\"\n  digest: \"23:00\"\n  to: {x: {slack: {url: \"${U}\"}}}\n", "8:12",
			"bad-window", "outside"},
		"clear password": {base +
			"notify:\n  to:\n    x: {email: {smtp: \"m.org:25\", tls: none, from: a@b.c, to: [a@b.c], username: u, password: " +
			"\"${P}\"}}\n", "8:40", "bad-channel", "starttls"},
		"mail server": {base + "notify:\n  to:\n    x: {email: {smtp: m.org, from: a@b.c, to: [a@b.c]}}\n", "8:23",
			"bad-channel", "587"},
		"sms text": {base + "notify:\n  to:\n    x: {sms: {url: \"https://s.org\", to: [\"1\"]}}\n", "8:14",
			"bad-channel", "{text}"},
		"inbox of nobody": {base + "notify:\n  to:\n    x: {dhis2: {server: a}}\n", "8:16", "bad-channel", "user_groups"},
		"unknown inbox": {base + "notify:\n  to:\n    x: {dhis2: {server: b, users: [u]}}\n", "8:25", "unknown-server",
			"a"},
		"empty":             {"", "1:1", "empty-file", "culvert init"},
		"store":             {base + "store: culvert.db\n", "6:8", "bad-value", "sqlite:"},
		"password in store": {base + "store: postgres://u:secret@db/culvert\n", "6:8", "secret-in-file", "variable"},
		"tracing":           {base + "tracing: {endpoint: localhost:4318}\n", "6:21", "bad-value", "http://127.0.0.1:4318"},
		"listen":            {base + "listen: 8080\n", "6:9", "bad-value", "127.0.0.1:8080"},
		"port":              {base + "listen: 127.0.0.1:http8\n", "6:9", "bad-value", "127.0.0.1:8080"},
		"certificates":      {base + "    ca_file: ca.pem\n", "6:14", "missing-file", "culvert.yaml"},
		"secret": {"project: p\nservers:\n  a:\n    url: https://x.org\n    token: d2pat_123\n", "5:12",
			"secret-in-file", "${A_TOKEN}"},
		"two defaults": {"project: p\nservers:\n  a:\n    default: true\n" + server + "  b:\n    default: true\n" +
			server, "7:3", "two-defaults", "keep `default: true`"},
		"no default": {"project: p\nservers:\n  a:\n" + server + "  b:\n" + server, "3:3", "no-default",
			"default: true"},
		"no credentials": {"project: p\nservers:\n  a:\n    url: https://x.org\n", "3:3", "no-credentials",
			"token: ${NAME}"},
		"two credentials": {"project: p\nservers:\n  a:\n" + server + "    bearer: ${B}\n", "3:3", "two-credentials",
			"keep one"},
		"no password": {"project: p\nservers:\n  a:\n    url: https://x.org\n    username: u\n", "3:3",
			"no-credentials", "password: ${NAME}"},
		"password in url": {"project: p\nservers:\n  a:\n    url: https://u:p@x.org\n    token: ${T}\n", "4:10",
			"secret-in-file", "password: ${NAME}"},
		"not an address": {"project: p\nservers:\n  a:\n    url: dhis2\n    token: ${T}\n", "4:10", "bad-url", "https://"},
		"another scheme": {"project: p\nservers:\n  a:\n    url: ftp://x.org\n    token: ${T}\n", "4:10", "bad-url",
			"https://"},
		"bad duration":       {base + "sync: {every: often}\n", "6:15", "bad-duration", "6h"},
		"analytics too soon": {base + "    analytics: {after: 30s}\n", "6:24", "bad-duration", "after: 15m"},
		"bad window": {"project: p\nservers:\n  a:\n" + server + "    limits: {window: nights}\n", "6:22",
			"bad-window", "18:00-06:00"},
		"unknown zone": {base + "time_zone: Mars\n", "6:12", "unknown-zone", "Africa/Dar_es_Salaam"},
		"auth without user": {base + "webhook_auth: {basic: {password: \"${P}\"}}\n", "6:15", "bad-auth",
			"username: commcare"},
		"issuer in clear": {base + oidcWith("issuer: http://login.example.org"), "7:11", "bad-oidc", "https://"},
		"issuer described": {base + oidcWith("issuer: https://l.org/.well-known/openid-configuration"), "7:11", "bad-oidc",
			"leave"},
		"no issuer's address": {base + oidcWith("issuer: login"), "7:11", "bad-oidc", "https://"},
		"issuer of everybody": {base + oidcWith("issuer: https://login.microsoftonline.com/common/v2.0"), "7:11", "bad-oidc",
			"tenant"},
		"no client": {base + "console_oidc:\n  issuer: https://l.org\n  client_secret: ${S}\n  roles: {viewer: [v]}\n", "6:1",
			"missing-key", "client_id"},
		"secret of the client": {base + oidcWith("client_secret: hunter2"), "7:18", "secret-in-file", "change the secret"},
		"unknown role":         {base + oidcWith("roles: {operators: [o]}"), "7:11", "unknown-key", "operator"},
		"no role":              {base + oidcWith("roles: {claim: groups}"), "7:10", "bad-oidc", "operator: ["},
		"everybody":            {base + oidcWith("roles: {viewer: ['*']}"), "7:21", "bad-oidc", "by accident"},
		"redirect in clear": {base + oidcWith("redirect_url: http://c.org/console/oidc/callback"), "7:17", "bad-oidc",
			"https://"},
		"redirect elsewhere": {base + oidcWith("redirect_url: https://c.org/oidc"), "7:17", "bad-oidc",
			"/console/oidc/callback"},
		"no redirect": {base + oidcWith("name: x") + "listen: 0.0.0.0:8080\n", "6:1", "bad-oidc", "redirect_url"},
		"two auths":   {base + "webhook_auth: {none: true, bearer: \"${B}\"}\n", "6:15", "bad-auth", "one of basic"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(c.text))
			for _, d := range findings {
				if d.Code != c.code {
					continue
				}
				if at := d.Place.String(); at != ConfigFile+":"+c.place {
					t.Errorf("at %s, want %s", at, c.place)
				}
				if !strings.Contains(d.Hint, c.hint) {
					t.Errorf("hint %q does not hold %q", d.Hint, c.hint)
				}
				return
			}
			t.Errorf("no finding %s, but %v", c.code, findings)
		})
	}
}

func TestTextResolve(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("  from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CULVERT_TEST_SECRET", "from-env")
	for name, c := range map[string]struct {
		text Text
		want string
		err  string
	}{
		"literal":  {Text{raw: "plain"}, "plain", ""},
		"variable": {Text{raw: "a-${CULVERT_TEST_SECRET}-b"}, "a-from-env-b", ""},
		"file":     {Text{file: "token", dir: dir}, "from-file", ""},
		"unset": {Text{raw: "${CULVERT_TEST_UNSET}", key: "servers.a.token"}, "",
			"servers.a.token needs the environment variable CULVERT_TEST_UNSET"},
		"no file": {Text{file: "gone", dir: dir, key: "servers.a.token"}, "", "servers.a.token is kept in the file gone"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.text.Resolve()
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("got %q, %v", got, err)
			}
		})
	}
}

// TestTextNeverShowsItself guards logs and error lines.
func TestTextNeverShowsItself(t *testing.T) {
	secret := Text{raw: "hunter2", key: "servers.a.password"}
	if s := secret.String() + secret.LogValue().String(); strings.Contains(s, "hunter2") {
		t.Fatalf("the secret is shown: %s", s)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(goodConfig)
	f.Add("project: [")
	f.Add("servers: {a: {url: 1, token: {file: x}}}\nwebhook_auth: {hmac: {}}")
	f.Fuzz(func(t *testing.T, text string) {
		c, findings := ParseConfig("", ConfigFile, []byte(text))
		if c == nil {
			t.Fatal("no config")
		}
		for _, d := range findings {
			if d.Message == "" || d.Code == "" {
				t.Fatalf("a finding says nothing: %+v", d)
			}
		}
	})
}

func TestFixesAreAppliedLastFirst(t *testing.T) {
	text := []byte("a: Old name\nb: {c: Old, d: Old}\n")
	at := func(line, from, to int, with string) *diag.Fix {
		return &diag.Fix{Place: diag.Place{Range: diag.Range{Start: diag.Position{Line: line, Column: from},
			End: diag.Position{Line: line, Column: to}}}, Text: with}
	}
	got, n, err := apply(text, []*diag.Fix{at(2, 8, 11, "Newer"), at(1, 4, 12, "N"), at(2, 16, 19, "X"),
		at(2, 16, 19, "X")})
	if err != nil || n != 3 || string(got) != "a: N\nb: {c: Newer, d: X}\n" {
		t.Fatalf("%d, %v:\n%s", n, err, got)
	}
}
