// Package tabulartest makes the files that tests of tables read: workbooks, zips, and the exports of collecting tools.
package tabulartest

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"testing"

	"github.com/xuri/excelize/v2"
)

// Packed gives a text in gzip.
func Packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Book makes a workbook; sheets are filled by the functions in the order of their names.
func Book(t testing.TB, fill func(b *excelize.File)) string {
	t.Helper()
	b := excelize.NewFile()
	defer b.Close()
	fill(b)
	out, err := b.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Rows fills a sheet, which is made when it is missing.
func Rows(t testing.TB, b *excelize.File, sheet string, rows ...[]any) {
	t.Helper()
	if i, err := b.GetSheetIndex(sheet); err == nil && i < 0 {
		if _, err := b.NewSheet(sheet); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range rows {
		if err := b.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
}

// Archive packs texts under names.
func Archive(t testing.TB, entries ...[2]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// CommCareBook is an export with a repeat group, and one inside of it.
func CommCareBook(t testing.TB) string {
	return Book(t, func(b *excelize.File) {
		if err := b.SetSheetName("Sheet1", "Forms"); err != nil {
			t.Fatal(err)
		}
		Rows(t, b, "Forms", []any{"number", "formid", "form.name"}, []any{"1", "f-1", "Ada"}, []any{"2", "f-2", "Bea"},
			[]any{"3", "f-3", "bad"})
		Rows(t, b, "Repeat- child", []any{"number", "number__0", "number__1", "form.child.name", "form.child.info.age"},
			[]any{"3.0", 3, 0, "Z", 9}, []any{"1.0", 1, 0, "A", 2}, []any{"1.1", 1, 1, "B", 4}, []any{"7.0", 7, 0, "lost", 4})
		Rows(t, b, "Repeat- dose", []any{"number", "number__0", "number__1", "number__2", "form.child.dose.date"},
			[]any{"1.1.0", 1, 1, 0, "2026-01-01"}, []any{"1.1.1", 1, 1, 1, "2026-02-01"})
		Rows(t, b, "Notes", []any{"just text"})
	})
}

const longTitle = "Household survey of the northern districts"

// KoboBook is an export with a repeat group, one inside of it, and a sheet that belongs to nothing.
func KoboBook(t testing.TB) string {
	const main = "Household survey of the nort..."
	return Book(t, func(b *excelize.File) {
		if err := b.SetSheetName("Sheet1", main); err != nil {
			t.Fatal(err)
		}
		Rows(t, b, main, []any{"facility", "_uuid", "_index"}, []any{"C1", "u-1", 1}, []any{"C2", "u-2", 2},
			[]any{"C3", "u-3", 3})
		Rows(t, b, "dose", []any{"vaccine", "_parent_table_name", "_parent_index", "_submission__uuid"},
			[]any{"bcg", "member", 2, "u-1"}, []any{"opv", "member", 2, "u-1"}, []any{"opv", "member", 3, "u-2"})
		Rows(t, b, "member", []any{"name", "_index", "_parent_table_name", "_parent_index"},
			[]any{"Ann", 1, longTitle, 1}, []any{"Ben", 2, longTitle, 1}, []any{"Cat", 3, longTitle, 2},
			[]any{"lost", 4, longTitle, 9})
		Rows(t, b, "Notes", []any{"just", "text"})
	})
}

// Tables of an export of ODK Central, by their names in the zip.
var (
	CentralForms = [2]string{"house-hold.csv",
		"SubmissionDate,facility,KEY\n2026-03-01T08:10:00.000Z,C1,uuid:1\n2026-03-02T08:10:00.000Z,C2,uuid:2\n"}
	CentralMembers = [2]string{"house-hold-mem-ber.csv",
		"name,PARENT_KEY,KEY\nAnn,uuid:1,uuid:1/g/mem-ber[1]\nBen,uuid:1,uuid:1/g/mem-ber[2]\n"}
	CentralDoses = [2]string{"house-hold-dose~1.csv",
		"vaccine,PARENT_KEY,KEY\nbcg,uuid:1/g/mem-ber[2],uuid:1/g/mem-ber[2]/dose[1]\n"}
)
