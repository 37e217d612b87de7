package tabular

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/sources/tabular/tabulartest"
)

// FuzzOpen reads any bytes under any name. Whatever they are, reading ends, within the time that
// their size allows, with rows and findings only, and skipping leads to the same row numbers as
// reading.
func FuzzOpen(f *testing.F) {
	paths, err := filepath.Glob("testdata/broken/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 20000 {
			f.Add(filepath.Base(p), text)
		}
	}
	f.Add("a.xlsx", []byte(tabulartest.CommCareBook(f)))
	f.Add("a.csv", []byte("form.a | x,form.a | y,form.b: latitude (m)\n1,,5\n"))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		format := Format{MaxRow: 4096, MaxUnpacked: 1 << 20}
		started := time.Now()
		read := count(t, name, text, format, (*Reader).Next)
		skipped := count(t, name, text, format, func(r *Reader) (Row, error) {
			err := r.step(r.source.skip)
			return Row{}, err
		})
		if read != skipped {
			t.Errorf("%d rows read and %d skipped", read, skipped)
		}
		if time.Since(started) > 20*time.Second {
			t.Errorf("it took %s", time.Since(started))
		}
	})
}

// count reads to the end and checks that every error is a finding.
func count(t *testing.T, name string, text []byte, f Format, next func(*Reader) (Row, error)) int {
	r, err := OpenBytes(context.Background(), filepath.Base(name), text, f)
	var bad *RowError
	var broken *FileError
	if err != nil {
		if !errors.As(err, &broken) {
			t.Fatalf("%v is no finding", err)
		}
		return -1
	}
	defer r.Close()
	for {
		row, err := next(r)
		switch {
		case err == io.EOF:
			return r.Number()
		case errors.As(err, &broken):
			return r.Number()
		case errors.As(err, &bad):
			if bad.Message == "" || bad.Hint == "" || bad.Line == 0 {
				t.Fatalf("the finding %+v says too little", bad)
			}
		case err != nil:
			t.Fatalf("%v is no finding", err)
		case row.Body != nil && row.Line == 0:
			t.Fatal("a row without a number")
		}
	}
}

// FuzzCSV compares with encoding/csv: what that reads without an error, the lexer reads alike.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{"a,b\nc,d\n", "\"a\"\"b\",c\n", "\"a\nb\",c\r\n", "a,\"b\n", "\"a\"b,c\n",
		",\n\n\"\"\n", "a\r\nb\r", "\"a\r\nb\"\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\r\x00") || !isUTF8(text) {
			return // carriage returns inside quotes are kept here and changed there; the others are refused here
		}
		c := csv.NewReader(strings.NewReader(text))
		c.FieldsPerRecord = -1
		want, err := c.ReadAll()
		if err != nil {
			return
		}
		want = slices.DeleteFunc(want, func(cells []string) bool { return strings.TrimSpace(strings.Join(cells, "")) == "" })
		lex := newCSVLexer(iotestOneByte{strings.NewReader(text)}, ',', '\n', len(text)+1)
		var got [][]string
		for {
			fault, err := lex.next()
			if err == io.EOF {
				break
			}
			if fault != faultNone {
				t.Fatalf("fault %d in what encoding/csv reads: %q", fault, text)
			}
			got = append(got, lex.cells(nil))
		}
		if !slices.EqualFunc(want, got, slices.Equal[[]string]) {
			t.Fatalf("%q\ngot  %q\nwant %q", text, got, want)
		}
	})
}

func isUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

// iotestOneByte gives one byte at a time, so that every border of a buffer is met.
type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.r.Read(p[:1])
}

// FuzzSheet reads any XML as the sheet of a workbook.
func FuzzSheet(f *testing.F) {
	f.Add([]byte(`<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row><c ` +
		`s="1"><v>46082</v></c></row></sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells></worksheet>`))
	f.Add([]byte(`<worksheet><sheetData/></worksheet>`))
	f.Add([]byte(`<row r="1"><c r="ZZZZZZZ1" t="s"><v>0</v></c></row>`))
	f.Fuzz(func(t *testing.T, sheet []byte) {
		text := tabulartest.Archive(t, [2]string{"xl/workbook.xml",
			`<workbook xmlns:r="r"><sheets><sheet name="F" r:id="a"/></sheets></workbook>`},
			[2]string{"xl/_rels/workbook.xml.rels", `<r><Relationship Id="a" Target="s.xml"/></r>`},
			[2]string{"xl/s.xml", string(sheet)},
			[2]string{"xl/styles.xml", `<s><cellXfs><xf/><xf numFmtId="14"/></cellXfs></s>`},
			[2]string{"xl/sharedStrings.xml", `<sst><si><t>x_x000D_</t></si></sst>`})
		count(t, "a.xlsx", []byte(text), Format{MaxRow: 1 << 16}, (*Reader).Next)
	})
}
