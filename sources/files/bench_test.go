package files

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// writeCSV writes an export like CommCare's with the given rows and gives its size.
func writeCSV(b *testing.B, path string, rows int) int64 {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(f, "number,formid,form.first_name,form.last_name,form.group_a.bp,form.group_a.weight,form.case.@case_id,form.visit_date,form.notes,username,received_on")
	for i := range rows {
		fmt.Fprintf(f, "%d,0f8fad5b-d9cb-469f-a165-%012d,Amina,Otieno,120,61.5,7c9e6679-7425-40de-944b-%012d,2026-03-%02d,\"well, no danger signs\",chw%d,2026-03-01T08:00:00Z\n",
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
