package results

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular/tabulartest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// A file of failed rows, dropped again under the same rule without a change, holds the same records
// as the original's rows did.
func TestFailedRowsReadAsTheyWere(t *testing.T) {
	latin, err := charmap.Windows1252.NewEncoder().String("name;age\nÉlise;bad\nNoël;30\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file, text, failed string
		format                   tabular.Format
	}{
		{"csv", "a.csv", "name,age\n\"=A, \"\"x\"\"\",bad\nB,1\n", "a.failed.csv", tabular.Format{}},
		{"headers like formulas", "a.csv", "=name,age,-x\nA,bad,@y\n", "a.failed.csv", tabular.Format{}},
		{"declared encoding", "a.csv", latin, "a.failed.csv", tabular.Format{Encoding: "windows-1252"}},
		{"encoding found out", "a.csv", latin, "a.failed.csv", tabular.Format{}},
		{"titles above the header", "a.csv", "Export\n\nname,age\nA,bad\n", "a.failed.csv", tabular.Format{Header: 3}},
		{"tsv", "a.tsv", "name\tage\nA\tbad\n", "a.failed.tsv", tabular.Format{}},
		{"own delimiter", "a.csv", "name^age\nA^bad\n", "a.failed.csv", tabular.Format{Delimiter: '^'}},
		{"packed", "a.csv.gz", tabulartest.Packed(t, "name,age\nA,bad\n"), "a.failed.csv", tabular.Format{}},
		{"json", "a.json", `{"data": [{"name": "A", "age": "bad"}, {"name": "B"}, {"name": "C", "age": "bad"}]}`,
			"a.failed.json", tabular.Format{Items: "data"}},
		{"ndjson", "a.ndjson", "{\"name\": \"A\", \"age\": \"bad\"}\n{\"name\": \"B\"}\n", "a.failed.ndjson",
			tabular.Format{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			f := sources.File{ID: "id-1", Rule: "anc", Name: test.file, Path: filepath.Join(root, "inbox", "id-1", test.file)}
			sourcetest.WriteFile(t, f.Path, test.text)
			before, problems := readAll(t, test.file, test.text, test.format)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			w, err := Open(Path(f), 0)
			if err != nil {
				t.Fatal(err)
			}
			var want []map[string]any
			for i, b := range before {
				if b["age"] == "bad" {
					want = append(want, b)
					if err := w.Write(Row{Record: int64(i + 1), Outcome: Failed,
						Problem: diag.Problem{Message: "no number"}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			out, err := Finish(context.Background(), FinishRequest{File: f, Format: test.format, Results: Path(f),
				Done: filepath.Join(root, "done")})
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(out.FailedRows) != test.failed || out.Rows != len(want) {
				t.Errorf("failed rows are %+v", out)
			}
			after, problems := readAll(t, test.failed, sourcetest.ReadFile(t, out.FailedRows), test.format)
			if diff := cmp.Diff(want, after); diff != "" || len(problems) > 0 {
				t.Error(diff, problems)
			}
		})
	}
}
