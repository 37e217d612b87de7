package tabular

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/charset"
)

// Fields declares the keys that say how a table is read.
func Fields() []settings.Field {
	return []settings.Field{
		{Name: "format", LeftOut: "by name and content", Words: []string{"csv", "tsv", "xlsx", "json", "ndjson"},
			Doc: "`csv`, `tsv`, `xlsx`, `json` or `ndjson`; zip and gzip are unpacked without being named"},
		{Name: "delimiter", LeftOut: "found out", Words: []string{"comma", "semicolon", "tab", "pipe"},
			Doc: "of CSV: `comma`, `semicolon`, `tab`, `pipe`, or one sign such as `\"^\"`"},
		{Name: "encoding", LeftOut: "found out", Words: charset.Common,
			Doc: "encoding of the text, such as `windows-1252`, `windows-1256` (Arabic), `cp850` (DOS) or `utf-16le`"},
		{Name: "sheet", LeftOut: "the first visible sheet, or the only table",
			Doc: "the sheet of a workbook, or the table of a zip"},
		{Name: "header", Default: "1", Schema: []string{"integer", "string"},
			Doc: "the row that holds the column names, from 1; `none` for CSV that begins with values, whose columns " +
				"`columns` names in order"},
		{Name: "columns", LeftOut: "none", Schema: []string{"array", "object", "string"},
			Doc: "column names that a file must have besides those that the rule reads: a list, or `{required: [...], " +
				"optional: [...]}`; optional ones may be missing though the rule reads them; `columns: optional` lets any be " +
				"missing. Another file is refused as a whole"},
		{Name: "short_rows", LeftOut: "such a row fails if the rule reads one of the columns",
			Words: []string{"blank", "fail"},
			Doc:   "`blank`: rows may end before the last columns, as Excel writes them"},
		{Name: "items", LeftOut: "the document is the list",
			Doc: "in a JSON object, the path of the list of records, such as `data.rows`"},
	}
}

// ReadFormat reads the keys that Fields declares.
func ReadFormat(c settings.Reader) Format {
	f := Format{Sheet: c.Text("sheet"), Items: c.Text("items")}
	switch kind := FormatKind(strings.ToLower(c.Text("format"))); kind {
	case Auto, CSV, TSV, XLSX, JSON, NDJSON:
		f.Kind = kind
	default:
		c.Wrong(c.Config.Get("format"), "format", fmt.Sprintf("no format is named %q", kind),
			"use csv, tsv, xlsx, json or ndjson; zip and gzip are unpacked without being named")
	}
	f.Delimiter = readDelimiter(c)
	f.Encoding = charset.Setting(c, "encoding")
	if text := c.Text("header"); strings.EqualFold(text, "none") {
		f.NoHeader = true
	} else if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			c.Wrong(c.Config.Get("header"), "header",
				"header is the number of the row that holds the column names, from 1 to 1000, or none",
				"write header: 1; or header: none with columns: [...] for a file that begins with values")
			n = 0
		}
		f.Header = n
	}
	readColumns(c, &f)
	if f.NoHeader && len(f.Columns) == 0 {
		c.Wrong(c.Config.Get("header"), "missing-key",
			"header: none says that the files begin with values, and nothing says what the columns are",
			"name them in order: columns: [case_id, name, visit_date]")
		f.NoHeader = false
	}
	if text := c.Text("short_rows"); text != "" {
		if f.ShortRows = text == "blank"; !f.ShortRows && text != "fail" {
			c.Wrong(c.Config.Get("short_rows"), "not-allowed", fmt.Sprintf("short_rows cannot be %q", text),
				"write blank, for files whose rows may end before the last columns, or fail")
		}
	}
	return f
}

func readDelimiter(c settings.Reader) byte {
	text := c.Text("delimiter")
	switch strings.ToLower(text) {
	case "":
		return 0
	case "comma":
		return ','
	case "semicolon":
		return ';'
	case "tab", `\t`:
		return '\t'
	case "pipe":
		return '|'
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || !ASCIIDelimiter(r) {
		c.Wrong(c.Config.Get("delimiter"), "delimiter", fmt.Sprintf("%q cannot be a delimiter", text),
			`use comma, semicolon, tab, pipe, or one other sign such as "^"`)
		return 0
	}
	return byte(r)
}

// columns reads which columns a file must have: a list, or {required: [...], optional: [...]}, or
// the word optional when any may be missing.
func readColumns(c settings.Reader, f *Format) {
	const form = "write columns: [case_id, visit_date], or columns: {required: [case_id], optional: [village]}"
	n := c.Config.Get("columns")
	switch {
	case n == nil:
	case n.Kind == yamlnode.Scalar && n.Value == "optional":
		f.AllOptional = true
	case n.Kind == yamlnode.Sequence:
		f.Columns = readNames(c, n, form)
	case n.Kind == yamlnode.Mapping:
		for _, p := range n.Pairs() {
			switch p.Key.Value {
			case "required":
				f.Columns = readNames(c, p.Value, form)
			case "optional":
				f.Optional = readNames(c, p.Value, form)
			default:
				c.Wrong(p.Key, "unknown-key", fmt.Sprintf("columns has no %q", p.Key.Value), form)
			}
		}
	default:
		c.Wrong(n, "wrong-type", "columns is a list of column names that a file must have", form)
	}
}

func readNames(c settings.Reader, n *yamlnode.Node, form string) []string {
	if n.Kind != yamlnode.Sequence {
		c.Wrong(n, "wrong-type", "columns is a list of column names", form)
		return nil
	}
	var list []string
	for _, item := range n.Items() {
		if item.Kind != yamlnode.Scalar || item.Value == "" {
			c.Wrong(item, "wrong-type", "columns is a list of column names", form)
			continue
		}
		list = append(list, item.Value)
	}
	return list
}
