package results

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/culvert/culvert/sources/tabular"
)

// xlsxWriter writes every cell as text, so that nothing becomes a number, a date or a formula on
// the way. Rows of repeat groups go to sheets of their own, as they came.
type xlsxWriter struct {
	book    *excelize.File
	path    string
	main    *sheetWriter
	repeats []*sheetWriter
}

type sheetWriter struct {
	stream *excelize.StreamWriter
	header []string
	row    int
	cells  []any
}

func newXLSXWriter(dst string, l tabular.Layout, ours []string) (_ *xlsxWriter, err error) {
	w := &xlsxWriter{book: excelize.NewFile(), path: dst}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing failed rows: %w", err), w.book.Close())
		}
	}()
	names := map[string]bool{}
	l.Sheet = sheetName(l.Sheet, "Forms", names)
	if err := w.book.SetSheetName(w.book.GetSheetName(0), l.Sheet); err != nil {
		return nil, err
	}
	if w.main, err = w.sheet(l); err != nil {
		return nil, err
	}
	if err := w.main.add(l.Header, ours...); err != nil {
		return nil, err
	}
	for _, r := range l.Repeats {
		r.Sheet = sheetName(r.Sheet, "Repeat", names)
		if _, err := w.book.NewSheet(r.Sheet); err != nil {
			return nil, err
		}
		s, err := w.sheet(r)
		if err != nil {
			return nil, err
		}
		if err := s.add(r.Header); err != nil {
			return nil, err
		}
		w.repeats = append(w.repeats, s)
	}
	return w, nil
}

// sheetName makes a name that a sheet can have: at most 31 characters, without those that formulas
// use, and not taken yet.
func sheetName(name, fallback string, taken map[string]bool) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]`, r) || r < ' ' {
			return '-'
		}
		return r
	}, name), "' ")
	if name == "" {
		name = fallback
	}
	cut := func(max int) string {
		r := []rune(name)
		return string(r[:min(len(r), max)])
	}
	free := cut(31)
	for n := 2; taken[strings.ToLower(free)]; n++ {
		free = fmt.Sprintf("%s-%d", cut(27), n)
	}
	taken[strings.ToLower(free)] = true
	return free
}

func (w *xlsxWriter) sheet(l tabular.Layout) (*sheetWriter, error) {
	stream, err := w.book.NewStreamWriter(l.Sheet)
	return &sheetWriter{stream: stream, header: l.Header, row: max(l.HeaderRow, 1) - 1}, err
}

func (w *xlsxWriter) write(row tabular.Row, notes notes) error {
	if err := w.main.add(row.Cells, notes.cells()...); err != nil {
		return err
	}
	for _, c := range row.Children {
		if err := w.repeats[c.Table].add(c.Cells); err != nil {
			return err
		}
	}
	return nil
}

// add writes a row: as many cells as the header has, and then more.
func (s *sheetWriter) add(cells []string, more ...string) error {
	s.cells = s.cells[:0]
	for i := range s.header {
		if i < len(cells) && cells[i] != "" {
			s.cells = append(s.cells, cells[i])
		} else {
			s.cells = append(s.cells, nil)
		}
	}
	for _, m := range more {
		s.cells = append(s.cells, m)
	}
	s.row++
	return s.stream.SetRow(fmt.Sprintf("A%d", s.row), s.cells)
}

func (w *xlsxWriter) close() error {
	defer w.book.Close()
	for _, s := range append([]*sheetWriter{w.main}, w.repeats...) {
		if err := s.stream.Flush(); err != nil {
			return fmt.Errorf("writing failed rows: %w", err)
		}
	}
	file, err := os.OpenFile(w.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing failed rows: %w", err)
	}
	_, err = w.book.WriteTo(file)
	return errors.Join(err, file.Sync(), file.Close())
}
