package results

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/culvert/culvert/sources/tabular"
)

// rowWriter writes rows in one format. Cells have the columns of the layout's header.
type rowWriter interface {
	write(row tabular.Row, notes notes) error
	close() error
}

// notes are what the columns that Culvert adds say of a row.
type notes struct{ cause, hint, link string }

func (n notes) cells() []string { return []string{n.cause, n.hint, n.link} }

// writeFailed writes the rows of a file that its results call failed to dst, in the file's own
// format and columns, each with its cause and what to do about it, and with what links it to the
// file of an id. Dropped again after fixing, the extra columns are no part of the record. It gives
// the number of rows and the format; dst is not made when there are none.
func writeFailed(ctx context.Context, path, id string, f tabular.Format, results, dst string, told Told) (n int,
	kind tabular.FormatKind, err error) {
	log, err := os.Open(results)
	if errors.Is(err, os.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("opening results file: %w", err)
	}
	defer log.Close()
	failed, err := failedRows(log)
	if err != nil || len(failed) == 0 {
		return 0, "", err
	}
	r, err := tabular.Open(ctx, path, f)
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	w, err := newRowWriter(dst, r.Layout(), told.Columns)
	if err != nil {
		return 0, "", err
	}
	n, err = copyFailed(r, w, log, failed, id, told)
	return n, r.Layout().Kind, errors.Join(err, w.close())
}

// placed is the place in the results file of what was last said of a row.
type placed struct{ record, offset int64 }

// failedRows lists the rows whose last outcome is failed, in the order of the file.
func failedRows(results io.Reader) ([]placed, error) {
	const settled = -1
	var list []placed
	err := Read(bufio.NewReaderSize(results, 64<<10), func(offset int64, row Row) error {
		if row.Outcome == Failed {
			list = append(list, placed{row.Record, offset})
		} else if len(list) > 0 {
			list = append(list, placed{row.Record, settled})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b placed) int { return cmp.Compare(a.record, b.record) })
	kept := list[:0]
	for i, p := range list {
		last := i+1 == len(list) || list[i+1].record != p.record
		if last && p.offset != settled && p.record > 0 {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

func copyFailed(r *tabular.Reader, w rowWriter, results io.ReaderAt, failed []placed, id string,
	told Told) (int, error) {
	for n, p := range failed {
		if err := r.Skip(p.record - 1 - int64(r.Number())); err != nil {
			return n, err
		}
		row, err := r.Next()
		var bad *tabular.RowError
		if errors.As(err, &bad) {
			row.Cells, row.Raw, row.Children = bad.Cells, bad.Raw, bad.Children
		} else if err != nil {
			return n, fmt.Errorf("reading failed rows again: %w", err)
		}
		res, err := resultAt(results, p.offset)
		if err != nil {
			return n, err
		}
		told.row(&res)
		if err := w.write(row, notes{res.said(told.Say), res.Hint, tabular.Link(id, p.record)}); err != nil {
			return n, fmt.Errorf("writing failed rows: %w", err)
		}
	}
	return len(failed), nil
}

func newRowWriter(dst string, l tabular.Layout, ours []string) (rowWriter, error) {
	if l.Kind == tabular.XLSX {
		return newXLSXWriter(dst, l, ours)
	}
	file, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing failed rows: %w", err)
	}
	buf := bufio.NewWriterSize(file, 64<<10)
	base := textWriter{file: file, buf: buf}
	if l.Kind == tabular.JSON || l.Kind == tabular.NDJSON {
		return &jsonWriter{textWriter: base, list: l.Kind == tabular.JSON}, nil
	}
	if l.BOM {
		if _, err := buf.Write([]byte("\xef\xbb\xbf")); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	// The headers stand in the row where the rule looks for them.
	if _, err := buf.WriteString(strings.Repeat("\n", max(l.HeaderRow, 1)-1)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	w := &csvWriter{textWriter: base, csv: csv.NewWriter(buf), columns: len(l.Header)}
	w.csv.Comma = rune(l.Delimiter)
	header := make([]string, 0, len(l.Header)+len(ours))
	for _, h := range l.Header {
		header = append(header, tabular.Guard(h))
	}
	return w, w.csv.Write(append(header, ours...))
}

type textWriter struct {
	file *os.File
	buf  *bufio.Writer
}

func (w *textWriter) close() error {
	return errors.Join(w.buf.Flush(), w.file.Sync(), w.file.Close())
}

type csvWriter struct {
	textWriter
	csv     *csv.Writer
	columns int
	cells   []string
}

func (w *csvWriter) write(row tabular.Row, notes notes) error {
	w.cells = w.cells[:0]
	for i := range w.columns {
		cell := ""
		if i < len(row.Cells) {
			cell = tabular.Guard(row.Cells[i])
		}
		w.cells = append(w.cells, cell)
	}
	for _, note := range notes.cells() {
		w.cells = append(w.cells, tabular.Guard(note))
	}
	return w.csv.Write(w.cells)
}

func (w *csvWriter) close() error {
	w.csv.Flush()
	return errors.Join(w.csv.Error(), w.textWriter.close())
}

// jsonWriter writes items of JSON, one on each line.
type jsonWriter struct {
	textWriter
	list bool
	n    int
}

func (w *jsonWriter) write(row tabular.Row, notes notes) error {
	var object map[string]json.RawMessage
	if json.Unmarshal(row.Raw, &object) != nil || object == nil {
		// What is no object cannot carry its cause; it is kept as text so that the line stays JSON.
		text, err := json.Marshal(string(row.Raw))
		if err != nil {
			return err
		}
		object = map[string]json.RawMessage{"culvert text": text}
	}
	for i, text := range notes.cells() {
		quoted, err := json.Marshal(text)
		if err != nil {
			return err
		}
		object[tabular.OurColumns[i]] = quoted
	}
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	before := ""
	switch {
	case w.list && w.n == 0:
		before = "[\n"
	case w.list:
		before = ",\n"
	case w.n > 0:
		before = "\n"
	}
	w.n++
	if _, err := w.buf.WriteString(before); err != nil {
		return err
	}
	_, err = w.buf.Write(line)
	return err
}

func (w *jsonWriter) close() error {
	end := "\n"
	if w.list {
		end = "\n]\n"
	}
	_, err := w.buf.WriteString(end)
	return errors.Join(err, w.textWriter.close())
}
