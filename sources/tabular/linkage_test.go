package tabular

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/tabular/tabulartest"
)

func TestKoboSheets(t *testing.T) {
	bodies, problems := readAll(t, "a.xlsx", tabulartest.KoboBook(t), Format{})
	want := []map[string]any{
		{"facility": "C1", "_uuid": "u-1", "_index": "1", "member": []any{
			body{"name": "Ann", "_index": "1"},
			body{"name": "Ben", "_index": "2", "dose": []any{body{"vaccine": "bcg", "_submission__uuid": "u-1"},
				body{"vaccine": "opv", "_submission__uuid": "u-1"}}}}},
		{"facility": "C2", "_uuid": "u-2", "_index": "2", "member": []any{
			body{"name": "Cat", "_index": "3", "dose": []any{body{"vaccine": "opv", "_submission__uuid": "u-2"}}}}},
		{"facility": "C3", "_uuid": "u-3", "_index": "3", "member": []any{}},
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`sheet "member", row 5, column "_parent_index": there is no form with its number; ` +
		`export the forms and their repeat groups together`}, problems); diff != "" {
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
		{"a sheet of its own", "a.xlsx", tabulartest.KoboBook(t), Format{}, []string{"Notes"}},
		{"a sheet that the rule names", "a.xlsx", tabulartest.KoboBook(t), Format{Sheet: "member"}, nil},
		{"the log of forms", "a.zip", tabulartest.Archive(t, tabulartest.CentralForms, tabulartest.CentralMembers, audit),
			Format{}, []string{"household - audit"}},
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
}

func centralRows() []map[string]any {
	return []map[string]any{
		{"SubmissionDate": "2026-03-01T08:10:00.000Z", "facility": "C1", "KEY": "uuid:1", "mem-ber": []any{
			body{"name": "Ann", "KEY": "uuid:1/g/mem-ber[1]"},
			body{"name": "Ben", "KEY": "uuid:1/g/mem-ber[2]",
				"dose": []any{body{"vaccine": "bcg", "KEY": "uuid:1/g/mem-ber[2]/dose[1]"}}}}},
		{"SubmissionDate": "2026-03-02T08:10:00.000Z", "facility": "C2", "KEY": "uuid:2", "mem-ber": []any{}},
	}
}

// TestNamedTable: the forms' own table by its name has its repeat groups, too, also where there are several forms.
func TestNamedTable(t *testing.T) {
	visits := [][2]string{{"house-hold-visit.csv", "day,KEY\n1,uuid:8\n"},
		{"house-hold-visit-seen.csv", "who,PARENT_KEY,KEY\nAda,uuid:8,uuid:8/seen[1]\n"}}
	central := [][2]string{tabulartest.CentralDoses, tabulartest.CentralMembers, tabulartest.CentralForms}
	for _, c := range []struct {
		name, sheet string
		tables      [][2]string
		want        []map[string]any
	}{
		{"the forms", "house-hold", central, centralRows()},
		{"the forms with the log", "house-hold.csv", append([][2]string{{"log.csv", "instance ID,event,node\nuuid:1,a,\n"}},
			central...), centralRows()},
		{"one of two", "house-hold", append([][2]string{{"other.csv", "a\n1\n"}}, central...), centralRows()},
		{"a form named like another", "house-hold", append(slices.Clone(visits), central...), centralRows()},
		{"the longer name", "house-hold-visit", append(slices.Clone(visits), central...), []map[string]any{
			{"day": "1", "KEY": "uuid:8", "seen": []any{body{"who": "Ada", "KEY": "uuid:8/seen[1]"}}}}},
		{"no group of its own", "other", append([][2]string{{"other.csv", "a\n1\n"}}, central...), []map[string]any{{"a": "1"}}},
		{"a group", "house-hold-dose~1", central, []map[string]any{{"vaccine": "bcg",
			"PARENT_KEY": "uuid:1/g/mem-ber[2]", "KEY": "uuid:1/g/mem-ber[2]/dose[1]"}}},
	} {
		bodies, problems := readAll(t, "a.zip", tabulartest.Archive(t, c.tables...), Format{Sheet: c.sheet})
		if diff := cmp.Diff(c.want, bodies); diff != "" || len(problems) > 0 {
			t.Error(c.name, diff, problems)
		}
	}
}

func TestCentralTables(t *testing.T) {
	photo := [2]string{"media/1772345678901.jpg", "\xff\xd8\xff"}
	bodies, problems := readAll(t, "a.zip", tabulartest.Archive(t, tabulartest.CentralDoses, tabulartest.CentralMembers,
		tabulartest.CentralForms, photo), Format{})
	if diff := cmp.Diff(centralRows(), bodies); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

func TestTablesThatDoNotGoTogether(t *testing.T) {
	for name, c := range map[string]struct {
		entries [][2]string
		want    string
	}{
		"no column for the rows to name": {[][2]string{{"forms.csv", "a\n1\n"}, tabulartest.CentralMembers},
			"house-hold-mem-ber: its rows say with PARENT_KEY to which form they belong, and the table of the forms has no " +
				"column KEY; export the forms and their repeat groups together, with that column, or name one table with sheet:"},
		"two ways of naming": {[][2]string{tabulartest.CentralForms, tabulartest.CentralMembers,
			{"x.csv", "a,_parent_index,_parent_table_name\n1,1,x\n"}},
			"x: its rows say with _parent_index to which form they belong"},
		"a blank parent": {[][2]string{tabulartest.CentralForms, {"m.csv", "a,PARENT_KEY,KEY\n1,,k\n"}},
			"PARENT_KEY is blank, so that nothing says which form the row belongs to"},
	} {
		r, err := OpenBytes(context.Background(), "a.zip", []byte(tabulartest.Archive(t, c.entries...)), Format{})
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

// TestCutSheetNames holds that a repeat group whose sheet has a name cut to 31 characters is found
// under the name that the form, and so the rule, has for it, and under no name that it may not be.
func TestCutSheetNames(t *testing.T) {
	const long, begin = "group_household_members_and_visitors", "group_household_members_and_"
	read := func(fields ...string) Format {
		r := &rules.Reading{}
		for _, f := range fields {
			r.Needs = append(r.Needs, [][]string{{f}})
		}
		return Format{Reading: r, AllOptional: true}
	}
	for _, test := range []struct {
		name, want string
		sheets     []string
		format     Format
	}{
		{"as formpack cuts", long, []string{begin + "..."}, read(long)},
		{"as others cut", long, []string{long[:31]}, read(long)},
		{"as the second of two tables", long, []string{long[:24] + "... (1)"}, read("_uuid", long)},
		{"read by the sheet's own name", begin + "...", []string{begin + "..."}, read(long, begin+"...")},
		{"two fields begin alike", begin + "...", []string{begin + "..."}, read(long, long+"_2")},
		{"two sheets begin alike", begin + "...", []string{begin + "...", begin + "(1)"}, read(long)},
		{"short", "member", []string{"member"}, read("member_of_the_household_by_name_and_age")},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := tabulartest.Book(t, func(b *excelize.File) {
				tabulartest.Rows(t, b, "Sheet1", []any{"_uuid", "_index"}, []any{"u-1", 1})
				for i, sheet := range test.sheets {
					rows := [][]any{{"name", "_parent_table_name", "_parent_index"}, {"Ann", "Sheet1", 1}}
					if i > 0 {
						rows = [][]any{{"note"}}
					}
					tabulartest.Rows(t, b, sheet, rows...)
				}
			})
			bodies, problems := readAll(t, "a.xlsx", text, test.format)
			if len(problems) > 0 || len(bodies) != 1 || bodies[0][test.want] == nil {
				t.Errorf("%v, %v", bodies, problems)
			}
		})
	}
}

// TestSheetsOfTwoExports has a row whose number is that of one submission and whose id is that of
// another, as when a sheet is copied from another export.
func TestSheetsOfTwoExports(t *testing.T) {
	text := tabulartest.Book(t, func(b *excelize.File) {
		tabulartest.Rows(t, b, "Sheet1", []any{"_uuid", "_index"}, []any{"u-1", 1}, []any{"u-2", 2})
		tabulartest.Rows(t, b, "member", []any{"name", "_parent_table_name", "_parent_index", "_submission__uuid"},
			[]any{"Ann", "Sheet1", 1, "u-1"}, []any{"Ben", "Sheet1", 2, "u-1"})
	})
	bodies, problems := readAll(t, "a.xlsx", text, Format{})
	if len(bodies) != 1 || bodies[0]["_uuid"] != "u-1" {
		t.Errorf("read %v", bodies)
	}
	if diff := cmp.Diff([]string{`sheet "Sheet1", row 3: row 3 of "member" belongs to it by its _parent_index, and to another submission by its ` +
		`_submission__uuid; take sheets of one export together: the numbers are others in each`}, problems); diff != "" {
		t.Error(diff)
	}
}
