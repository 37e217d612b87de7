package tabular

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf16"

	"github.com/culvert/culvert/rules/diag"
)

// opener opens some content from its beginning.
type opener func() (io.ReadCloser, error)

// blob is a file, or what a packed file holds.
type blob struct {
	name string // base name, for messages and to tell the format
	size int64  // of a file on disk; 0 when it is not known
	at   io.ReaderAt
	open opener
}

func (b blob) head() ([]byte, error) {
	r, err := b.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]byte, 8<<10)
	n, err := io.ReadFull(r, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if err == io.ErrUnexpectedEOF && n == 0 {
		return nil, err
	}
	return buf[:n], nil
}

// gunzip gives the content of a gzip file.
func (b blob) gunzip(f Format) blob {
	packed := b.open
	inner := b.name
	if ext := path.Ext(inner); strings.EqualFold(ext, ".gz") || strings.EqualFold(ext, ".gzip") {
		inner = strings.TrimSuffix(inner, ext)
	}
	return blob{name: inner, open: func() (io.ReadCloser, error) {
		src, err := packed()
		if err != nil {
			return nil, err
		}
		counted := &countingReader{r: src}
		z, err := gzip.NewReader(counted)
		if err != nil {
			src.Close()
			return nil, err
		}
		return &unpacking{r: z, place: b.name, packed: func() int64 { return counted.n }, limit: f.MaxUnpacked,
			closers: []io.Closer{z, src}}, nil
	}}
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// What unpacks to more than ratioLimit times its size, beyond the first ratioFrom bytes, is a bomb:
// tables shrink by 5 to 50 times.
const (
	ratioLimit = 250
	ratioFrom  = 32 << 20
)

// unpacking reads unpacked content and stops at what no honest file comes to.
type unpacking struct {
	r       io.Reader
	place   string
	packed  func() int64
	limit   int64
	n       int64
	closers []io.Closer
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.n += int64(n)
	if u.n > u.limit {
		return 0, &FileError{Problem: diag.Problem{Place: diag.Place{File: u.place},
			Message: fmt.Sprintf("it unpacks to more than %d bytes", u.limit),
			Hint:    "split the export into smaller files"}}
	}
	if u.n > ratioFrom && u.n > ratioLimit*max(u.packed(), 1) {
		return 0, &FileError{Problem: diag.Problem{Place: diag.Place{File: u.place},
			Message: fmt.Sprintf("it unpacks to more than %d times its size, as only damaged or hostile files do", ratioLimit),
			Hint:    "export it again, and drop it unpacked if it is right"}}
	}
	return n, err
}

func (u *unpacking) Close() error {
	var errs []error
	for _, c := range u.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openZip opens a workbook, or a zip that holds tables.
func (r *Reader) openZip(b blob, f Format, unpack bool) (rowSource, error) {
	if b.at == nil {
		spilled, err := spill(b)
		if err != nil {
			return nil, readError(b.name, err)
		}
		r.closers = append(r.closers, spilled)
		b.at, b.size = spilled, spilled.size
	}
	z, err := zip.NewReader(b.at, b.size)
	if err != nil {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
			Message: "it begins as a zip file or workbook and cannot be opened as one: part of it is missing or damaged",
			Hint:    "copy or export it again"}}
	}
	for _, e := range z.File {
		if strings.EqualFold(e.Name, "xl/workbook.xml") || strings.EqualFold(e.Name, "xl/workbook.bin") {
			return r.openWorkbook(b.name, z, f)
		}
	}
	for _, e := range z.File {
		if what := officeDocument(e); what != "" {
			return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name}, Message: "it is " + what,
				Hint: "save the table as xlsx or CSV"}}
		}
	}
	if f.Kind == XLSX || KindByName(b.name) == XLSX {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
			Message: "it is a zip file but no xlsx workbook",
			Hint:    "save it as xlsx in a spreadsheet program"}}
	}
	if !unpack {
		return nil, packedTwice(b.name)
	}
	return r.openTables(b.name, z, f)
}

// officeDocument tells what document a zip is by an entry that only such documents have; empty for other entries.
func officeDocument(e *zip.File) string {
	switch strings.ToLower(e.Name) {
	case "word/document.xml":
		return "a document of Word"
	case "ppt/presentation.xml":
		return "a presentation"
	case "mimetype":
		src, err := e.Open()
		if err != nil {
			return ""
		}
		defer src.Close()
		kind, err := io.ReadAll(io.LimitReader(src, 100))
		switch {
		case err != nil:
		case bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument.spreadsheet")):
			return "an OpenDocument spreadsheet (.ods)"
		case bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument")):
			return "an OpenDocument document"
		}
	}
	return ""
}

// zipTables lists the entries of a zip that may hold rows. Entries are only ever read, never
// written to disk; links and names that lead elsewhere are left out all the same, for their content
// is not what they seem.
func zipTables(z *zip.Reader) []*zip.File {
	var tables []*zip.File
	for _, e := range z.File {
		name := strings.ReplaceAll(e.Name, `\`, "/")
		base := path.Base(name)
		if e.Mode()&fs.ModeType != 0 || strings.HasSuffix(name, "/") || !fs.ValidPath(PlainName(name)) ||
			strings.HasPrefix(name, "__MACOSX/") || strings.HasPrefix(base, ".") ||
			strings.HasPrefix(name, "media/") && KindByName(base) == Auto || // the photos of ODK Central's export
			mediaName(base) {
			continue
		}
		tables = append(tables, e)
	}
	return tables
}

// mediaName tells whether a name is that of a photo, a recording or a document, which rows may name.
func mediaName(base string) bool {
	switch strings.ToLower(path.Ext(base)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".heic", ".tif", ".tiff", ".svg", ".pdf", ".mp3", ".mp4",
		".m4a", ".amr", ".wav", ".ogg", ".3gp", ".3gpp", ".mov", ".avi", ".webm":
		return true
	}
	return false
}

func tableName(e *zip.File) string {
	base := PlainName(path.Base(strings.ReplaceAll(e.Name, `\`, "/")))
	for KindByName(base) != Auto {
		base = strings.TrimSuffix(base, path.Ext(base))
	}
	return base
}

func (r *Reader) zipBlob(place string, e *zip.File, f Format) blob {
	base := PlainName(path.Base(strings.ReplaceAll(e.Name, `\`, "/")))
	return blob{name: base, open: func() (io.ReadCloser, error) { return openEntry(place, e, f) }}
}

// openEntry opens one entry of a zip within the limits.
func openEntry(place string, e *zip.File, f Format) (io.ReadCloser, error) {
	if e.Flags&1 != 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "it is protected by a password", Hint: "save it without one"}}
	}
	src, err := e.Open()
	if err != nil {
		return nil, err
	}
	size := int64(e.CompressedSize64)
	return &unpacking{r: src, place: place, packed: func() int64 { return size }, limit: f.MaxUnpacked,
		closers: []io.Closer{src}}, nil
}

// spilled is content that must be read out of order and so lies in a file of its own until the reader is closed.
type spilled struct {
	*os.File
	size int64
}

func (s *spilled) Close() error {
	return errors.Join(s.File.Close(), removeQuietly(s.Name()))
}

func removeQuietly(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func spill(b blob) (*spilled, error) {
	src, err := b.open()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	file, err := tempFile()
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(file, src)
	if err != nil {
		return nil, errors.Join(err, (&spilled{File: file}).Close())
	}
	return &spilled{File: file, size: n}, nil
}

// TempFiles are the names of the files that archives are unpacked to, in the system's folder for such
// files. Only systems that refuse to remove an open file keep them when a process is killed.
const TempFiles = "culvert-*.tmp"

// tempFile makes a file that only this user can read. Where the system allows it has no name any
// more, so that nothing is left behind.
func tempFile() (*os.File, error) {
	file, err := os.CreateTemp("", TempFiles)
	if err != nil {
		return nil, fmt.Errorf("making a temporary file: %w", err)
	}
	// Windows refuses to remove an open file; it is then removed when it is closed.
	_ = os.Remove(file.Name())
	return file, nil
}

func packedTwice(place string) error {
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
		Message: "it is packed inside another packed file", Hint: "drop the inner file"}}
}

// oleFinding tells old and encrypted workbooks apart; both lie in the same container.
func oleFinding(b blob) error {
	marker := utf16.Encode([]rune("EncryptedPackage"))
	var want bytes.Buffer
	for _, u := range marker {
		want.WriteByte(byte(u))
		want.WriteByte(byte(u >> 8))
	}
	src, err := b.open()
	if err != nil {
		return readError(b.name, err)
	}
	defer src.Close()
	text, err := io.ReadAll(io.LimitReader(src, 4<<20))
	if err != nil {
		return readError(b.name, err)
	}
	if bytes.Contains(text, want.Bytes()) {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
			Message: "it is protected by a password", Hint: "save it without one"}}
	}
	return &FileError{Problem: diag.Problem{Place: diag.Place{File: b.name},
		Message: "it is a workbook of the old .xls format, or another old Office file",
		Hint:    "save it as xlsx or CSV"}}
}
