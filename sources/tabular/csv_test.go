package tabular

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/charset"
)

// readAll reads everything; bad rows are given as "row: error".
func readAll(t *testing.T, name, text string, f Format) (bodies []map[string]any, problems []string) {
	t.Helper()
	r, err := OpenBytes(context.Background(), name, []byte(text), f)
	if err != nil {
		return nil, []string{err.Error()}
	}
	defer r.Close()
	for {
		row, err := r.Next()
		var bad *RowError
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

type body = map[string]any

func TestCSVBodies(t *testing.T) {
	utf16le, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("name,age\nÉlise,30\n")
	if err != nil {
		t.Fatal(err)
	}
	utf16bare, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().String("name,age\nElise,30\n")
	if err != nil {
		t.Fatal(err)
	}
	latin, err := charmap.Windows1252.NewEncoder().String("name;age\nÉlise – Noël;30\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file, text string
		format           Format
		want             []map[string]any
	}{
		{"plain", "a.csv", "name,age\nAda,30\n", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"crlf and quotes", "a.csv", "name,note\r\n\"Ada, B\",\"said \"\"no\"\"\r\nand left\"\r\nBob,x\r\n", Format{},
			[]map[string]any{{"name": "Ada, B", "note": "said \"no\"\r\nand left"}, {"name": "Bob", "note": "x"}}},
		{"last line without end", "a.csv", "name,age\nAda,30", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"quote inside an unquoted cell", "a.csv", "name,size\nnail,5\"\n", Format{},
			[]map[string]any{{"name": "nail", "size": `5"`}}},
		{"semicolons found out", "a.csv", "name;age\nAda;30,5\nBob;31,5\n", Format{},
			[]map[string]any{{"name": "Ada", "age": "30,5"}, {"name": "Bob", "age": "31,5"}}},
		{"pipes found out", "a.txt", "name|age\nAda|30\n", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"delimiter declared", "a.csv", "name^age\nAda^30\n", Format{Delimiter: '^'},
			[]map[string]any{{"name": "Ada", "age": "30"}}},
		{"delimiter in Excel's first line", "a.csv", "sep=;\r\na,b;c\r\n1;2\r\n", Format{},
			[]map[string]any{{"a,b": "1", "c": "2"}}},
		{"tab in Excel's first line", "a.csv", "sep=\t\na\tc\n1\t2\n", Format{}, []map[string]any{{"a": "1", "c": "2"}}},
		{"tsv by name", "a.tsv", "name\tage\nAda, B\t30\n", Format{}, []map[string]any{{"name": "Ada, B", "age": "30"}}},
		{"utf-8 mark", "a.csv", "\xef\xbb\xbfname,age\nAda,30\n", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"utf-16 with mark", "a.csv", utf16le, Format{}, []map[string]any{{"name": "Élise", "age": "30"}}},
		{"utf-16 without mark", "a.csv", utf16bare, Format{}, []map[string]any{{"name": "Elise", "age": "30"}}},
		{"windows-1252 found out", "a.csv", latin, Format{}, []map[string]any{{"name": "Élise – Noël", "age": "30"}}},
		{"windows-1252 declared", "a.csv", latin, Format{Encoding: "windows-1252"},
			[]map[string]any{{"name": "Élise – Noël", "age": "30"}}},
		{"UTF-8 where another encoding is declared", "a.csv", "name,age\nÉlise,30\nZoé,31\n", Format{Encoding: "windows-1252"},
			[]map[string]any{{"name": "Élise", "age": "30"}, {"name": "Zoé", "age": "31"}}},
		{"DOS declared", "a.csv", "name,age\nJos\x82,30\n", Format{Encoding: "cp850"},
			[]map[string]any{{"name": "José", "age": "30"}}},
		{"marked twice", "a.csv", "\xef\xbb\xbf\xef\xbb\xbfname,age\nAda,30\n", Format{},
			[]map[string]any{{"name": "Ada", "age": "30"}}},
		{"a marked file behind another", "a.csv", "name,age\nAda,30\n\xef\xbb\xbf\"Bob, B\",31\n", Format{},
			[]map[string]any{{"name": "Ada", "age": "30"}, {"name": "Bob, B", "age": "31"}}},
		{"line ends of old Macs", "a.csv", "name,age\rAda,30\r", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"blank lines and empty rows", "a.csv", "\nname,age\n\nAda,30\n,\n  \nBob,31\n", Format{},
			[]map[string]any{{"name": "Ada", "age": "30"}, {"name": "Bob", "age": "31"}}},
		{"header further down", "a.csv", "Export of May\n\nname,age\nAda,30\n", Format{Header: 3},
			[]map[string]any{{"name": "Ada", "age": "30"}}},
		{"trailing delimiters", "a.csv", "name,age\nAda,30,,\n", Format{}, []map[string]any{{"name": "Ada", "age": "30"}}},
		{"not asked", "a.csv", "name,age\nAda,---\n", Format{}, []map[string]any{{"name": "Ada", "age": ""}}},
		{"our own columns", "a.csv", "name,phone,culvert cause,culvert fix\n'=Ada,+254700,x,y\n", Format{},
			[]map[string]any{{"name": "=Ada", "phone": "+254700"}}},
		{"our own columns as they were called before", "a.csv", "name,phone,culvert cause,culvert mend\n'=Ada,+254700,x,y\n",
			Format{}, []map[string]any{{"name": "=Ada", "phone": "+254700"}}},
		{"our own columns in French", "a.csv", "name;phone;culvert cause;culvert correction;culvert ligne\n'=Ada;+254700;x;y;f:1\n",
			Format{}, []map[string]any{{"name": "=Ada", "phone": "+254700"}}},
		{"our own columns in Portuguese, without a header", "a.csv",
			"name,phone,culvert causa,culvert correção,culvert linha\n'=Ada,+254700,x,y,f:1\n", Format{NoHeader: true, Columns: []string{"name", "phone"}},
			[]map[string]any{{"name": "=Ada", "phone": "+254700"}}},
		{"json list", "a.json", `[{"n": 1.5, "id": 12345678901234567890, "s": "x"}, {"n": null}]`, Format{},
			[]map[string]any{{"n": 1.5, "id": "12345678901234567890", "s": "x"}, {"n": nil}}},
		{"json below a path", "a.json", `{"meta": {"n": [1, {"x": 2}]}, "data": {"rows": [{"a": "b"}]}}`,
			Format{Items: "data.rows"}, []map[string]any{{"a": "b"}}},
		{"json one object", "a.json", "{\n\"a\": {\"b\": true}}", Format{}, []map[string]any{{"a": body{"b": true}}}},
		{"ndjson", "a.ndjson", "{\"a\":1}\n\n{\"a\":2}\n", Format{}, []map[string]any{{"a": 1.0}, {"a": 2.0}}},
		{"ndjson under the name of a document", "a.json", "{\"a\":1}\n{\"a\":2}\n", Format{},
			[]map[string]any{{"a": 1.0}, {"a": 2.0}}},
		{"ndjson by content", "a.txt", "{\"a\":1}\n{\"a\":2}\n", Format{}, []map[string]any{{"a": 1.0}, {"a": 2.0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := readAll(t, test.file, test.text, test.format)
			if len(problems) > 0 {
				t.Errorf("problems: %q", problems)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func ofWebhook(f Format) Format {
	f.Trigger = "webhook"
	return f
}

func TestCommCareHeaders(t *testing.T) {
	text := "number,formid,form.name,form.group_a.bp,form.case.@case_id,form.symptoms | fever,form.symptoms | " +
		"cough,form.symptoms | extra," +
		"form.loc: latitude (meters),form.loc: longitude (meters),form.loc: altitude (meters),form.loc: accuracy " +
		"(meters),form.visit,form.visit.kept,username\n" +
		"1,f-1,Ada,120,c-1,1,,rash itch,5.0,6.5,0,10,v,yes,chw1\n" +
		"2,f-2,---,,c-2,---,---,---,,,,,,,chw2\n"
	got, problems := readAll(t, "export.csv", text, Format{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []map[string]any{
		{"number": "1", "formid": "f-1", "username": "chw1", "form": body{
			"name": "Ada", "group_a": body{"bp": "120"}, "case": body{"@case_id": "c-1"}, "symptoms": "fever rash itch",
			"loc": "5.0 6.5 0 10", "visit": body{"#text": "v", "kept": "yes"}}},
		{"number": "2", "formid": "f-2", "username": "chw2", "form": body{
			"name": "", "group_a": body{"bp": ""}, "case": body{"@case_id": "c-2"}, "symptoms": "", "loc": "",
			"visit": body{"#text": "", "kept": ""}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadRowsDoNotStopTheRest(t *testing.T) {
	for _, test := range []struct {
		name, text string
		format     Format
		rows       []string // names of the rows read
		problems   []string
	}{
		{"cell too few", "name,age\nAda\nBob,31\n", Format{}, []string{"Bob"},
			[]string{`row 2, column "age": it ends after 1 of 2 cells: there is nothing for "age"; fill the row in to its ` +
				`end, and put cells that hold line ends in quotes; ` +
				`if the program leaves out empty cells at the end, write short_rows: blank`}},
		{"cell too many", "name,age\nAda,30,x\nBob,31\n", Format{}, []string{"Bob"},
			[]string{"row 2: it has 3 cells and the header has 2; put cells that hold the delimiter or line ends in quotes"}},
		{"quote never closed", "name,age\n\"Ada,30\nBob,31\nCy,32\n", Format{}, []string{"Bob", "Cy"},
			[]string{`row 2: a quote is opened and not closed; close it; a quote inside quoted text is written twice ("")`}},
		{"quote closed rows later", "name,age\n\"Ada,30\nBob,31\n\"Cy\",32\nDi,33\n", Format{}, []string{"Bob", "Cy", "Di"},
			[]string{`row 2: text follows a closing quote; quote the whole cell; a quote inside quoted text is written ` +
				`twice ("")`}},
		{"text after a quote", "name,age\n\"Ada\"x,30\nBob,31\n", Format{}, []string{"Bob"},
			[]string{`row 2: text follows a closing quote; quote the whole cell; a quote inside quoted text is written ` +
				`twice ("")`}},
		{"nul", "name,age\nAda,30\nB\x00b,31\nCy,32\n", Format{Encoding: "utf-8"}, []string{"Ada", "Cy"},
			[]string{`row 3, column "name": it holds a NUL byte; the row was damaged when it was written or copied; export it ` +
				"again"}},
		{"two encodings", "name,age\nÉlise,30\nNo\xebl,31\nCy,32\n", Format{}, []string{"Élise", "Cy"},
			[]string{`row 3, column "name": it is not in UTF-8 though other rows are; the file was put together from files of ` +
				"several encodings; save all of it as UTF-8"}},
		{"too long", "name,age\n" + strings.Repeat("x", 300) + ",30\nBob,31\n", Format{MaxRow: 200}, []string{"Bob"},
			[]string{"row 2: the row is longer than 200 bytes; look for a missing line end or quote before it"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bodies, problems := readAll(t, "a.csv", test.text, test.format)
			var rows []string
			for _, b := range bodies {
				rows = append(rows, b["name"].(string))
			}
			if diff := cmp.Diff(test.rows, rows); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.problems, problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRowNumbers(t *testing.T) {
	text := "name,age\nAda,30\n\nBob\n\"C\ny\",32\nDi,33\n"
	var got []string
	r, err := OpenBytes(context.Background(), "a.csv", []byte(text), Format{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		var bad *RowError
		if errors.As(err, &bad) {
			got = append(got, fmt.Sprintf("%d bad at %d", r.Number(), bad.Line))
			continue
		}
		got = append(got, fmt.Sprintf("%d at %d", row.Number, row.Line))
	}
	if diff := cmp.Diff([]string{"1 at 2", "2 bad at 4", "3 at 5", "4 at 6"}, got); diff != "" {
		t.Error(diff)
	}
}

// Skipping n rows leads to the same row as reading n rows, whatever the rows are like.
func TestSkipAgreesWithNext(t *testing.T) {
	text := "name,age\nAda,30\n\nBob\n\"C\ny\",32\n\"Di,33\nEd,34\n,\nFi,35\n"
	var all []Row
	r, err := OpenBytes(context.Background(), "a.csv", []byte(text), Format{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		all = append(all, row)
	}
	for n := range all {
		s, err := OpenBytes(context.Background(), "a.csv", []byte(text), Format{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Skip(int64(n)); err != nil {
			t.Fatal(err)
		}
		row, _ := s.Next()
		if diff := cmp.Diff(all[n], row); diff != "" {
			t.Errorf("after skipping %d: %s", n, diff)
		}
		if err := s.Skip(100); err == nil {
			t.Error("skipping past the end is no error")
		}
		s.Close()
	}
}

// reads is the format of a rule that reads some columns.
func reads(names ...string) Format {
	r := &rules.Reading{}
	for _, name := range names {
		r.Needs = append(r.Needs, [][]string{{name}})
	}
	return Format{Reading: r}
}

// TestColumnsOfARule reads tables as people make them, by what the rule reads of them.
func TestColumnsOfARule(t *testing.T) {
	either := Format{Reading: &rules.Reading{Needs: [][][]string{{{"phone"}, {"mobile"}}}}}
	optional := reads("name", "village")
	optional.Optional = []string{"Village"}
	anyway := reads("name", "village")
	anyway.AllOptional = true
	short := reads("name", "village")
	short.ShortRows = true
	none := reads("name", "age")
	none.NoHeader, none.Columns = true, []string{"name", "age"}
	for _, test := range []struct {
		name, text string
		format     Format
		want       []map[string]any
	}{
		{"case and space of headers", " Village ,FACILITY  id\nA,1\n", reads("village", "Facility ID"),
			[]map[string]any{{"village": "A", "Facility ID": "1"}}},
		{"two that differ in case", "Name,name\nA,b\n", reads("name"), []map[string]any{{"Name": "A", "name": "b"}}},
		{"one of two", "mobile\n1\n", either, []map[string]any{{"mobile": "1"}}},
		{"optional", "name\nA\n", optional, []map[string]any{{"name": "A"}}},
		{"all optional", "name\nA\n", anyway, []map[string]any{{"name": "A"}}},
		{"doubled, not read", "name,note,note\nA,x,y\n", reads("name"),
			[]map[string]any{{"name": "A", "note": "x", "note.2": "y"}}},
		{"doubled, told apart", "name,name,name.2\nA,B,C\n", reads("name", "name.3"),
			[]map[string]any{{"name": "A", "name.2": "C", "name.3": "B"}}},
		{"short, nothing read is missing", "name,note,remark\nA\nB,x\n", reads("name"),
			[]map[string]any{{"name": "A", "note": "", "remark": ""}, {"name": "B", "note": "x", "remark": ""}}},
		{"short, declared", "name,village\nA\n", short, []map[string]any{{"name": "A", "village": ""}}},
		{"no header, declared", "A,1\nB,2\n", none, []map[string]any{{"name": "A", "age": "1"}, {"name": "B", "age": "2"}}},
		{"failed rows of a file without a header", "name,age," + CauseColumn + "," + FixColumn + "\nA,1,x,y\n", none,
			[]map[string]any{{"name": "A", "age": "1"}}},
		{"space before quotes", "name, village\nAda, \"North, upper\" \n\"Bob\" ,\"x\"\n", reads("name", "village"),
			[]map[string]any{{"name": "Ada", "village": "North, upper"}, {"name": "Bob", "village": "x"}}},
		{"a space and a quote that is none", "name,height\nAda, \"5\" tall\n", reads("name"),
			[]map[string]any{{"name": "Ada", "height": ` "5" tall`}}},
		{"space before a quote over lines", "name, village\nAda, \"North\nupper\"\n", reads("name"),
			[]map[string]any{{"name": "Ada", "village": "North\nupper"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := readAll(t, "a.csv", test.text, test.format)
			if diff := cmp.Diff(test.want, got); diff != "" || len(problems) > 0 {
				t.Error(diff, problems)
			}
		})
	}
	r, err := OpenBytes(context.Background(), "a.csv", []byte("name,note\nA,x\n"), reads("name"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if diff := cmp.Diff([]string{"note"}, r.Unused()); diff != "" {
		t.Error(diff)
	}
}

func TestBadFiles(t *testing.T) {
	var wide strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&wide, "c%d,", i)
	}
	for _, test := range []struct {
		name, file, text string
		format           Format
		want             string
	}{
		{"empty", "a.csv", "", Format{},
			"a.csv: the file is empty; export it again and check that it was written to its end"},
		{"only a mark", "a.csv", "\xef\xbb\xbf", Format{},
			"a.csv: the file is empty; export it again and check that it was written to its end"},
		{"only blank lines", "a.csv", "\n\n", Format{},
			"a.csv: it ends before row 1, where the headers should be; check header:, and that the file was written to its end"},
		{"duplicate headers", "a.csv", "name,age,name\nA,1,B\n", reads("name"),
			`a.csv: columns A and C are both headed "name", which the rule reads; give each column a name of its own; ` +
				`or tell them apart in the rule: trigger["name"] and trigger["name.2"]`},
		{"column that the rule reads", "a.csv", "Village name,age\nA,1\n", reads("village", "age"),
			`a.csv: it has no column "village", which the rule reads; ` +
				`"village" may be the column "Village name": rename the column, or the name in the rule; where files may lack ` +
				`it, write columns: {optional: [village]}`},
		{"columns that the rule reads", "a.csv", "a,b\nA,1\n", reads("village", "age"),
			`a.csv: it has no columns "village" and "age", which the rule reads; ` +
				`it has "a", "b": rename the column, or the name in the rule; where files may lack it, write columns: ` +
				`{optional: [village]}`},
		{"columns of another trigger", "a.csv", "a,b\nA,1\n", ofWebhook(reads("village")),
			`a.csv: it has no column "village", which the rule reads; it has "a", "b": rename the column, or the name in the ` +
				`rule; the rule takes its records by webhook: send most files to a rule that has the trigger files`},
		{"a title above", "a.csv", "Register of 2026,,\n\nvillage,age,name\nKotu,3,Ama\n", reads("village", "age"),
			`a.csv: it has no columns "village" and "age", which the rule reads; the names of the columns stand in row 3: ` +
				`write header: 3 in the trigger, or remove the rows above`},
		{"no header", "a.csv", "Ada,3,2026-01-02\nBob,4,2026-01-03\n", reads("name", "age"),
			`a.csv: its first row holds no headers: none of the columns that the rule reads is there, but "Ada", "3", ` +
				`"2026-01-02"; ` +
				`put the names of the columns into the first row; or name them in the trigger: header: none, columns: [...]`},
		{"missing column", "a.csv", "name,age\nA,1\n", Format{Columns: []string{"case_id"}},
			`a.csv: it has no column "case_id"; it has "name", "age"; add the column, or change the rule`},
		{"missing column that is misspelt", "a.csv", "caseid,age\nA,1\n", Format{Columns: []string{"case_id"}},
			`a.csv: it has no column "case_id"; did you mean "caseid"? Rename the column, or change columns: in the rule`},
		{"10,000 columns", "a.csv", wide.String() + "\n", Format{},
			"a.csv: it has 10000 columns and at most 5000 can be read; export only the columns that the rule uses"},
		{"binary", "a.csv", "\x00\x01\x02\x00\x00\x00\x07binary\xff", Format{},
			"a.csv: it is not a text file; export it again as CSV in UTF-8, or as xlsx"},
		{"quoting of the header", "a.csv", "\"na\"me,age\nA,1\n", Format{},
			`a.csv: the header row cannot be read: text follows a closing quote; quote the whole cell; a quote inside ` +
				`quoted text is written twice ("")`},
		{"no workbook", "a.xlsx", "name,age\nA,1\n", Format{},
			"a.xlsx: it is no xlsx workbook; save it as xlsx, or give it the extension of its real format"},
		{"broken json", "a.json", `[{"a": 1}, {"a" 2}]`, Format{},
			"a.json: item 2 is not JSON; check quotes, commas and brackets there"},
		{"cut json", "a.json", `[{"a": 1}, {"a`, Format{},
			"a.json: it ends too early: part of it is missing; copy or export it again"},
		{"json with two lists", "a.json", `{"data": {"rows": [{"a": 1}], "rows": [{"a": 2}]}}`, Format{Items: "data.rows"},
			`a.json: it gives "data.rows" twice, and only the first was read; put all records into one list`},
		{"json with two lists around them", "a.json", `{"data": {"rows": []}, "n": {"data": 1}, "data": {"rows": [{"a": 2}]}}`,
			Format{Items: "data.rows"},
			`a.json: it gives "data" twice, and only the first was read; put all records into one list`},
		{"list after list", "a.json", `[{"a": 1}] [{"a": 2}]`, Format{},
			"a.json: more follows its end, which was not read; put all records into one list, or one on each line"},
		{"document after document", "a.json", "{\n\"a\": 1}\n{\"a\": 2}", Format{},
			"a.json: more follows its end, which was not read; put all records into one list, or one on each line"},
		{"json cut after its list", "a.json", `{"rows": [{"a": 1}], "n`, Format{Items: "rows"},
			"a.json: it ends too early: part of it is missing; copy or export it again"},
		{"json without a list", "a.json", `{"rows": {"a": 1}}`, Format{Items: "rows"},
			"a.json: there is no list of objects; check items: against the file"},
		{"json without the path", "a.json", `{"data": {"a": 1}}`, Format{Items: "data.rows"},
			`a.json: it has no "data.rows"; check items: against the file`},
		{"json item too long", "a.json", `[{"a": "` + strings.Repeat("x", 200000) + `"}]`, Format{MaxRow: 1000},
			"a.json: item 1 is longer than 1000 bytes; name the list of records with items:, or split the file"},
		{"web page", "a.xls", "<html><table><tr><td>a</td></tr></table></html>", Format{},
			"a.xls: it is a web page or XML document, as some programs write under the name of a workbook; save it as xlsx " +
				"or CSV in a spreadsheet program"},
		{"either of two encodings", "a.csv", "name,age\nANDR\xc9\xa0,3\n", Format{Encoding: "windows-1252"},
			"a.csv: it reads as windows-1252, which the rule declares, and as UTF-8; save it as CSV UTF-8 with a byte order " +
				"mark, as Excel does"},
		{"unknown encoding", "a.csv", "name\nA\n", Format{Encoding: "klingon"},
			`a.csv: no encoding is named "klingon"; use ` + charset.Examples},
		{"Arabic without a word", "a.csv", "name,age\n\xe3\xcd\xe3\xcf,3\n", Format{},
			"a.csv: it is not in UTF-8, and its letters fit no Western European encoding; save it as CSV UTF-8, or declare " +
				"what it is in: " +
				"encoding: windows-1256 (Arabic), windows-1251 (Cyrillic), cp850 (DOS) or macintosh"},
		{"DOS without a word", "a.csv", "name,age\nJos\x82,3\n", Format{},
			"a.csv: it is not in UTF-8, and its letters fit no Western European encoding; save it as CSV UTF-8, or declare " +
				"what it is in: " +
				"encoding: windows-1256 (Arabic), windows-1251 (Cyrillic), cp850 (DOS) or macintosh"},
		{"PDF", "a.csv", "%PDF-1.7\n%\xe2\xe3", Format{},
			"a.csv: it is a PDF document; save the table as xlsx or CSV in the program that it comes from"},
		{"picture", "a.csv", "\x89PNG\r\n\x1a\n\x00", Format{},
			"a.csv: it is a picture; drop the table itself, as xlsx or CSV"},
		{"rich text", "a.csv", "{\\rtf1 a", Format{},
			"a.csv: it is a text document (RTF); copy the table into a spreadsheet and save it as xlsx or CSV"},
		{"Access", "a.csv", "\x00\x01\x00\x00Standard Jet DB\x00", Format{},
			"a.csv: it is a database of Microsoft Access; export the table as xlsx or CSV"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := readAll(t, test.file, test.text, test.format)
			if len(problems) == 0 || problems[len(problems)-1] != test.want {
				t.Errorf("got  %q\nwant %q", problems, test.want)
			}
		})
	}
}

// TestHeaderRow looks for the names of columns below a title.
func TestHeaderRow(t *testing.T) {
	for text, want := range map[string]int{
		"id,name\n1,Ama\n":                        1,
		"Register 2026;;\n;;\nid;name;sex\n1;A;f": 3,
		"Register of 2026\nid,name\n1,Ama\n":      2,
		"name\nAma\nBintou\n":                     1,
		"":                                        1,
	} {
		if got := HeaderRow("a.csv", []byte(text)); got != want {
			t.Errorf("%q: row %d, want %d", text, got, want)
		}
	}
	if got := HeaderRow("a.json", []byte("[]")); got != 1 {
		t.Errorf("JSON: row %d", got)
	}
}
