package commcare

import (
	"encoding/json"
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

// TestAttachments fetches photos of forms: listed by the form, by another host's address, or listed only later.
func TestAttachments(t *testing.T) {
	t.Parallel()
	listed := false
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "ApiKey chw@demo.org:s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/a/demo/api/form/attachment/f1/photo.jpg":
			_, _ = w.Write([]byte("photo"))
		case r.URL.Path == "/a/demo/api/v0.5/form/f1/":
			form := map[string]any{"id": "f1", "attachments": map[string]any{"form.xml": map[string]any{}}}
			if listed {
				form["attachments"] = map[string]any{"late.jpg": map[string]any{
					"url": server.URL + "/a/demo/api/form/attachment/f1/photo.jpg"}}
			}
			_ = json.NewEncoder(w).Encode(form)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	var diags diag.List
	doc := yamlnode.Parse("rule.yaml", []byte("{connection: hq, forms: {}}"), &diags)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	find := Kind{}.Attachments("anc", &rules.Trigger{Kind: "commcare", Config: doc.Root}, sources.AttachmentEnv{
		Log: slog.New(slog.DiscardHandler), Connection: func(string) (sources.Connection, error) {
			return sources.Connection{Name: "hq", URL: server.URL, Domain: "demo", Username: "chw@demo.org",
				APIKey: "s3cret"}, nil
		}})
	url := "/a/demo/api/form/attachment/f1/photo.jpg"
	named := find(map[string]any{"id": "f1",
		"attachments": map[string]any{"photo.jpg": map[string]any{"content_type": "image/jpeg", "url": server.URL + url}},
		"external_blobs": map[string]any{"blob.jpg": map[string]any{"url": url},
			"far.jpg": map[string]any{"url": "https://x.org/a"}},
	}, "")
	fetch := func(name, want string, waits bool) {
		t.Helper()
		a, err := named(name)
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := a.Fetch(t.Context(), 100)
		e, _ := errors.AsType[*rules.AttachmentError](err)
		if string(content) != want || waits != (e != nil && e.Later && e.Code == "file-not-there") {
			t.Errorf("%s: %q %v", name, content, err)
		}
	}
	fetch("photo.jpg", "photo", false)
	fetch("blob.jpg", "photo", false)
	fetch("far.jpg", "", true)
	fetch("late.jpg", "", true)
	listed = true
	fetch("late.jpg", "photo", false)
}
