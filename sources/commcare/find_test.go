package commcare

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPagesAreBounded stops reading the pages of one question when they are too large together.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pages++
		_, _ = fmt.Fprintf(w, `{"meta": {"next": "?page=%d"}, "objects": [{"id": "f%d"}]}`, pages, pages)
	}))
	t.Cleanup(server.Close)
	api, err := Open(Connection{URL: server.URL, Username: "u", APIKey: "k", Domain: "demo"},
		server.Client(), time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	api.most = 100
	_, err = api.Forms(t.Context(), url.Values{"case_id": {"c1"}})
	if err == nil || !strings.Contains(err.Error(), "more than is taken") || pages > 5 {
		t.Errorf("after %d pages: %v", pages, err)
	}
}
