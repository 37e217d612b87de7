package studio

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryExampleHasATable lays out every rule of the examples: none fails, and each action has a place in it.
func TestEveryExampleHasATable(t *testing.T) {
	for _, name := range []string{"anc", "cookbook", "tour", "triggers", "photos", "lookups", "shared"} {
		f := serve(t, name)
		files, err := filepath.Glob(filepath.Join(f.dir, "rules", "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		for _, file := range files {
			rule := "rules/" + filepath.Base(file)
			if strings.HasPrefix(filepath.Base(file), "_") {
				continue
			}
			var out checked
			status := f.ask("/check", question{File: rule}, &out)
			if status != http.StatusOK || out.Problem != "" || !strings.Contains(out.Sheet, `data-key="action-0"`) {
				t.Errorf("%s %s: %d %s", name, rule, status, out.Problem)
			}
			for _, finding := range out.Findings {
				if finding.Severity == 1 {
					t.Logf("%s %s: %s", name, rule, finding.Message)
				}
			}
		}
	}
}
