package kobo

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

// finder gives what finds the files of submissions at a server.
func finder(t *testing.T, url string) sources.AttachmentFinder {
	t.Helper()
	var diags diag.List
	doc := yamlnode.Parse("rule.yaml", []byte("{connection: kf, asset: "+asset+"}"), &diags)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return Kind{}.Attachments("wounds", &rules.Trigger{Kind: "kobo", Config: doc.Root}, sources.AttachmentEnv{
		Log: slog.New(slog.DiscardHandler), Connection: func(string) (sources.Connection, error) {
			return sources.Connection{Name: "kf", Kind: "kobo", URL: url, APIKey: "s3cret"}, nil
		}})
}

// TestAttachments fetches photos of submissions from the connection's own host: where the record lists
// them, where the list names another host, and where the photo came after the record.
func TestAttachments(t *testing.T) {
	t.Parallel()
	late := false
	kf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := "/api/v2/assets/" + asset + "/data/7"
		switch {
		case r.Header.Get("Authorization") != "Token s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == data+"/attachments/att1/":
			_, _ = w.Write([]byte("one"))
		case r.URL.Path == data+".json":
			list := []any{}
			if late {
				list = append(list, map[string]any{"uid": "att1", "filename": "ana/attachments/x/y/late.jpg"})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"_id": 7, "_attachments": list})
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(kf.Close)
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(other.Close)
	form := map[string]any{"_id": 7.0, "_attachments": []any{
		map[string]any{"uid": "att1", "media_file_basename": "a.jpg",
			"download_url": kf.URL + "/api/v2/assets/" + asset + "/data/7/attachments/att1/"},
		map[string]any{"uid": "att1", "media_file_basename": "b.jpg", "download_url": other.URL + "/b.jpg"},
		map[string]any{"uid": "att1", "filename": "ana/attachments/x/my_photo.jpg"},
		map[string]any{"uid": "att1", "media_file_basename": "gone.jpg", "is_deleted": true},
		map[string]any{"media_file_basename": "nowhere.jpg", "download_url": other.URL + "/b.jpg"},
	}}
	named := finder(t, kf.URL)(form, "")
	for _, c := range []struct {
		name, want, code string
		later            bool
	}{
		{"a.jpg", "one", "", false},
		{"b.jpg", "one", "", false},
		{"my photo.jpg", "one", "", false},
		{"gone.jpg", "", "file-not-there", false},
		{"nowhere.jpg", "", "file-not-there", true},
		{"late.jpg", "", "file-not-there", true},
	} {
		a, err := named(c.name)
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := a.Fetch(t.Context(), 100)
		e, _ := errors.AsType[*rules.AttachmentError](err)
		if string(content) != c.want || (e != nil) != (c.code != "") || e != nil && (e.Code != c.code || e.Later != c.later) {
			t.Errorf("%s: %q %+v", c.name, content, err)
		}
		if !strings.Contains(a.Key, "/7/"+c.name) {
			t.Errorf("key %q", a.Key)
		}
	}
	late = true
	a, _ := named("late.jpg")
	if content, _, err := a.Fetch(t.Context(), 100); string(content) != "one" || err != nil {
		t.Errorf("the photo that came later: %q %v", content, err)
	}
	if asked {
		t.Error("another host was asked")
	}
	if finder(t, kf.URL)(map[string]any{"no": "id"}, "") != nil {
		t.Error("what is no submission has files")
	}
}
