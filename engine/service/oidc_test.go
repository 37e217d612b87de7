package service_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/access/oidc/oidctest"
	"github.com/culvert/culvert/engine/service"
)

// TestConsoleByAnIdentityProvider starts while the provider is away, lets people in by it once it is
// there, and takes up what culvert.yaml and the file of the secret say as they change.
func TestConsoleByAnIdentityProvider(t *testing.T) {
	provider := oidctest.New(t)
	provider.Set(func(k *oidctest.Knobs) {
		k.Away = true
		k.Claims = map[string]any{"sub": "1", "preferred_username": "aminata", "groups": []string{"ops"}}
	})
	dir := nullProject(t, "webhook: {path: /forms}", "case.json", `{"id": "1"}`)
	base, err := os.ReadFile(filepath.Join(dir, "culvert.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := func(roles string) {
		write(t, filepath.Join(dir,
			"culvert.yaml"), fmt.Sprintf("%s\nconsole_oidc:\n  name: the ministry\n  issuer: %s\n  client_id: culvert\n"+
			"  client_secret: {file: state/oidc-secret}\n  roles: {%s}\n", base, provider.URL, roles))
	}
	config("operator: [ops]")
	write(t, filepath.Join(dir, "state", "oidc-secret"), "an old one\n")
	s, address, stop := startWith(t, service.Options{Dir: dir})
	defer stop()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar}
	get := func(path string) string {
		t.Helper()
		resp, err := browser.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	wants(t, "the log-in page", get("/console/rules"), "Log in with the ministry")
	wants(t, "the wrong secret", func() string {
		provider.Set(func(k *oidctest.Knobs) { k.Away = false })
		return get("/console/oidc/login")
	}(), "client_id or client_secret in culvert.yaml do not fit")
	write(t, filepath.Join(dir, "state", "oidc-secret"), oidctest.ClientSecret+"\n")
	wants(t, "the right secret", get("/console/oidc/login"), "You are logged in as")
	wants(t, "the rules", get("/console/rules"), "aminata (operator)")
	config("viewer: [ops]")
	s.Reload(t.Context())
	wants(t, "the rules with another role", get("/console/rules"), "aminata (viewer)")
	config("viewer: [others]")
	s.Reload(t.Context())
	wants(t, "the rules without a role", get("/console/rules"), "Log in with the ministry")
	write(t, filepath.Join(dir, "culvert.yaml"), string(base))
	s.Reload(t.Context())
	if text := get("/console/rules"); strings.Contains(text, "the ministry") {
		t.Errorf("the provider is offered still:\n%s", text)
	}
}
