package tabular

import (
	"archive/zip"
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/sources/tabular/tabulartest"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

func styled(t testing.TB, b *excelize.File, cell string, value any, style excelize.Style) {
	t.Helper()
	id, err := b.NewStyle(&style)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.SetCellValue("Sheet1", cell, value); err != nil {
		t.Fatal(err)
	}
	if err := b.SetCellStyle("Sheet1", cell, cell, id); err != nil {
		t.Fatal(err)
	}
}

func TestWorkbookCells(t *testing.T) {
	format := func(code string) excelize.Style { return excelize.Style{CustomNumFmt: &code} }
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	cells := []struct {
		name  string
		value any
		style excelize.Style
		want  string
	}{
		{"phone", 254712345678, excelize.Style{}, "254712345678"},
		{"phone in scientific format", 254712345678, excelize.Style{NumFmt: 11}, "254712345678"},
		{"text with zeros", "0712345678", excelize.Style{}, "0712345678"},
		{"zeros by format", 712345678, format("0000000000"), "0712345678"},
		{"decimal", 37.6, excelize.Style{}, "37.6"},
		{"sum of decimals", 0.1 + 0.2, excelize.Style{}, "0.3"},
		{"small", 0.00001, excelize.Style{}, "0.00001"},
		{"negative", -12, excelize.Style{}, "-12"},
		{"money", 1234.5, excelize.Style{NumFmt: 4}, "1234.5"},
		{"percent", 0.5, excelize.Style{NumFmt: 9}, "50%"},
		{"percent with digits that are not shown", 0.073, excelize.Style{NumFmt: 9}, "7.3%"},
		{"own percent", 0.125, format("0.0 %"), "12.5%"},
		{"a sign in quotes", 12, format(`0"%"`), "12"},
		{"date", at, excelize.Style{NumFmt: 14}, "2026-03-01"},
		{"date and time", at, excelize.Style{NumFmt: 22}, "2026-03-01T09:30:00"},
		{"own date", at, format("dd/mm/yyyy"), "2026-03-01"},
		{"own date and time", at, format(`[$-409]d-mmm-yy h:mm AM/PM;@`), "2026-03-01T09:30:00"},
		{"month", at, format("mmmm"), "2026-03-01"},
		{"time", 0.5, excelize.Style{NumFmt: 20}, "12:00:00"},
		{"elapsed", 1.5, format("[h]:mm"), "36:00:00"},
		{"number in red", 5, format(`[Red]0" days"`), "5"},
		{"true", true, excelize.Style{}, "true"},
		{"blank", nil, excelize.Style{}, ""},
		{"line ends", "a\nb", excelize.Style{}, "a\nb"},
		{"not asked", "---", excelize.Style{}, ""},
	}
	text := tabulartest.Book(t, func(b *excelize.File) {
		for i, c := range cells {
			column, err := excelize.ColumnNumberToName(i + 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.SetCellValue("Sheet1", column+"1", c.name); err != nil {
				t.Fatal(err)
			}
			styled(t, b, column+"2", c.value, c.style)
		}
	})
	bodies, problems := readAll(t, "a.xlsx", text, Format{})
	if len(problems) > 0 || len(bodies) != 1 {
		t.Fatal(problems, len(bodies))
	}
	for _, c := range cells {
		if got := bodies[0][c.name]; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestWorkbookDates(t *testing.T) {
	for _, test := range []struct {
		serial float64
		from   bool // 1904
		want   string
	}{
		{1, false, "1900-01-01"}, {59, false, "1900-02-28"}, {60, false, "it holds 29 February 1900, a day that never was"},
		{61, false, "1900-03-01"},
		{46082, false, "2026-03-01"}, {2958465, false, "9999-12-31"},
		{2958466, false, "it is formatted as a date and holds no date"},
		{-1, false, "it is formatted as a date and holds no date"}, {44620, true, "2026-03-01"}, {0, true, "1904-01-01"},
		{46081.999999, false, "2026-03-01"},
	} {
		got, err := (&workbook{date1904: test.from}).date(test.serial, styleDate)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: got %q, want %q", test.serial, got, test.want)
		}
	}
}

func TestWorkbookProblems(t *testing.T) {
	header := []any{"name", "age"}
	for _, test := range []struct {
		name   string
		fill   func(b *excelize.File)
		format Format
		rows   int
		want   []string
	}{
		{"formulas", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", header, []any{"Ada", 1}, []any{"Bob"})
			if err := b.SetCellFormula("Sheet1", "B3", "B2+1"); err != nil {
				t.Fatal(err)
			}
		}, Format{}, 1, []string{`sheet "Sheet1", row 3, column "age": it holds a formula without a stored result; open ` +
			`the file in a spreadsheet program and save it, or replace the formula by its value`}},
		{"merged rows", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", header, []any{"Ada", 1}, []any{"Bob", 2}, []any{"Cy", 3})
			if err := b.MergeCell("Sheet1", "B2", "B3"); err != nil {
				t.Fatal(err)
			}
		}, Format{}, 2, []string{`sheet "Sheet1", row 3, column "age": the cells B2 to B3 are merged, so that only the ` +
			`first has a value; unmerge them and fill in each row`}},
		{"merged headers", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", header, []any{"Ada", 1})
			if err := b.MergeCell("Sheet1", "A1", "B1"); err != nil {
				t.Fatal(err)
			}
		}, Format{}, 0, []string{`a.xlsx, sheet "Sheet1": the headers in columns A to B are merged into one; unmerge ` +
			`them and give each column a name`}},
		{"merged title above unknown names", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", []any{"Export"}, []any{}, header, []any{"Ada", 1})
			if err := b.MergeCell("Sheet1", "A1", "B1"); err != nil {
				t.Fatal(err)
			}
		}, reads("name", "age"), 0, []string{`a.xlsx, sheet "Sheet1": the headers in columns A to B are merged into one; ` +
			`the names of the columns stand in row 3: write header: 3 in the trigger, or remove the rows above`}},
		{"merged title", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", []any{"Export"}, header, []any{"Ada", 1})
			if err := b.MergeCell("Sheet1", "A1", "B1"); err != nil {
				t.Fatal(err)
			}
		}, Format{Header: 2}, 1, nil},
		{"long number", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", header, []any{"Ada", 1234567890123456789})
		}, Format{}, 0, []string{`sheet "Sheet1", row 2, column "age": it holds a number of more than 15 digits, of ` +
			`which spreadsheets keep only 15; format the column as text and enter the value again`}},
		{"empty", func(*excelize.File) {}, Format{}, 0,
			[]string{`a.xlsx, sheet "Sheet1": the sheet is empty; name the sheet that holds the rows with sheet:`}},
		{"no such sheet", func(*excelize.File) {}, Format{Sheet: "Forms"}, 0,
			[]string{`a.xlsx: there is no sheet "Forms"; it has "Sheet1"`}},
		{"sheet by name", func(b *excelize.File) { tabulartest.Rows(t, b, "Forms", header, []any{"Ada", 1}) },
			Format{Sheet: "forms"}, 1, nil},
		{"duplicate headers", func(b *excelize.File) { tabulartest.Rows(t, b, "Sheet1", []any{"a", "a"}) }, reads("a"), 0,
			[]string{`a.xlsx, sheet "Sheet1": columns A and B are both headed "a", which the rule reads; give each column a ` +
				`name of its own; or tell them apart in the rule: trigger["a"] and trigger["a.2"]`}},
		{"formula that the rule does not read", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", []any{"name", "note"}, []any{"Ada", nil})
			if err := b.SetCellFormula("Sheet1", "B2", "=1+1"); err != nil {
				t.Fatal(err)
			}
		}, reads("name"), 1, nil},
		{"blank rows", func(b *excelize.File) {
			tabulartest.Rows(t, b, "Sheet1", header, nil, []any{"Ada", 1},
				[]any{"", " "})
		}, Format{}, 1, nil},
		{"wide rows", func(b *excelize.File) { tabulartest.Rows(t, b, "Sheet1", header, []any{"Ada", 1, "note"}) }, Format{},
			1, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			bodies, problems := readAll(t, "a.xlsx", tabulartest.Book(t, test.fill), test.format)
			if diff := cmp.Diff(test.want, problems); diff != "" {
				t.Error(diff)
			}
			if len(bodies) != test.rows {
				t.Errorf("%d rows", len(bodies))
			}
		})
	}
}

func TestRepeatSheets(t *testing.T) {
	bodies, problems := readAll(t, "a.xlsx", tabulartest.CommCareBook(t), Format{})
	want := []map[string]any{
		{"number": "1", "formid": "f-1", "form": body{"name": "Ada", "child": []any{
			body{"name": "A", "info": body{"age": "2"}},
			body{"name": "B", "info": body{"age": "4"}, "dose": []any{body{"date": "2026-01-01"},
				body{"date": "2026-02-01"}}}}}},
		{"number": "2", "formid": "f-2", "form": body{"name": "Bea", "child": []any{}}},
		{"number": "3", "formid": "f-3", "form": body{"name": "bad",
			"child": []any{body{"name": "Z", "info": body{"age": "9"}}}}},
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`sheet "Repeat- child", row 5, column "number__0": there is no form with its number; ` +
		`export the forms and their repeat groups together`}, problems); diff != "" {
		t.Error(diff)
	}
}

func TestRepeatSheetAlone(t *testing.T) {
	bodies, problems := readAll(t, "a.xlsx", tabulartest.CommCareBook(t), Format{Sheet: "Repeat- dose"})
	want := body{"number": "1.1.0", "number__0": "1", "number__1": "1", "number__2": "0",
		"form": body{"child": body{"dose": body{"date": "2026-01-01"}}}}
	if diff := cmp.Diff(want, bodies[0]); diff != "" || len(problems) > 0 || len(bodies) != 2 {
		t.Error(diff, problems, len(bodies))
	}
}

func TestZips(t *testing.T) {
	forms := [2]string{"Forms.csv", "number,form.name\n1,Ada\n2,Bea\n"}
	child := [2]string{"Repeat: child.csv", "number,number__0,number__1,form.child.name\n1.0,1,0,A\n1.1,1,1,B\n"}
	ada := []map[string]any{{"a": "Ada"}}
	link := func() string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: "a.csv"}
		h.SetMode(os.ModeSymlink | 0o777)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("/etc/passwd")); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	truncated := tabulartest.Archive(t, [2]string{"a.csv", "a\nAda\n"})
	locked := []byte(truncated)
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1 // the flag for a password in the directory
	astray := []byte(truncated)
	copy(astray[bytes.Index(astray, []byte("PK\x01\x02"))+42:], "\xf0\xff\xff\xff") // where the entry begins
	for _, test := range []struct {
		name, file, text string
		format           Format
		want             []map[string]any
		problem          string
	}{
		{"one table", "a.zip", tabulartest.Archive(t, [2]string{"x/a.csv", "a\nAda\n"}), Format{}, ada, ""},
		{"table by name", "a.zip", tabulartest.Archive(t, [2]string{"one.csv", "a\nno\n"}, [2]string{"Two.csv", "a\nAda\n"}),
			Format{Sheet: "two"}, ada, ""},
		{"several tables", "a.zip", tabulartest.Archive(t, [2]string{"one.csv", "a\nno\n"},
			[2]string{"two.csv", "a\nAda\n"}), Format{}, nil,
			`a.zip: there are 2 tables in the zip; say which one with sheet: it has "one", "two"`},
		{"no such table", "a.zip", tabulartest.Archive(t, [2]string{"one.csv", "a\nno\n"}), Format{Sheet: "two"}, nil,
			`a.zip: there is no table "two" in the zip; it has "one"`},
		{"json", "a.zip", tabulartest.Archive(t, [2]string{"one.json", `[{"a": "Ada"}]`}), Format{}, ada, ""},
		{"workbook in a zip", "a.zip", tabulartest.Archive(t,
			[2]string{"one.xlsx", tabulartest.Book(t, func(b *excelize.File) {
				tabulartest.Rows(t, b, "Sheet1", []any{"a"},
					[]any{"Ada"})
			})}), Format{}, ada, ""},
		{"zip in a zip", "a.zip", tabulartest.Archive(t,
			[2]string{"one.zip", tabulartest.Archive(t, [2]string{"one.csv", "a\nAda\n"})}), Format{}, nil,
			"one.zip: it is packed inside another packed file; drop the inner file"},
		{"gzip", "a.csv.gz", tabulartest.Packed(t, "a\nAda\n"), Format{}, ada, ""},
		{"gzip of a zip", "a.zip.gz", tabulartest.Packed(t, tabulartest.Archive(t, [2]string{"one.csv", "a\nAda\n"})),
			Format{}, nil, "a.zip: it is packed inside another packed file; drop the inner file"},
		{"gzip of a workbook", "a.xlsx.gz", tabulartest.Packed(t,
			tabulartest.Book(t, func(b *excelize.File) { tabulartest.Rows(t, b, "Sheet1", []any{"a"}, []any{"Ada"}) })),
			Format{}, ada, ""},
		{"repeat tables", "a.zip", tabulartest.Archive(t, child, forms), Format{}, []map[string]any{
			{"number": "1", "form": body{"name": "Ada", "child": []any{body{"name": "A"}, body{"name": "B"}}}},
			{"number": "2", "form": body{"name": "Bea", "child": []any{}}}}, ""},
		{"names that lead elsewhere", "a.zip", tabulartest.Archive(t, [2]string{"../../a.csv", "a\nno\n"},
			[2]string{"/b.csv", "a\nno\n"}, [2]string{"c.csv", "a\nAda\n"}), Format{}, ada, ""},
		{"a link", "a.zip", link(), Format{}, nil,
			"a.zip: there is no table in the zip; put CSV, xlsx or JSON files into it, not links or folders only"},
		{"truncated", "a.zip", truncated[:len(truncated)-30], Format{}, nil,
			"a.zip: it begins as a zip file or workbook and cannot be opened as one: part of it is missing or damaged; copy " +
				"or export it again"},
		{"truncated gzip", "a.csv.gz", tabulartest.Packed(t, "a\nAda\nBob\n")[:25], Format{}, nil,
			"a.csv: it ends too early: part of it is missing; copy or export it again"},
		{"password", "a.zip", string(locked), Format{}, nil, "a.zip, a: it is protected by a password; save it without one"},
		{"damaged directory", "a.zip", string(astray), Format{}, nil,
			"a.zip: it ends too early: part of it is missing; copy or export it again"},
		{"workbook that is a zip", "a.xlsx", tabulartest.Archive(t, [2]string{"a.csv", "a\nAda\n"}), Format{}, nil,
			"a.xlsx: it is a zip file but no xlsx workbook; save it as xlsx in a spreadsheet program"},
		{"encrypted workbook", "a.xlsx",
			"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" +
				"....E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00", Format{}, nil,
			"a.xlsx: it is protected by a password; save it without one"},
		{"old workbook", "a.xls", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", Format{}, nil,
			"a.xls: it is a workbook of the old .xls format, or another old Office file; save it as xlsx or CSV"},
		{"bomb", "a.zip", tabulartest.Archive(t, [2]string{"a.csv", "a\n" + strings.Repeat("0\n", 17<<20)}), Format{}, nil,
			"a.zip, a: it unpacks to more than 250 times its size, as only damaged or hostile files do; export it again, and " +
				"drop it unpacked if it is right"},
		{"too big unpacked", "a.csv.gz", tabulartest.Packed(t, "a\n"+strings.Repeat("0\n", 1<<20)),
			Format{MaxUnpacked: 1 << 20}, nil,
			"a.csv.gz: it unpacks to more than 1048576 bytes; split the export into smaller files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := readAll(t, test.file, test.text, test.format)
			if diff := cmp.Diff(test.want, got); diff != "" && test.problem == "" {
				t.Error(diff)
			}
			if len(problems) > 1 || strings.Join(problems, "") != test.problem {
				t.Errorf("problems %q\nwant     %q", problems, test.problem)
			}
		})
	}
}
