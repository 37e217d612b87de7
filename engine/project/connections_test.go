package project

import (
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/database"
)

func TestConnections(t *testing.T) {
	const base = "project: p\nservers: {national: {url: https://a.example, token: '${T}'}}\nconnections:\n"
	for text, want := range map[string]string{
		"  a: {database: '${URL}'}":                                                     "",
		"  a: {database: 'sqlite:data/a.db'}":                                           "",
		"  a: {database: 'postgres://reader@db.example/a'}":                             "",
		"  a: {database: 'postgres://reader:secret@db.example/a'}":                      "secret-in-file",
		"  a: {database: 'reader:secret@tcp(db.example:3306)/a'}":                       "secret-in-file",
		"  a: {commcare: https://hq.example, domain: d, username: u, api_key: '${K}'}":  "",
		"  a: {commcare: https://hq.example, domain: d, username: u, password: '${K}'}": "",
		"  a: {commcare: https://hq.example, username: u, api_key: '${K}'}":             "bad-connection",
		"  a: {commcare: https://hq.example, domain: d, api_key: '${K}'}":               "bad-connection",
		"  a: {commcare: https://hq.example, domain: d, username: u}":                   "bad-connection",
		"  a: {commcare: https://hq.example, domain: d, username: u, api_key: k}":       "secret-in-file",
		"  a: {database: '${URL}', locations: tables/l.csv}":                            "unknown-key",
		"  a: {database: '${URL}', commcare: https://hq.example}":                       "bad-connection",
		"  a: {commcare: https://hq.example, domain: d, username: u, " +
			"api_key: '${K}', locations: ../secrets.csv}": "bad-value",
		"  a: {commcare: https://hq.example, domain: d, username: u, " +
			"api_key: '${K}', locations: tables/../x.csv}": "bad-value",
		"  a: {commcare: https://hq.example, domain: d, username: u, api_key: '${K}', locations: tables/l.csv}": "",
	} {
		_, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(base+text+"\n"))
		var codes []string
		for _, d := range findings {
			codes = append(codes, d.Code)
			if strings.Contains(d.Message+d.Hint, "secret@") {
				t.Errorf("%s: the finding shows it: %s", text, d.Message)
			}
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestConnectionsAreResolvedWhenUsed(t *testing.T) {
	const text = "project: p\nservers: {national: {url: https://a.example, token: '${T}'}}\nconnections:\n" +
		"  w: {database: '${W_URL}', username: u, password: '${W_PASSWORD}'}\n  hq: {commcare: https://hq.example, " +
		"domain: d, username: u, api_key: '${HQ_KEY}'}\n"
	c, findings := ParseConfig(t.TempDir(), ConfigFile, []byte(text))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	if _, err := c.Connection("w", "."); err == nil || !strings.Contains(err.Error(), "W_") {
		t.Error(err)
	}
	t.Setenv("W_URL", "sqlite:a.db")
	t.Setenv("W_PASSWORD", "secret")
	t.Setenv("HQ_KEY", "key")
	if d, err := c.Connection("w", "/project"); err != nil || d.URL != "sqlite:a.db" || d.Password != "secret" ||
		d.Username != "u" || d.Dir != "/project" {
		t.Error(d, err)
	}
	if hq, err := c.Connection("hq", "."); err != nil || hq.APIKey != "key" || hq.Domain != "d" ||
		hq.URL != "https://hq.example" {
		t.Error(hq, err)
	}
	if _, err := c.Connection("nowhere", "."); err == nil {
		t.Error("a connection that is not there is given")
	}
}

func TestTriggersNameConnectionsThatExist(t *testing.T) {
	c, findings := ParseConfig(t.TempDir(), ConfigFile,
		[]byte("project: p\nservers: {national: {url: https://a.example, token: '${T}'}}\nconnections:\n"+
			"  warehouse: {database: '${URL}'}\n  hq: {commcare: https://hq.example, domain: d, username: u, api_key: "+
			"'${K}'}\n"))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	for name, want := range map[string]string{
		"warehouse": "",
		"warehuose": `connection "warehuose" is not in culvert.yaml`,
		"hq":        `connection "hq" is of kind commcare; this trigger needs one of kind database`,
	} {
		text := "rule: a\ntrigger:\n  database: {connection: " + name + ", query: SELECT 1 AS id, cursor: id}\nactions: []\n"
		r, found := rules.Load("rules/a.yaml", []byte(text),
			rules.Environment{TriggerKinds: []rules.TriggerKind{{Name: "database"}}, Now: time.Now, Zone: time.UTC})
		if r == nil {
			t.Fatal(found.List)
		}
		before := len(found.List)
		c.checkConnections(database.Kind{}, r)
		got := ""
		for _, d := range found.List[before:] {
			got += d.Message
			if d.Place.Range.Start.Line != 3 || !strings.Contains(d.Hint, `"warehouse"`) {
				t.Errorf("%s: %s", name, d)
			}
		}
		if got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
