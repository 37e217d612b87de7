package results

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/tabular"

	"github.com/culvert/culvert/rules/diag"
)

// Failed in a result row sends the row to the file of failed rows.
const Failed = "failed"

// Note in a result row is a remark about the file, not about a row.
const Note = "note"

// UnusedColumns is the remark that the rule does not read some columns.
func UnusedColumns(names []string) Row {
	shown := names[:min(len(names), 20)]
	cause := "the rule does not read the column " + diag.Names(shown, "and")
	if len(names) > 1 {
		cause = "the rule does not read the columns " + diag.Names(shown, "and")
	}
	if more := len(names) - len(shown); more > 0 {
		cause += fmt.Sprintf(" and %d more", more)
	}
	return Row{Outcome: Note, Problem: diag.Problem{Message: cause,
		Hint: "nothing to do, unless one of them was meant: name it in the rule"}}
}

// UnreadTables is the remark that some sheets or tables of a file were not read.
func UnreadTables(names []string) Row {
	shown := names[:min(len(names), 20)]
	cause := "nothing was read of the sheet or table " + diag.Names(shown, "and")
	if len(names) > 1 {
		cause = "nothing was read of the sheets or tables " + diag.Names(shown, "and")
	}
	if more := len(names) - len(shown); more > 0 {
		cause += fmt.Sprintf(" and %d more", more)
	}
	return Row{Outcome: Note, Problem: diag.Problem{Message: cause,
		Hint: "nothing to do, unless one of them was meant: name it with sheet: in a rule of its own"}}
}

// Row is what became of one row.
type Row struct {
	Record       int64    // number of the data row, as Row.Number
	Line         int      // row as a spreadsheet shows it
	Sheet        string   // or empty
	Outcome      string   // delivered, unchanged, skipped, failed...
	Objects      []string // UIDs in DHIS2
	ID, Key      string   // of the record that the row is; empty in results of earlier versions
	diag.Problem          // message, hint, and the column whose value is to blame, with that value
}

var resultsHeader = []string{"row", "sheet", "record", "outcome", "dhis2 ids", "cause", "fix", "column", "value", "id",
	"key"}

// formerCells is how many cells a row has that a version before ids and keys wrote.
const formerCells = 9

// wellFormed tells whether a row of results has as many cells as it may.
func wellFormed(cells []string) bool {
	return len(cells) == len(resultsHeader) || len(cells) == formerCells
}

// said is the cause with the column and value that are to blame, for the row itself, in the words of say; nil: English.
func (r *Row) said(say func(string) string) string {
	var at []string
	for i, part := range []string{r.Column, r.Value} {
		if part == "" {
			continue
		}
		name := []string{"column", "value"}[i]
		if say != nil {
			name = say(name)
		}
		at = append(at, name+" "+part)
	}
	if len(at) == 0 {
		return r.Message
	}
	return fmt.Sprintf("%s [%s]", r.Message, strings.Join(at, ", "))
}

// Writer appends to a results CSV. What lies before the offset that Sync gave survives a
// crash; what lies behind it is cut off when the file is opened again at that offset. It is not
// safe for concurrent use.
type Writer struct {
	file   *os.File
	buf    *bufio.Writer
	csv    *csv.Writer
	offset *countingWriter
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Open opens or makes a results file and continues it at an offset that Sync gave, or at its
// beginning. What it continues is a file of its own: a runner that was given up for dead and writes
// on does so into the one before.
func Open(path string, offset int64) (*Writer, error) {
	if err := renew(path, offset); err != nil {
		return nil, fmt.Errorf("opening results file: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening results file: %w", err)
	}
	w, err := continueResults(file, offset)
	if err != nil {
		file.Close()
		return nil, err
	}
	return w, nil
}

// renew puts a copy of the first bytes of a file in its place. One that is not there, or shorter, is left as it is.
func renew(path string, size int64) (err error) {
	old, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info, err := old.Stat(); err != nil || info.Size() < size {
		return errors.Join(err, old.Close())
	}
	fresh := path + ".new"
	file, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, old.Close())
	}
	_, err = io.CopyN(file, old, size)
	if err = errors.Join(err, file.Sync(), file.Close(), old.Close()); err != nil {
		return errors.Join(err, disk.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(path))
}

func continueResults(file *os.File, offset int64) (*Writer, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening results file: %w", err)
	}
	if info.Size() < offset {
		return nil, fmt.Errorf("results file %s is shorter (%d bytes) than what was written to it before (%d bytes)",
			file.Name(), info.Size(), offset)
	}
	if err := file.Truncate(offset); err != nil {
		return nil, fmt.Errorf("cutting off unfinished results: %w", err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("continuing results file: %w", err)
	}
	w := &Writer{file: file, buf: bufio.NewWriterSize(file, 64<<10)}
	w.offset = &countingWriter{w: w.buf, n: offset}
	w.csv = csv.NewWriter(w.offset)
	if offset == 0 {
		if err := w.csv.Write(resultsHeader); err != nil {
			return nil, fmt.Errorf("writing results file: %w", err)
		}
	}
	return w, nil
}

// Write adds one row. It is safe on disk only after Sync.
func (w *Writer) Write(r Row) error {
	err := w.csv.Write(r.cells())
	if err != nil {
		return fmt.Errorf("writing results file: %w", err)
	}
	return nil
}

// Sync makes everything written so far durable and gives the offset to continue at.
func (w *Writer) Sync() (offset int64, err error) {
	w.csv.Flush()
	if err := w.csv.Error(); err != nil {
		return 0, fmt.Errorf("writing results file: %w", err)
	}
	if err := w.buf.Flush(); err != nil {
		return 0, fmt.Errorf("writing results file: %w", err)
	}
	if err := w.file.Sync(); err != nil {
		return 0, fmt.Errorf("writing results file: %w", err)
	}
	return w.offset.n, nil
}

// Close syncs and closes the file.
func (w *Writer) Close() error {
	_, err := w.Sync()
	if cerr := w.file.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("closing results file: %w", cerr)
	}
	return err
}

// Read calls do for every row of a results file in its order, with the byte offset of the
// row. Do must not keep the row's slices.
func Read(r io.Reader, do func(offset int64, row Row) error) error {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	c.FieldsPerRecord = -1
	for first := true; ; first = false {
		offset := c.InputOffset()
		cells, err := c.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading results file: %w", err)
		}
		if first {
			continue
		}
		row, err := resultOf(cells)
		if err != nil {
			return err
		}
		if err := do(offset, row); err != nil {
			return err
		}
	}
}

// Remarks gives how many rows have a remark though they did not fail, and the first of them.
func Remarks(path string) (rows int, first Row, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, first, fmt.Errorf("read the results for remarks: %w", err)
	}
	defer file.Close()
	err = Read(bufio.NewReader(file), func(_ int64, r Row) error {
		if r.Message == "" || r.Outcome == Note || r.Outcome == Failed {
			return nil
		}
		if rows++; rows == 1 {
			first = r
		}
		return nil
	})
	return rows, first, err
}

func resultOf(cells []string) (Row, error) {
	if !wellFormed(cells) {
		return Row{}, fmt.Errorf("reading results file: a row has %d cells", len(cells))
	}
	line, err := strconv.Atoi(cells[0])
	if err != nil {
		return Row{}, fmt.Errorf("reading results file: row number %q: %w", cells[0], err)
	}
	record, err := strconv.ParseInt(cells[2], 10, 64)
	if err != nil {
		return Row{}, fmt.Errorf("reading results file: record number %q: %w", cells[2], err)
	}
	row := Row{Line: line, Sheet: tabular.Unguard(cells[1]), Record: record, Outcome: cells[3],
		Objects: strings.Fields(cells[4]),
		Problem: diag.Problem{Message: tabular.Unguard(cells[5]), Hint: tabular.Unguard(cells[6]),
			Column: tabular.Unguard(cells[7]),
			Value:  tabular.Unguard(cells[8])}}
	if len(cells) > formerCells {
		row.ID, row.Key = tabular.Unguard(cells[9]), tabular.Unguard(cells[10])
	}
	return row, nil
}

// resultAt reads one row of a results file.
func resultAt(f io.ReaderAt, offset int64) (Row, error) {
	c := csv.NewReader(bufio.NewReaderSize(io.NewSectionReader(f, offset, 1<<20), 512))
	cells, err := c.Read()
	if err != nil {
		return Row{}, fmt.Errorf("reading results file: %w", err)
	}
	return resultOf(cells)
}
