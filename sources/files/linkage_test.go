package files

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

const longTitle = "Household survey of the northern districts"

// koboBook is an export with a repeat group, one inside of it, and a sheet that belongs to nothing.
func koboBook(t testing.TB) string {
	const main = "Household survey of the nort..."
	return book(t, func(b *excelize.File) {
		if err := b.SetSheetName("Sheet1", main); err != nil {
			t.Fatal(err)
		}
		rowsOf(t, b, main, []any{"facility", "_uuid", "_index"}, []any{"C1", "u-1", 1}, []any{"C2", "u-2", 2}, []any{"C3", "u-3", 3})
		rowsOf(t, b, "dose", []any{"vaccine", "_parent_table_name", "_parent_index", "_submission__uuid"},
			[]any{"bcg", "member", 2, "u-1"}, []any{"opv", "member", 2, "u-1"}, []any{"opv", "member", 3, "u-2"})
		rowsOf(t, b, "member", []any{"name", "_index", "_parent_table_name", "_parent_index"},
			[]any{"Ann", 1, longTitle, 1}, []any{"Ben", 2, longTitle, 1}, []any{"Cat", 3, longTitle, 2}, []any{"lost", 4, longTitle, 9})
		rowsOf(t, b, "Notes", []any{"just", "text"})
	})
}

func TestKoboSheets(t *testing.T) {
	bodies, problems := readAll(t, "a.xlsx", koboBook(t), Format{})
	want := []map[string]any{
		{"facility": "C1", "_uuid": "u-1", "_index": "1", "member": []any{
			body{"name": "Ann", "_index": "1"},
			body{"name": "Ben", "_index": "2", "dose": []any{body{"vaccine": "bcg", "_submission__uuid": "u-1"}, body{"vaccine": "opv", "_submission__uuid": "u-1"}}}}},
		{"facility": "C2", "_uuid": "u-2", "_index": "2", "member": []any{
			body{"name": "Cat", "_index": "3", "dose": []any{body{"vaccine": "opv", "_submission__uuid": "u-2"}}}}},
		{"facility": "C3", "_uuid": "u-3", "_index": "3", "member": []any{}},
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`sheet "member", row 5, column "_parent_index": there is no form with its number; export the forms and their repeat groups together`}, problems); diff != "" {
		t.Error(diff)
	}
}

func TestUnreadTables(t *testing.T) {
	audit := [2]string{"household - audit.csv", "instance ID,event,node,start,end\nuuid:1,form start,,1,\n"}
	for _, c := range []struct {
		name, file, text string
		format           Format
		want             []string
	}{
		{"a sheet of its own", "a.xlsx", koboBook(t), Format{}, []string{"Notes"}},
		{"a sheet that the rule names", "a.xlsx", koboBook(t), Format{Sheet: "member"}, nil},
		{"the log of forms", "a.zip", archive(t, centralForms, centralMembers, audit), Format{}, []string{"household - audit"}},
	} {
		r, err := OpenBytes(context.Background(), c.file, []byte(c.text), c.format)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if diff := cmp.Diff(c.want, r.Unread()); diff != "" {
			t.Error(c.name, diff)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if row := UnreadTables([]string{"Notes"}); row.Outcome != OutcomeNote || !strings.Contains(row.Cause, `"Notes"`) {
		t.Error(row)
	}
}

var (
	centralForms   = [2]string{"house-hold.csv", "SubmissionDate,facility,KEY\n2026-03-01T08:10:00.000Z,C1,uuid:1\n2026-03-02T08:10:00.000Z,C2,uuid:2\n"}
	centralMembers = [2]string{"house-hold-mem-ber.csv", "name,PARENT_KEY,KEY\nAnn,uuid:1,uuid:1/g/mem-ber[1]\nBen,uuid:1,uuid:1/g/mem-ber[2]\n"}
	centralDoses   = [2]string{"house-hold-dose~1.csv", "vaccine,PARENT_KEY,KEY\nbcg,uuid:1/g/mem-ber[2],uuid:1/g/mem-ber[2]/dose[1]\n"}
)

func centralRows() []map[string]any {
	return []map[string]any{
		{"SubmissionDate": "2026-03-01T08:10:00.000Z", "facility": "C1", "KEY": "uuid:1", "mem-ber": []any{
			body{"name": "Ann", "KEY": "uuid:1/g/mem-ber[1]"},
			body{"name": "Ben", "KEY": "uuid:1/g/mem-ber[2]", "dose": []any{body{"vaccine": "bcg", "KEY": "uuid:1/g/mem-ber[2]/dose[1]"}}}}},
		{"SubmissionDate": "2026-03-02T08:10:00.000Z", "facility": "C2", "KEY": "uuid:2", "mem-ber": []any{}},
	}
}

func TestCentralTables(t *testing.T) {
	photo := [2]string{"media/1772345678901.jpg", "\xff\xd8\xff"}
	bodies, problems := readAll(t, "a.zip", archive(t, centralDoses, centralMembers, centralForms, photo), Format{})
	if diff := cmp.Diff(centralRows(), bodies); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

func TestTablesThatDoNotGoTogether(t *testing.T) {
	for name, c := range map[string]struct {
		entries [][2]string
		want    string
	}{
		"no column for the rows to name": {[][2]string{{"forms.csv", "a\n1\n"}, centralMembers},
			"house-hold-mem-ber: its rows say with PARENT_KEY to which form they belong, and the table of the forms has no column KEY; export the forms and their repeat groups together, with that column, or name one table with sheet:"},
		"two ways of naming": {[][2]string{centralForms, centralMembers, {"x.csv", "a,_parent_index,_parent_table_name\n1,1,x\n"}}, "x: its rows say with _parent_index to which form they belong"},
		"a blank parent":     {[][2]string{centralForms, {"m.csv", "a,PARENT_KEY,KEY\n1,,k\n"}}, "PARENT_KEY is blank, so that nothing says which form the row belongs to"},
	} {
		r, err := OpenBytes(context.Background(), "a.zip", []byte(archive(t, c.entries...)), Format{})
		if err == nil {
			_, err = r.Next()
			if err == nil || err == io.EOF {
				t.Errorf("%s: read", name)
			}
			r.Close()
		}
		if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Failed rows go into a workbook with their repeat groups, which reads like the original.
func TestFailedRowsWithRepeats(t *testing.T) {
	for _, c := range []struct{ file, text string }{
		{"a.xlsx", koboBook(t)},
		{"a.zip", archive(t, centralDoses, centralMembers, centralForms)},
	} {
		dir := t.TempDir()
		path, results, dst := filepath.Join(dir, c.file), filepath.Join(dir, "r.csv"), filepath.Join(dir, "failed.xlsx")
		mustWrite(t, path, c.text)
		w, err := OpenResults(results, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(ResultRow{Record: 1, Outcome: OutcomeFailed, Cause: "no such clinic", Hint: "fix it"}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := WriteFailed(context.Background(), path, "f1", Format{}, results, dst); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		before, _ := readAll(t, c.file, c.text, Format{})
		after, problems := readAll(t, "failed.xlsx", mustRead(t, dst), Format{})
		if diff := cmp.Diff(before[:1], after); diff != "" || len(problems) > 0 {
			t.Error(c.file, diff, problems)
		}
	}
}
