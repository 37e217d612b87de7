package project_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// TestFilesBesideSamples holds that the files of a sample come with its records where the trigger keeps such files,
// and nowhere else, and that links, hidden files and too large ones do not.
func TestFilesBesideSamples(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("samples/form.json", `[{"photo": "1.jpg"}, {"photo": "2.jpg"}]`)
	write("samples/form.files/1.jpg", "one")
	write("samples/form.files/.hidden", "x")
	write("secret", "x")
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "samples", "form.files", "link.jpg")); err != nil {
		t.Log(err) // not everywhere
	}
	loader := &project.Loader{Sources: project.SourceKinds()}
	sample := func(trigger string) []any {
		t.Helper()
		doc := yamlnode.Parse("rule.yaml", []byte(trigger), nil)
		bodies, err := loader.Sample(dir, &rules.Trigger{Kind: "webhook", Config: doc.Root}, "samples/form.json")
		if err != nil {
			t.Fatal(err)
		}
		return bodies
	}
	for _, body := range sample("{path: /a, attachments: true}") {
		files, _ := body.(map[string]any)["attachments"].(map[string]any)
		one, _ := files["1.jpg"].(map[string]any)
		if len(files) != 1 || one["base64"] != "b25l" || one["name"] != "1.jpg" {
			t.Errorf("files %v", files)
		}
	}
	if body := sample("{path: /a}")[0].(map[string]any); body["attachments"] != nil {
		t.Errorf("a trigger that keeps no files has %v", body)
	}
	write("samples/form.files/large.jpg", strings.Repeat("x", 21<<20))
	doc := yamlnode.Parse("rule.yaml", []byte("{path: /a, attachments: true}"), nil)
	_, err := loader.Sample(dir, &rules.Trigger{Kind: "webhook", Config: doc.Root}, "samples/form.json")
	if err == nil || !strings.Contains(err.Error(), "samples/form.files") {
		t.Errorf("files that are too large: %v", err)
	}
}
