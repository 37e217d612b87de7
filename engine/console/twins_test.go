package console

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
)

// twins are the operations of the API that tell or do what a page or an action of the console tells or
// does. Those that have none are about the visit itself.
var twins = map[string][]string{
	"GET /{$}":                            {"overview", "figures"},
	"GET /console/failures":               {"failures"},
	"GET /console/failures/cause":         {"records", "values"},
	"GET /console/failures/download":      {"contents"},
	"GET /console/records":                {"records", "rows"},
	"GET /console/records/{seq}":          {"record", "content", "trace", "versions"},
	"GET /console/records/{seq}/correct":  {"content", "trace"},
	"POST /console/records/{seq}/correct": {"trace", "correct"},
	"GET /console/files":                  {"files"},
	"GET /console/files/{id}":             {"file", "file_rows"},
	"GET /console/files/{id}/rows/{row}":  {"row", "row_content", "row_trace"},
	"GET /console/files/{id}/results":     {"file_results"},
	"GET /console/files/{id}/failed":      {"file_failed"},
	"POST /console/upload":                {"upload"},
	"GET /console/person":                 {"person"},
	"GET /console/rules":                  {"rules"},
	"GET /console/rules/{name}":           {"rule", "figures"},
	"GET /console/servers":                {"servers", "connections"},
	"GET /console/servers/{name}":         {"metadata"},
	"GET /console/servers/{name}/{uid}":   {"object"},
	"GET /console/audit":                  {"audit"},
	"POST /console/replay":                {"replay"},
	"POST /console/dismiss":               {"dismiss"},
	"POST /console/pause":                 {"pause"},
	"POST /console/resume":                {"resume"},
	"POST /console/run":                   {"run"},
	"POST /console/test":                  {"test"},
	"POST /console/sync":                  {"sync"},
	"GET /console/events":                 nil,
	"GET /console/codes/{code}":           nil, // culvert explain, a page for people
	"GET " + loginPath:                    nil,
	"POST " + loginPath:                   nil,
	"POST /console/logout":                nil,
	"POST /console/language":              nil,
	"GET " + oidcLoginPath:                nil,
	"GET /console/oidc/callback":          nil,
	"GET /console/login/callback":         nil,
}

// TestTwins holds every page and action of the console against the API, and every address of the API
// against its description.
func TestTwins(t *testing.T) {
	j, err := open.Journal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	s, err := New(Config{Journal: j, Running: newProject(), Access: access.New(func() []access.User { return nil }, nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t)
	var operations, described []string
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			operations = append(operations, op.OperationID)
			described = append(described, method+" "+strings.TrimSuffix(APIPrefix, "/")+path)
		}
	}
	for _, pattern := range s.known {
		if _, path, _ := strings.Cut(pattern, " "); strings.HasPrefix(path, APIPrefix) || pattern == APIPrefix {
			if path != "" && !slices.Contains(described, pattern) && !strings.HasSuffix(path, "openapi.yaml") {
				t.Errorf("%s is not in openapi.yaml", pattern)
			}
			continue
		}
		ops, ok := twins[pattern]
		if !ok {
			t.Errorf("%s has no twin in the API", pattern)
		}
		for _, op := range ops {
			if !slices.Contains(operations, op) {
				t.Errorf("%s: openapi.yaml has no operation %s", pattern, op)
			}
		}
	}
	for _, pattern := range described {
		if !slices.Contains(s.known, pattern) {
			t.Errorf("%s is in openapi.yaml alone", pattern)
		}
	}
}
