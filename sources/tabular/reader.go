package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// Row is one data row of a table, or one item of a JSON document.
type Row struct {
	Number int            // 1-based data row: blank rows and the header do not count
	Line   int            // row as a spreadsheet shows it; of JSON, the item's number
	Sheet  string         // of a workbook or a zip of tables, or empty
	Body   map[string]any // the record; values of tables are text
	Cells  []string       // as read, in the order of Header, to write a failed row back
	Raw    []byte         // the text of a JSON item
	Fixes  string         // in a file of failed rows: the row that this one stands for, as Link names it

	Children []ChildRow // rows of repeat groups that belong to it
}

// Layout is the shape of a file: what is needed to write rows that look like its own.
type Layout struct {
	Kind      FormatKind
	Delimiter byte
	BOM       bool // is to begin with a UTF-8 byte order mark: the file did, or was not in UTF-8
	Sheet     string
	Header    []string
	HeaderRow int
	Repeats   []Layout // tables of repeat groups whose rows belong to rows of this one
}

// Reader reads the rows of one file in order. Reading the same content again gives the same rows
// under the same numbers. It is not safe for concurrent use.
type Reader struct {
	ctx     context.Context
	source  rowSource
	closers []io.Closer
	number  int
	broken  error
	unused  []string
	unread  []string
}

// Open opens a dropped file and reads as far as its header. The error is a *FileError when the content is to blame.
func Open(ctx context.Context, path string, f Format) (*Reader, error) {
	f = f.withDefaults()
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening dropped file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("opening dropped file: %w", err)
	}
	if !info.Mode().IsRegular() {
		file.Close()
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: filepath.Base(path)},
			Message: "it is not a regular file",
			Hint:    "drop the file itself, not a link or folder"}}
	}
	b := blob{
		name: filepath.Base(path),
		size: info.Size(),
		at:   file,
		open: func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(file, 0, info.Size())), nil },
	}
	return openBlob(ctx, b, f, file)
}

func openBlob(ctx context.Context, b blob, f Format, closers ...io.Closer) (*Reader, error) {
	r, err := openTable(ctx, b, f)
	if err != nil {
		err = nameHeaderRow(ctx, b, f, err)
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
		return nil, err
	}
	r.closers = append(slices.Clip(closers), r.closers...)
	return r, nil
}

// headerRows is how far down the names of columns are looked for, below a title.
const headerRows = 10

// nameHeaderRow says in which row the names of the columns stand, where the first row has not those
// that the rule reads and another one has: sheets of people often begin with a title.
func nameHeaderRow(ctx context.Context, b blob, f Format, refused error) error {
	var e *FileError
	if !isSheet(b.name) || f.Header != 1 || f.NoHeader || f.Reading == nil || !errors.As(refused, &e) || e.empty {
		return refused
	}
	if _, needed := newColumns(f).missing(nil, nil); needed == 0 {
		return refused
	}
	for f.Header = 2; f.Header <= headerRows; f.Header++ {
		r, err := openTable(ctx, b, f)
		if err != nil {
			continue
		}
		own := *e
		own.Hint = fmt.Sprintf(
			"the names of the columns stand in row %d: write header: %d in the trigger, or remove the rows "+
				"above",
			f.Header,
			f.Header,
		)
		return errors.Join(&own, r.Close())
	}
	return refused
}

// isSheet tells by its name whether a file is a table that a person may have laid out.
func isSheet(name string) bool {
	return slices.Contains([]string{".csv", ".tsv", ".txt", ".xlsx", ".xlsm"}, strings.ToLower(filepath.Ext(name)))
}

func openTable(ctx context.Context, b blob, f Format) (*Reader, error) {
	r := &Reader{ctx: ctx}
	source, err := r.open(b, f, true)
	if err != nil {
		if err == io.EOF {
			err = readError(b.name, io.ErrUnexpectedEOF) // an unpacker's: tables that are empty say so themselves
		}
		if cerr := r.Close(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		return nil, err
	}
	r.source = source
	if err := r.checkColumns(b.name, f); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// checkColumns refuses a table without the columns that the rule reads, and notes those that it does not read.
func (r *Reader) checkColumns(place string, f Format) error {
	header := r.source.header()
	if header == nil || f.Reading == nil {
		return nil
	}
	c := newColumns(f)
	var groups [][]string
	if j, ok := r.source.(*join); ok {
		groups = j.paths()
	}
	r.unused = c.unused(c.rename(header))
	if j, ok := r.source.(*join); ok && j.link != nil {
		r.unused = slices.DeleteFunc(r.unused, func(name string) bool { return name == j.link.mainColumn() })
	}
	if sheet := r.source.layout().Sheet; sheet != "" {
		place = fmt.Sprintf("%s, sheet %q", place, shorten(sheet))
	}
	return c.check(c.rename(header), groups, place)
}

func memoryBlob(name string, text []byte) blob {
	return blob{name: name, size: int64(len(text)), at: bytes.NewReader(text),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// open picks the reader for a file by its first bytes, name and declared format. Packed files are
// opened one level deep.
func (r *Reader) open(b blob, f Format, unpack bool) (rowSource, error) {
	head, err := b.head()
	if err != nil {
		return nil, readError(b.name, err)
	}
	if len(head) == 0 {
		return nil, emptyFile(b.name)
	}
	if err := documentFinding(b.name, head); err != nil {
		return nil, err
	}
	switch containerOf(head) {
	case ole:
		return nil, oleFinding(b)
	case gzipped:
		if !unpack {
			return nil, packedTwice(b.name)
		}
		return r.open(b.gunzip(f), f, false)
	case zipped:
		return r.openZip(b, f, unpack)
	}
	if ext := strings.ToLower(filepath.Ext(b.name)); ext == ".zip" || ext == ".gz" {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
			Message: "it is not packed though its name says so",
			Hint:    "export it again, or give it the extension of its real format"}}
	}
	if start := bytes.TrimLeft(bytes.TrimPrefix(head, bomUTF8), " \t\r\n"); len(start) > 1 && start[0] == '<' &&
		strings.IndexByte("!?hHtT", start[1]) >= 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
			Message: "it is a web page or XML document, as some programs write under the name of a workbook",
			Hint:    "save it as xlsx or CSV in a spreadsheet program"}}
	}
	kind := f.Kind
	if kind == Auto {
		kind = KindByName(b.name)
	}
	if byContent := kindByContent(head); kind == Auto ||
		kind == JSON && f.Kind == Auto && f.Items == "" && byContent == NDJSON {
		kind = byContent // one record on each line is often named .json
	}
	switch kind {
	case XLSX:
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name}, Message: "it is no xlsx workbook",
			Hint: "save it as xlsx, or give it the extension of its real format"}}
	case JSON, NDJSON:
		return openJSON(b, f, kind == NDJSON)
	}
	if kind == TSV && f.Delimiter == 0 {
		f.Delimiter = '\t'
	}
	return openCSV(b.open, b.name, f)
}

// Next gives the next row. The error is io.EOF at the end; a *RowError when the row is bad, after
// which reading goes on; a *FileError when the rest of the file cannot be read.
func (r *Reader) Next() (Row, error) {
	var row Row
	if err := r.step(func() error { return r.source.next(&row) }); err != nil {
		return Row{}, err
	}
	row.Number = r.number
	return row, nil
}

func (r *Reader) step(read func() error) error {
	if r.broken != nil {
		return r.broken
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	err := read()
	var bad *RowError
	if err != nil && !errors.As(err, &bad) {
		r.broken = err
		return err
	}
	r.number++
	return err
}

// Number is the number of the last row that Next gave, bad rows included.
func (r *Reader) Number() int { return r.number }

// Header gives the column names in order; nil for JSON.
func (r *Reader) Header() []string { return r.source.header() }

// Unused lists the columns that the rule does not read; nil where it is not known.
func (r *Reader) Unused() []string { return r.unused }

// Unread lists the tables of a workbook or zip that belong to no row of the one that is read.
func (r *Reader) Unread() []string { return r.unread }

// Layout gives the shape of the file.
func (r *Reader) Layout() Layout { return r.source.layout() }

// Skip passes over n rows, bad rows included, without making bodies of them.
func (r *Reader) Skip(n int64) error {
	for range n {
		err := r.step(r.source.skip)
		var bad *RowError
		switch {
		case err == nil || errors.As(err, &bad):
		case err == io.EOF:
			return &FileError{Problem: diag.Problem{Message: fmt.Sprintf("it has only %d rows, and %d were read from it "+
				"before", r.number, n),
				Hint: "the file was changed after it was taken; drop it again under another name"}}
		default:
			return err
		}
	}
	return nil
}

// Close frees what the reader holds. The file itself stays.
func (r *Reader) Close() error {
	var errs []error
	if r.source != nil {
		errs = append(errs, r.source.close())
	}
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i].Close())
	}
	r.closers, r.source = nil, nil
	return errors.Join(errs...)
}

// OpenBytes reads rows from content in memory, as Open does from a file with that name.
func OpenBytes(ctx context.Context, name string, text []byte, f Format) (*Reader, error) {
	return openBlob(ctx, memoryBlob(name, text), f.withDefaults())
}
