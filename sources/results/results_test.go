package results

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tabular"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/sources"
)

// A runner that was frozen, and whose file was taken over, writes on when it wakes: not into what the other one wrote.
func TestResultsOfALateRunnerAreNotMixedIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.csv")
	open := func(offset int64) *Writer {
		t.Helper()
		w, err := Open(path, offset)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	write := func(w *Writer, record int64, outcome string) (offset int64) {
		t.Helper()
		err := w.Write(Row{Record: record, Line: int(record) + 1, Outcome: outcome})
		if err == nil {
			offset, err = w.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
		return offset
	}
	frozen := open(0)
	offset := write(frozen, 1, "delivered")
	write(frozen, 2, "never recorded")
	heir := open(offset)
	write(heir, 2, "delivered")
	write(frozen, 3, "late")
	write(heir, 3, "delivered")
	for _, w := range []*Writer{frozen, heir} {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := "row,sheet,record,outcome,dhis2 " +
		"ids,cause,fix,column,value,id,key\n2,,1,delivered,,,,,,,\n3,,2,delivered,,,,,,,\n4,,3,delivered,,,,,,,\n"
	if diff := cmp.Diff(want, sourcetest.ReadFile(t, path)); diff != "" {
		t.Error(diff)
	}
}

func TestResultsAreContinuedWhereTheyWereSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.csv")
	w, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Row{Record: 1, Line: 2, Outcome: "delivered", Objects: []string{"a1", "b2"}}); err != nil {
		t.Fatal(err)
	}
	offset, err := w.Sync()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Row{Record: 2, Line: 3, Outcome: "lost in the crash"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w, err = Open(path, offset); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(Row{Record: 2, Line: 3, Outcome: Failed, Problem: diag.Problem{Message: "=bad, \"x\"",
		Hint: "-do"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := "row,sheet,record,outcome,dhis2 ids,cause,fix,column,value,id,key\n2,,1,delivered,a1 " +
		"b2,,,,,,\n3,,2,failed,,\"'=bad, \"\"x\"\"\",'-do,,,,\n"
	if diff := cmp.Diff(want, sourcetest.ReadFile(t, path)); diff != "" {
		t.Error(diff)
	}
	var rows []Row
	err = Read(strings.NewReader(sourcetest.ReadFile(t, path)), func(_ int64, r Row) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows[1].Message != "=bad, \"x\"" || rows[1].Hint != "-do" {
		t.Errorf("guarded cells come back as %+v", rows[1])
	}
	if _, err := Open(path, 1<<20); err == nil {
		t.Error("a results file that lost its end opens without an error")
	}
}

func TestUnreadTables(t *testing.T) {
	if row := UnreadTables([]string{"Notes"}); row.Outcome != Note || !strings.Contains(row.Message, `"Notes"`) {
		t.Error(row)
	}
}

func TestGuard(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ada": "Ada", "=1+1": "'=1+1", "+254712345678": "+254712345678", "-12.5": "-12.5", "-x": "'-x",
		"@SUM(A1)": "'@SUM(A1)",
		"\tx":      "'\tx", "---": "---", "'=x": "''=x", "'t": "'t", "+1 +2": "'+1 +2",
		";=1+1": "';=1+1", "＝1+1": "'＝1+1", " =1": "' =1", "\u00a0@x": "'\u00a0@x", ",+x": "',+x", "\n=1": "'\n=1",
		"\"=1": "'\"=1", "\ufeff=1": "'\ufeff=1", "；": "；", " Ada": " Ada", " ": " ", "\xff": "\xff",
	} {
		if got := tabular.Guard(in); got != want {
			t.Errorf("tabular.Guard(%q) = %q, want %q", in, got, want)
		}
		if got := tabular.Unguard(tabular.Guard(in)); got != in {
			t.Errorf("%q comes back as %q", in, got)
		}
	}
}

// taken lays a file into an inbox with results for its rows: every row whose text holds "bad" fails.
func taken(t *testing.T, root, name, text string) FinishRequest {
	t.Helper()
	f := sources.File{ID: "id-1", Rule: "anc", Name: name, Path: filepath.Join(root, "inbox", "id-1", name)}
	sourcetest.WriteFile(t, f.Path, text)
	w, err := Open(Path(f), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(text), "\n")[1:] {
		row := Row{Record: int64(i + 1), Line: i + 2, Outcome: "delivered"}
		if strings.Contains(line, "bad") {
			row.Outcome, row.Message, row.Hint = Failed, "age is no number", "write a number"
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return FinishRequest{File: f, Results: Path(f), Done: filepath.Join(root, "done"),
		Failed: filepath.Join(root, "failed")}
}

func TestFinish(t *testing.T) {
	root := t.TempDir()
	text := "\xef\xbb\xbfname;age\nAda;30\n\"=B;ob\";bad\nCy;31\nDi;bad;1\n"
	req := taken(t, root, "anc.csv", text)
	out, err := Finish(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	done := filepath.Join(root, "done")
	if diff := cmp.Diff(Finished{Original: filepath.Join(done, "anc.csv"), Results: filepath.Join(done, "anc.results.csv"),
		FailedRows: filepath.Join(done, "anc.failed.csv"), Rows: 2}, out); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(text, sourcetest.ReadFile(t, out.Original)); diff != "" {
		t.Error(diff)
	}
	want := "\xef\xbb\xbfname;age;culvert cause;culvert fix;culvert row\n\"'=B;ob\";bad;age is no number;write a " +
		"number;id-1:2\n" +
		"Di;\"bad;1\";age is no number;write a number;id-1:4\n"
	failed := sourcetest.ReadFile(t, out.FailedRows)
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Error(diff)
	}
	bodies, problems := readAll(t, "anc.failed.csv", failed, tabular.Format{})
	if diff := cmp.Diff([]map[string]any{{"name": "=B;ob", "age": "bad"}, {"name": "Di", "age": "bad;1"}},
		bodies); diff != "" || problems != nil {
		t.Error(diff, problems)
	}
	if left := sourcetest.Names(t, filepath.Join(root, "inbox")); left != nil {
		t.Errorf("the inbox still holds %v", left)
	}
	if again, err := Finish(context.Background(), req); err != nil || again != (Finished{}) {
		t.Errorf("finishing again gives %v, %v", again, err)
	}
	if out, err = Finish(context.Background(), taken(t, root, "anc.csv", "name,age\nEd,32\n")); err != nil ||
		filepath.Base(out.Original) != "anc-2.csv" || out.FailedRows != "" {
		t.Errorf("a second file of the name goes to %+v, %v", out, err)
	}
}

// A finish that stopped at any step is completed by the next one, with the same names and the same content.
func TestFinishAfterACrash(t *testing.T) {
	text := "name,age\nAda,30\nBob,bad\n"
	steps := map[string]func(t *testing.T, req FinishRequest){
		"name reserved": func(t *testing.T, req FinishRequest) {
			if ok, err := reserve(filepath.Join(req.Done, "anc.csv"), req.File.ID); !ok || err != nil {
				t.Fatal(ok, err)
			}
		},
		"planned": func(t *testing.T, req FinishRequest) {
			if _, err := choose(filepath.Dir(req.File.Path), req); err != nil {
				t.Fatal(err)
			}
		},
		"failed rows written": func(t *testing.T, req FinishRequest) {
			if _, err := choose(filepath.Dir(req.File.Path), req); err != nil {
				t.Fatal(err)
			}
			if err := finishFailed(context.Background(), req, req.Done, "anc", 0o600, &Finished{}); err != nil {
				t.Fatal(err)
			}
		},
		"results moved": func(t *testing.T, req FinishRequest) {
			if _, err := choose(filepath.Dir(req.File.Path), req); err != nil {
				t.Fatal(err)
			}
			if err := finishFailed(context.Background(), req, req.Done, "anc", 0o600, &Finished{}); err != nil {
				t.Fatal(err)
			}
			if err := disk.Move(req.Results, filepath.Join(req.Done, "anc.results.csv")); err != nil {
				t.Fatal(err)
			}
		},
		"original moved": func(t *testing.T, req FinishRequest) {
			if _, err := choose(filepath.Dir(req.File.Path), req); err != nil {
				t.Fatal(err)
			}
			if err := finishFailed(context.Background(), req, req.Done, "anc", 0o600, &Finished{}); err != nil {
				t.Fatal(err)
			}
			if err := disk.Move(req.Results, filepath.Join(req.Done, "anc.results.csv")); err != nil {
				t.Fatal(err)
			}
			if err := disk.Move(req.File.Path, filepath.Join(req.Done, "anc.csv")); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, crash := range steps {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			req := taken(t, root, "anc.csv", text)
			if err := os.MkdirAll(req.Done, 0o750); err != nil {
				t.Fatal(err)
			}
			crash(t, req)
			if _, err := Finish(context.Background(), req); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"anc.csv", "anc.failed.csv", "anc.results.csv"},
				sourcetest.Names(t, req.Done)); diff != "" {
				t.Error(diff)
			}
			if got := sourcetest.ReadFile(t, filepath.Join(req.Done, "anc.csv")); got != text {
				t.Errorf("the original has become %q", got)
			}
			if left := sourcetest.Names(t, filepath.Join(root, "inbox")); left != nil {
				t.Errorf("the inbox still holds %v", left)
			}
		})
	}
}

func TestUnreadableFilesGoToFailed(t *testing.T) {
	root := t.TempDir()
	req := taken(t, root, "anc.csv", "name,name\nA,B\n")
	req.Unreadable = true
	out, err := Finish(context.Background(), req)
	if err != nil || out.Original != filepath.Join(root, "failed", "anc.csv") {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestFinishOfALongName(t *testing.T) {
	root := t.TempDir()
	req := taken(t, root, strings.Repeat("é", 120)+".csv", "name,age\nAda,bad\n")
	out, err := Finish(context.Background(), req)
	if err != nil || out.Rows != 1 || out.Results == "" || !strings.HasSuffix(out.Original, "é.csv") {
		t.Errorf("got %+v, %v", out, err)
	}
}

// Who shares the folder can read what became of the file.
func TestFinishedFilesHaveThePermissionsOfTheOriginal(t *testing.T) {
	root := t.TempDir()
	if err := os.Chmod(root, 0o770); err != nil {
		t.Fatal(err)
	}
	req := taken(t, root, "anc.csv", "name,age\nAda,bad\n")
	if err := os.Chmod(req.File.Path, 0o664); err != nil {
		t.Fatal(err)
	}
	out, err := Finish(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{out.Original: 0o664, out.Results: 0o664, out.FailedRows: 0o664,
		req.Done: 0o770} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has %v, want %v", filepath.Base(path), info.Mode().Perm(), want)
		}
	}
}
