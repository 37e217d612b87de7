package tabular

import (
	"archive/zip"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// writeCSV writes an export like CommCare's with the given rows and gives its size.
func writeCSV(b *testing.B, path string, rows int) int64 {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(f, "number,formid,form.first_name,form.last_name,form.group_a.bp,form.group_a.weight,"+
		"form.case.@case_id,form.visit_date,form.notes,username,received_on")
	for i := range rows {
		fmt.Fprintf(f, "%d,0f8fad5b-d9cb-469f-a165-%012d,Amina,Otieno,120,61.5,7c9e6679-7425-40de-944b-%012d,"+
			"2026-03-%02d,\"well, no danger signs\",chw%d,2026-03-01T08:00:00Z\n",
			i, i, i, i%28+1, i%50)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// BenchmarkCSV reads a whole export into record bodies; MB/s times 60 is what one core parses in a minute.
func BenchmarkCSV(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a.csv")
	const rows = 20000
	size := writeCSV(b, path, rows)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		r, err := Open(context.Background(), path, Format{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		if n != rows {
			b.Fatalf("read %d rows", n)
		}
		r.Close()
	}
}

func BenchmarkCSVSkip(b *testing.B) {
	path := filepath.Join(b.TempDir(), "a.csv")
	const rows = 20000
	b.SetBytes(writeCSV(b, path, rows))
	for b.Loop() {
		r, err := Open(context.Background(), path, Format{})
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Skip(rows); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// writeXLSX writes a workbook as spreadsheet programs do: texts shared between cells, dates as styled numbers.
func writeXLSX(b *testing.B, path string, rows int) int64 {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	z := zip.NewWriter(f)
	part := func(name string, write func(w *bufio.Writer)) {
		p, err := z.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		w := bufio.NewWriter(p)
		write(w)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	part("xl/workbook.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, `<workbook xmlns:r="r"><sheets><sheet name="Forms" sheetId="1" r:id="rId1"/></sheets></workbook>`)
	})
	part("xl/_rels/workbook.xml.rels", func(w *bufio.Writer) {
		fmt.Fprint(w, `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`)
	})
	part("xl/styles.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`)
	})
	part("xl/worksheets/sheet1.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, `<worksheet><sheetData><row r="1">`)
		for i, h := range []string{"number", "formid", "form.first_name", "form.group_a.bp", "form.case.@case_id",
			"form.visit_date", "username"} {
			fmt.Fprintf(w, `<c r="%s1" t="inlineStr"><is><t>%s</t></is></c>`, columnName(i), h)
		}
		fmt.Fprint(w, "</row>")
		for i := range rows {
			n := i + 2
			fmt.Fprintf(w, `<row r="%d"><c r="A%d"><v>%d</v></c><c r="B%d" t="s"><v>%d</v></c><c r="C%d" `+
				`t="s"><v>0</v></c><c r="D%d"><v>120</v></c>`+
				`<c r="E%d" t="s"><v>%d</v></c><c r="F%d" s="1"><v>46082</v></c><c r="G%d" t="s"><v>1</v></c></row>`, n, n, i, n,
				2+2*i, n, n, n, 3+2*i, n, n)
		}
		fmt.Fprint(w, `</sheetData></worksheet>`)
	})
	part("xl/sharedStrings.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, `<sst><si><t>Amina</t></si><si><t>chw1</t></si>`)
		for i := range rows {
			fmt.Fprintf(w, `<si><t>0f8fad5b-d9cb-469f-a165-%012d</t></si><si><t>7c9e6679-7425-40de-944b-%012d</t></si>`, i, i)
		}
		fmt.Fprint(w, `</sst>`)
	})
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return info.Size()
}

// BenchmarkXLSX reads a workbook with two texts of its own in each row, and tells the memory in use
// after every tenth of it. With CULVERT_BENCH_ROWS=1000000 it is the million rows that must stay
// within 150 MB.
func BenchmarkXLSX(b *testing.B) {
	rows := 20000
	if n, err := strconv.Atoi(os.Getenv("CULVERT_BENCH_ROWS")); err == nil {
		rows = n
	}
	path := filepath.Join(b.TempDir(), "a.xlsx")
	writeXLSX(b, path, rows)
	var peak uint64
	for b.Loop() {
		r, err := Open(context.Background(), path, Format{})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			if n%(rows/10) == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.Sys-m.HeapReleased)
			}
		}
		if n != rows {
			b.Fatalf("read %d rows", n)
		}
		r.Close()
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
}
