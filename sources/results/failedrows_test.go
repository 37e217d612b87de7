package results

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular"
	"github.com/culvert/culvert/sources/tabular/tabulartest"
)

var inEnglish = Told{Columns: tabular.OurColumns}

// readAll reads everything; bad rows are given as "row: error".
func readAll(t *testing.T, name, text string, f tabular.Format) (bodies []map[string]any, problems []string) {
	t.Helper()
	r, err := tabular.OpenBytes(context.Background(), name, []byte(text), f)
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer r.Close()
	for {
		row, err := r.Next()
		var bad *tabular.RowError
		switch {
		case err == io.EOF:
			return bodies, problems
		case errors.As(err, &bad):
			problems = append(problems, bad.Error())
		case err != nil:
			return bodies, append(problems, err.Error())
		default:
			bodies = append(bodies, row.Body)
		}
	}
}

// Failed rows go into a workbook with their repeat groups, which reads like the original.
func TestFailedRowsOfAWorkbook(t *testing.T) {
	dir := t.TempDir()
	path, results, dst := filepath.Join(dir, "a.xlsx"), filepath.Join(dir, "r.csv"), filepath.Join(dir, "failed.xlsx")
	sourcetest.WriteFile(t, path, tabulartest.CommCareBook(t))
	w, err := Open(results, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []Row{{Record: 1, Outcome: Failed, Problem: diag.Problem{Message: "=no such clinic",
		Hint: "fix it"}},
		{Record: 2, Outcome: Failed}, {Record: 2, Outcome: "delivered"}} {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n, _, err := writeFailed(context.Background(), path, "f1", tabular.Format{}, results, dst, inEnglish); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	before, _ := readAll(t, "a.xlsx", tabulartest.CommCareBook(t), tabular.Format{})
	after, problems := readAll(t, "failed.xlsx", sourcetest.ReadFile(t, dst), tabular.Format{})
	if diff := cmp.Diff(before[:1], after); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
	b, err := excelize.OpenFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rows, err := b.GetRows("Forms")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"number", "formid", "form.name", "culvert cause", "culvert fix", "culvert row"},
		{"1", "f-1", "Ada", "=no such clinic", "fix it", "f1:1"}}, rows); diff != "" {
		t.Error(diff)
	}
}

// Failed rows of exports whose repeat groups name their forms read like the original, too.
func TestFailedRowsWithRepeats(t *testing.T) {
	for _, c := range []struct{ file, text string }{
		{"a.xlsx", tabulartest.KoboBook(t)},
		{"a.zip", tabulartest.Archive(t, tabulartest.CentralDoses, tabulartest.CentralMembers, tabulartest.CentralForms)},
	} {
		dir := t.TempDir()
		path, results, dst := filepath.Join(dir, c.file), filepath.Join(dir, "r.csv"), filepath.Join(dir, "failed.xlsx")
		sourcetest.WriteFile(t, path, c.text)
		w, err := Open(results, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(Row{Record: 1, Outcome: Failed, Problem: diag.Problem{Message: "no such clinic",
			Hint: "fix it"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n, _, err := writeFailed(context.Background(), path, "f1", tabular.Format{}, results, dst, inEnglish); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		before, _ := readAll(t, c.file, c.text, tabular.Format{})
		after, problems := readAll(t, "failed.xlsx", sourcetest.ReadFile(t, dst), tabular.Format{})
		if diff := cmp.Diff(before[:1], after); diff != "" || len(problems) > 0 {
			t.Error(c.file, diff, problems)
		}
	}
}

// TestLinks writes a failed row in every format and reads from it which row it stands for; the
// links are no part of the record.
func TestLinks(t *testing.T) {
	for name, text := range map[string]string{
		"a.csv": "name,age\nAda,x\nBo,4\n", "a.tsv": "name\tage\nAda\tx\n", "a.json": `[{"name": "Ada", "age": "x"}]`,
		"a.ndjson": `{"name": "Ada", "age": "x"}`,
		"a.xlsx":   tabulartest.CommCareBook(t),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, results := filepath.Join(dir, name), filepath.Join(dir, "results.csv")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			w, err := Open(results, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(Row{Record: 1, Line: 2, Outcome: Failed,
				Problem: diag.Problem{Message: "no number"}}); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			failed := filepath.Join(dir, "failed"+filepath.Ext(name))
			portuguese, ok := tabular.ColumnsIn("pt")
			if n, err := TellFailed(t.Context(), path, "file-1", tabular.Format{}, results, failed,
				Told{Columns: portuguese}); n != 1 || err != nil || !ok {
				t.Fatal(n, err)
			}
			r, err := tabular.Open(context.Background(), failed, tabular.Format{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			row, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			file, number, ok := tabular.ParseLink(row.Fixes)
			if !ok || file != "file-1" || number != 1 {
				t.Errorf("it stands for %q", row.Fixes)
			}
			for _, column := range slices.Concat(tabular.OurColumns, portuguese) {
				if _, there := row.Body[column]; there {
					t.Errorf("%s is part of the record", column)
				}
			}
		})
	}
}

// FuzzResults checks that results come back as they were written, whatever a cause holds.
func FuzzResults(f *testing.F) {
	f.Add("=1+1", "a\"b\nc", "'=x")
	f.Fuzz(func(t *testing.T, cause, hint, sheet string) {
		if strings.ContainsAny(cause+hint+sheet, "\r") {
			return // encoding/csv reads CR LF as LF
		}
		path := filepath.Join(t.TempDir(), "r.csv")
		w, err := Open(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(Row{Record: 1, Line: 2, Problem: diag.Problem{Message: cause, Hint: hint},
			Sheet: sheet}),
			w.Close()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		err = Read(bytes.NewReader(text), func(_ int64, r Row) error {
			if r.Message != cause || r.Hint != hint || r.Sheet != sheet {
				t.Errorf("%q %q %q came back as %+v", cause, hint, sheet, r)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
