package tabular

import (
	"bytes"
	"mime"
	"strings"
)

// mediaTypes are those of tables.
var mediaTypes = map[string]string{
	"text/csv": ".csv", "application/csv": ".csv", "text/tab-separated-values": ".tsv", "application/json": ".json",
	"application/x-ndjson": ".ndjson", "application/ndjson": ".ndjson", "application/jsonl": ".jsonl",
	"application/zip": ".zip",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}

// Extension gives the extension for a file that has no name: of what it is packed as, of the declared
// format, else as the media type says that came with it, the extension of its address, or its
// content, of which head is the beginning.
func Extension(kind FormatKind, media, ext string, head []byte) string {
	media, _, _ = mime.ParseMediaType(media) // one that cannot be read says nothing
	named, packed := mediaTypes[media], packedExtension(head)
	switch ext = strings.ToLower(ext); {
	case packed != "" && (named == ".xlsx" || named == ".zip"):
		return named
	case packed != "":
		return packed
	case kind != Auto:
		return "." + string(kind)
	case named != "" && named != ".xlsx" && named != ".zip":
		return named
	case KindByName(ext) != Auto:
		return ext
	}
	return "." + string(kindByContent(head))
}

// packedExtension is that of a workbook, a zip or a gzip; empty for text.
func packedExtension(head []byte) string {
	switch containerOf(head) {
	case gzipped:
		return ".gz"
	case zipped:
		if bytes.Contains(head, []byte("[Content_Types].xml")) || bytes.Contains(head, []byte("xl/")) {
			return ".xlsx"
		}
		return ".zip"
	}
	return ""
}

// Known tells whether an extension is one of files that can be read.
func Known(ext string) bool {
	ext = strings.ToLower(ext)
	return KindByName(ext) != Auto || ext == ".zip" || ext == ".gz"
}
