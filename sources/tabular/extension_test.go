package tabular

import "testing"

func TestExtension(t *testing.T) {
	for _, c := range []struct{ kind, ext, media, head, want string }{
		{"csv", "", "application/octet-stream", "a,b", ".csv"},
		{"csv", "", "text/csv", "\x1f\x8b\x08", ".gz"},
		{"", "", "text/tab-separated-values; charset=utf-8", "a\tb", ".tsv"},
		{"", ".NDJSON", "", `{"a": 1}`, ".ndjson"},
		{"", "", "application/octet-stream", "PK\x03\x04....[Content_Types].xml", ".xlsx"},
		{"", "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK\x03\x04", ".xlsx"},
		{"", "", "", "PK\x03\x04....forms.csv", ".zip"},
		{"", "", "", `[{"a": 1}]`, ".json"},
		{"", ".php", "text/plain", "a;b\n", ".csv"},
		{"", "", "application/zip", "a;b\n", ".csv"},
	} {
		if got := Extension(FormatKind(c.kind), c.media, c.ext, []byte(c.head)); got != c.want {
			t.Errorf("%v: %s", c, got)
		}
	}
}
