package files

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestLinks writes a failed row in every format and reads from it which row it stands for; the links are no part of the record.
func TestLinks(t *testing.T) {
	for name, text := range map[string]string{
		"a.csv": "name,age\nAda,x\nBo,4\n", "a.tsv": "name\tage\nAda\tx\n", "a.json": `[{"name": "Ada", "age": "x"}]`, "a.ndjson": `{"name": "Ada", "age": "x"}`,
		"a.xlsx": commcareBook(t),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, results := filepath.Join(dir, name), filepath.Join(dir, "results.csv")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := OpenResults(results, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(ResultRow{Record: 1, Line: 2, Outcome: OutcomeFailed, Cause: "no number"}); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			failed := filepath.Join(dir, "failed"+filepath.Ext(name))
			if n, err := WriteFailed(context.Background(), path, "file-1", Format{}, results, failed); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			r, err := Open(context.Background(), failed, Format{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			row, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			file, number, ok := ParseLink(row.Fixes)
			if !ok || file != "file-1" || number != 1 {
				t.Errorf("it stands for %q", row.Fixes)
			}
			for _, column := range ourColumns {
				if _, there := row.Body[column]; there {
					t.Errorf("%s is part of the record", column)
				}
			}
		})
	}
}

// TestBadLinks takes nothing else for a link.
func TestBadLinks(t *testing.T) {
	for _, text := range []string{"", "file", "file:", ":1", "file:0", "file:-1", "file:x", "1"} {
		if _, _, ok := ParseLink(text); ok {
			t.Errorf("%q is taken for a link", text)
		}
	}
}
