package odk

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// TestAttachments fetches a photo of a submission by its name, and waits for one that is not there yet.
func TestAttachments(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case user != "a@example.org" || password != "s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.EscapedPath() == "/v1/projects/3/forms/anc%20visit/submissions/uuid:1/attachments/a%20b.jpg":
			_, _ = w.Write([]byte("photo"))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	var diags diag.List
	doc := yamlnode.Parse("rule.yaml", []byte("{connection: central, project: 3, form: anc visit}"), &diags)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	find := Kind{}.Attachments("anc", &rules.Trigger{Kind: "odk", Config: doc.Root}, sources.AttachmentEnv{
		Log: slog.New(slog.DiscardHandler), Connection: func(string) (sources.Connection, error) {
			return sources.Connection{Name: "central", URL: server.URL, Username: "a@example.org", Password: "s3cret"}, nil
		}})
	named := find(map[string]any{"__id": "uuid:1"}, "")
	there, _ := named("a b.jpg")
	if content, _, err := there.Fetch(t.Context(), 100); string(content) != "photo" || err != nil {
		t.Errorf("%q %v", content, err)
	}
	for _, name := range []string{"later.jpg", "../../../forms.jpg"} {
		a, _ := named(name)
		_, _, err := a.Fetch(t.Context(), 100)
		if e, ok := errors.AsType[*rules.AttachmentError](err); !ok || e.Code != "file-not-there" || !e.Later {
			t.Errorf("%s: %v", name, err)
		}
	}
}
