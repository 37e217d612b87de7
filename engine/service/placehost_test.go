package service

import (
	"testing"

	"github.com/culvert/culvert/engine/project"
)

// TestHostOf holds that people are told where a connection leads, and nothing that lets anybody in.
func TestHostOf(t *testing.T) {
	t.Parallel()
	c, findings := project.ParseConfig(t.TempDir(), "culvert.yaml", []byte(`project: p
servers: {a: {url: "https://a.example", token: "${A}"}}
connections: {sms: {http: "https://sms.example:8443/v1/path-of-a-key"}, unset: {http: "${CULVERT_TEST_UNSET}"}}
`))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	for name, want := range map[string]string{"sms": "https://sms.example:8443", "unset": ""} {
		if got := hostOf(c, name); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}
