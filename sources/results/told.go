package results

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/culvert/culvert/sources/tabular"
)

// Told says how a person is told what became of a file's rows, who may speak another language than the run.
type Told struct {
	Header  []string            // of results; as many as Header gives
	Columns []string            // that Culvert adds to failed rows
	Row     func(*Row)          // puts what a row says into that language; nil: it stays
	Say     func(string) string // puts a word into it; nil: it stays
	Comma   rune                // of results, as spreadsheets of that language part cells
}

// Header gives the names of the columns of results.
func Header() []string { return resultsHeader }

func (t *Told) row(r *Row) {
	if t.Row != nil {
		t.Row(r)
	}
}

// Tell copies results for a person to open in a spreadsheet.
func Tell(dst io.Writer, path string, told Told) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening results file: %w", err)
	}
	defer file.Close()
	buf := bufio.NewWriterSize(dst, 64<<10)
	if _, err := buf.WriteString("\xef\xbb\xbf"); err != nil { // without it Excel takes accents for other letters
		return err
	}
	w := csv.NewWriter(buf)
	w.Comma = told.Comma
	if err := w.Write(told.Header); err != nil {
		return err
	}
	err = Read(bufio.NewReaderSize(file, 64<<10), func(_ int64, row Row) error {
		told.row(&row)
		return w.Write(row.cells())
	})
	w.Flush()
	return errors.Join(err, w.Error(), buf.Flush())
}

// TellFailed writes the failed rows of a finished file to dst for a person, in the file's own format. original is where
// the file itself lies, results where its results do. It gives how many rows failed; dst is not made when there are
// none.
func TellFailed(ctx context.Context, original, id string, f tabular.Format, results, dst string,
	told Told) (int, error) {
	n, _, err := writeFailed(ctx, original, id, f, results, dst, told)
	return n, err
}
