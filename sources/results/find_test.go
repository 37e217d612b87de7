package results

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// written makes results of so many rows, some of which have texts that run over line ends.
func written(t testing.TB, n int64) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anc.results.csv")
	w, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(UnusedColumns([]string{"note"})); err != nil {
		t.Fatal(err)
	}
	for i := int64(1); i <= n; i++ {
		row := Row{Record: i, Line: int(i) + 1, Outcome: "delivered", Objects: []string{fmt.Sprintf("person%d", i),
			fmt.Sprintf("visit%d", i)}, ID: fmt.Sprintf(`form "%d"`, i), Key: fmt.Sprintf("case-%d", i/2)}
		if i%10 == 0 {
			row.Outcome = "skipped"
			row.Problem = diag.Problem{Message: "a text\n12,,3,failed,x,\n1,,1,skipped,forged,,,,,id,key\nof \"lines\"", Value: "=1"}
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// TestFindIsNotForged takes no line of what people wrote for a row, however it looks, and finds rows of many lines.
func TestFindIsNotForged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anc.results.csv")
	w, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	forged := "no number\n9,,9,delivered,forged00001,,,,,id9,key9\n" + `"` + "\n9,,9,delivered,forged00001,,,,,id9,key9\n"
	for i := int64(1); i <= 9; i++ {
		row := Row{Record: i, Line: int(i), Outcome: "failed", ID: fmt.Sprintf("id%d", i),
			Key: strings.Repeat("a\n", 200), Problem: diag.Problem{Message: "wrong", Value: forged}}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []Query{{Texts: []string{"id9"}}, {Line: 9}, {Record: 9}, {Texts: []string{"forged00001"}}, {}} {
		rows, _, err := Find(t.Context(), file, info.Size(), 0, q, Budget{Rows: 100})
		if err != nil {
			t.Fatal(err)
		}
		want := 1
		switch {
		case len(q.Texts) > 0 && q.Texts[0] == "forged00001":
			want = 0
		case len(q.Texts) == 0 && q.Line == 0 && q.Record == 0:
			want = 9
		}
		if len(rows) != want || slices.ContainsFunc(rows, func(r Row) bool { return r.Outcome != "failed" }) {
			t.Errorf("%+v finds %+v", q, rows)
		}
	}
}

// all looks until the end, so many bytes and rows at a time.
func all(t testing.TB, file *os.File, q Query, b Budget) (records []int64) {
	t.Helper()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for from, looks := int64(0), 0; ; looks++ {
		rows, next, err := Find(context.Background(), file, info.Size(), from, q, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			records = append(records, r.Record)
		}
		if next == 0 {
			return records
		}
		if next <= from || looks > 100_000 {
			t.Fatalf("it goes from %d to %d", from, next)
		}
		from = next
	}
}

// TestFind finds rows by whatever they are called, in one look and in many.
func TestFind(t *testing.T) {
	const rows = 40_000 // some stretches
	file := written(t, rows)
	tenths := func(end int64) (list []int64) {
		for i := int64(10); i <= end; i += 10 {
			list = append(list, i)
		}
		return list
	}
	everyone := make([]int64, rows)
	for i := range everyone {
		everyone[i] = int64(i) + 1
	}
	for name, c := range map[string]struct {
		q    Query
		want []int64
	}{
		"id":                    {Query{Texts: []string{`form "30001"`}}, []int64{30001}},
		"key":                   {Query{Texts: []string{"case-10000"}}, []int64{20000, 20001}},
		"object":                {Query{Texts: []string{"visit39999"}}, []int64{39999}},
		"one of several":        {Query{Texts: []string{"visit7", "nobody", "person39990"}}, []int64{7, 39990}},
		"part of a name":        {Query{Texts: []string{"case-1000"}}, []int64{2000, 2001}},
		"nobody":                {Query{Texts: []string{"case"}}, nil},
		"record":                {Query{Record: 3}, []int64{3}},
		"line":                  {Query{Line: 12}, []int64{11}},
		"line or id":            {Query{Line: 12, Texts: []string{`form "12"`}}, []int64{11, 12}},
		"the last":              {Query{Record: rows}, []int64{rows}},
		"outcome":               {Query{Outcome: "skipped"}, tenths(rows)},
		"everything":            {Query{}, everyone},
		"id of another outcome": {Query{Texts: []string{`form "30001"`}, Outcome: "skipped"}, nil},
	} {
		for _, b := range []Budget{{Rows: 1_000_000}, {Rows: 100}, {Rows: 1_000_000, Bytes: 1},
			{Rows: 1_000_000, Until: time.Unix(0, 0)}} {
			if got := all(t, file, c.q, b); !slices.Equal(got, c.want) {
				t.Errorf("%s, %+v: %d rows %v, want %d", name, b, len(got), got[:min(len(got), 20)], len(c.want))
			}
		}
	}
}

// TestFindInFormerResults reads what a version without ids wrote, before what this one added.
func TestFindInFormerResults(t *testing.T) {
	text := "row,sheet,record,outcome,dhis2 ids,cause,fix,column,value\n2,,1,delivered,uid1,,,,\n3,,2,delivered,uid2,,,,,form-2,case-2\n"
	for object, want := range map[string]string{"uid1": "", "uid2": "form-2"} {
		rows, next, err := Find(context.Background(), strings.NewReader(text), int64(len(text)), 0,
			Query{Texts: []string{object}}, Budget{Rows: 10})
		if err != nil || next != 0 || len(rows) != 1 || rows[0].ID != want {
			t.Errorf("%s: %+v, %d, %v", object, rows, next, err)
		}
	}
	n := 0
	if err := Read(strings.NewReader(text), func(int64, Row) error { n++; return nil }); err != nil || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestFindInNoResults gives up on what is no results file.
func TestFindInNoResults(t *testing.T) {
	text := strings.Repeat("x", 3*findStep)
	if _, _, err := Find(context.Background(), strings.NewReader(text), int64(len(text)), 0, Query{Texts: []string{"y"}},
		Budget{Rows: 1}); err == nil {
		t.Error("no error")
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("row\n2,,1,delivered,uid1,,,,,a,b\n\"3\n"), "uid1", int64(3))
	f.Fuzz(func(t *testing.T, text []byte, want string, from int64) {
		size := int64(len(text))
		for looks := int64(0); from >= 0 && from < size; looks++ {
			rows, next, err := Find(context.Background(), strings.NewReader(string(text)), size, from,
				Query{Texts: []string{want}}, Budget{Rows: 1})
			if err != nil || next == 0 {
				return
			}
			if next <= from || len(rows) > 1 || looks > size {
				t.Fatalf("from %d to %d, %d rows", from, next, len(rows))
			}
			from = next
		}
	})
}

func BenchmarkFind(b *testing.B) {
	file := written(b, 1_000_000)
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if _, _, err := Find(context.Background(), file, info.Size(), 0, Query{Texts: []string{"nobody-at-all"}},
			Budget{Rows: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
