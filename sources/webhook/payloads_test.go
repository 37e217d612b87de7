package webhook

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestPayloads sends what CommCare, KoboToolbox and ODK Central send, and compares the record bodies with golden files.
func TestPayloads(t *testing.T) {
	paths, err := filepath.Glob("testdata/payloads/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".golden") {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			h, s := serve(t, open)
			if w := send(h, post("/forms", "application/"+strings.TrimPrefix(filepath.Ext(path), "."),
				string(text))); w.Code != 202 {
				t.Fatalf("answered %d %s", w.Code, w.Body)
			}
			got, err := json.MarshalIndent(s.bodies(), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden := path + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A form in XML is what the same form is in JSON, but for what only CommCare's server knows.
func TestFormXMLIsItsJSON(t *testing.T) {
	var bodies []any
	for _, ext := range []string{"json", "xml"} {
		text, err := os.ReadFile("testdata/payloads/commcare-form." + ext)
		if err != nil {
			t.Fatal(err)
		}
		h, s := serve(t, open)
		send(h, post("/forms", "application/"+ext, string(text)))
		form, ok := s.bodies()[0].(map[string]any)
		if !ok {
			t.Fatalf("%s is no object", ext)
		}
		bodies = append(bodies, form["form"])
	}
	if diff := cmp.Diff(bodies[0], bodies[1]); diff != "" {
		t.Error(diff)
	}
}
