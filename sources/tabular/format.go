package tabular

import (
	"bytes"
	"path"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// FormatKind names a file format.
type FormatKind string

// The formats that files are read in. Auto goes by the file's name and content.
const (
	Auto   FormatKind = ""
	CSV    FormatKind = "csv"
	TSV    FormatKind = "tsv"
	XLSX   FormatKind = "xlsx"
	JSON   FormatKind = "json"
	NDJSON FormatKind = "ndjson"
)

// Default limits. They bound memory and time for files from anywhere; real exports stay far below.
const (
	DefaultMaxRow      = 1 << 20 // bytes of one row
	DefaultMaxColumns  = 5000
	DefaultMaxUnpacked = 8 << 30 // bytes of everything read out of one zip, gzip or workbook
	maxHeaderDepth     = 32      // segments of a header such as form.group.question
	maxJSONDepth       = 64
)

// Format says how a file is to be read. The zero value finds out by itself.
type Format struct {
	Kind      FormatKind
	Delimiter byte     // of CSV; 0: found out
	Encoding  string   // as the web names it: utf-8, windows-1252, utf-16le...; empty: found out
	Sheet     string   // sheet of a workbook or table of a zip; empty: the first, or the only one
	Header    int      // the row that holds the headers, 1 where 0
	Columns   []string // headers that must be there; with NoHeader what the columns are called, in order
	NoHeader  bool     // the first row holds values already
	Optional  []string // headers that may be missing though the rule reads them
	ShortRows bool     // rows may end before the last columns, which are blank then

	AllOptional bool           // every column may be missing
	Trigger     string         // kind of the rule's trigger where that takes no files, and so declares nothing of them
	Reading     *rules.Reading // what the rule reads; nil: not known, and nothing is refused for it
	Items       string         // path of the list inside a JSON object, such as data.rows; empty: the document is the list

	MaxRow      int   // bytes; 0: DefaultMaxRow
	MaxColumns  int   // 0: DefaultMaxColumns
	MaxUnpacked int64 // bytes; 0: DefaultMaxUnpacked
}

func (f Format) withDefaults() Format {
	if f.Header <= 0 {
		f.Header = 1
	}
	if f.MaxRow <= 0 {
		f.MaxRow = DefaultMaxRow
	}
	if f.MaxColumns <= 0 {
		f.MaxColumns = DefaultMaxColumns
	}
	if f.MaxUnpacked <= 0 {
		f.MaxUnpacked = DefaultMaxUnpacked
	}
	if f.Kind == TSV && f.Delimiter == 0 {
		f.Delimiter = '\t'
	}
	return f
}

// container is what the first bytes of a file say that it is.
type container int

const (
	plain container = iota
	zipped
	gzipped
	ole // the container of old Excel files and of encrypted workbooks
)

func containerOf(head []byte) container {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipped
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return gzipped
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return ole
	}
	return plain
}

// documents are formats that hold no rows, by their first bytes, with what to do instead.
var documents = []struct{ head, what, hint string }{
	{"%PDF-", "it is a PDF document", "save the table as xlsx or CSV in the program that it comes from"},
	{"\x89PNG", "it is a picture", "drop the table itself, as xlsx or CSV"},
	{"\xff\xd8\xff", "it is a picture", "drop the table itself, as xlsx or CSV"},
	{"GIF8", "it is a picture", "drop the table itself, as xlsx or CSV"},
	{"{\\rtf", "it is a text document (RTF)", "copy the table into a spreadsheet and save it as xlsx or CSV"},
	{"\x00\x01\x00\x00Standard ", "it is a database of Microsoft Access", "export the table as xlsx or CSV"},
	{"SQLite format 3\x00", "it is an SQLite database", "read it with a database trigger, or export the table as CSV"},
	{"$FL2", "it is a file of SPSS", "export the data as CSV"},
	{"<stata_dta>", "it is a file of Stata", "export the data as CSV"},
	{"Rar!", "it is a RAR archive", "pack it as zip, or drop what is in it"},
	{"7z\xbc\xaf", "it is a 7z archive", "pack it as zip, or drop what is in it"},
}

// documentFinding says of a file that it holds no rows, nil when it may.
func documentFinding(place string, head []byte) error {
	for _, d := range documents {
		if bytes.HasPrefix(head, []byte(d.head)) {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: place}, Message: d.what, Hint: d.hint}}
		}
	}
	return nil
}

// KindByName gives the format that a file's extension stands for, Auto when it says nothing.
func KindByName(name string) FormatKind {
	switch strings.ToLower(path.Ext(name)) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".xlsx", ".xlsm":
		return XLSX
	case ".json":
		return JSON
	case ".ndjson", ".jsonl":
		return NDJSON
	}
	return Auto
}

// kindByContent tells text formats apart by how they begin.
func kindByContent(head []byte) FormatKind {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, bomUTF8), " \t\r\n")
	if len(head) == 0 {
		return CSV
	}
	switch head[0] {
	case '[':
		return JSON
	case '{':
		// One object that ends with its line is NDJSON, one that goes on is a document.
		line, rest, more := bytes.Cut(head, []byte("\n"))
		if more && bytes.HasSuffix(bytes.TrimSpace(line), []byte("}")) &&
			(len(bytes.TrimSpace(rest)) == 0 || bytes.HasPrefix(bytes.TrimSpace(rest), []byte("{"))) {
			return NDJSON
		}
		return JSON
	}
	return CSV
}
