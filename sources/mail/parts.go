package mail

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/tabular"
)

const (
	// maxDepth is how deep mails in mails, and parts in parts, are looked into.
	maxDepth = 20
	// maxParts is how many parts of a mail are looked at.
	maxParts = 500
	// maxFiles is how many files are taken from one mail.
	maxFiles = 100
)

// part is a file in a mail.
type part struct {
	number   []int // where it is in the mail, as IMAP counts
	name     string
	encoding string // in small letters
	size     int64  // bytes as they come
}

// content are the files of a mail.
type content struct {
	parts   []part
	problem string // why none can be taken, in words for people
}

// reader looks through the structure of a mail.
type reader struct {
	wants  func(name string) bool
	seen   int
	sealed string // why what there is cannot be read
	deep   bool
	content
}

// readStructure finds the files in a mail that a rule takes; glob is the rule's.
func readStructure(bs imap.BodyStructure, glob string) content {
	r := &reader{wants: func(name string) bool { return wanted(glob, name) }}
	r.walk(bs, nil, 0)
	switch {
	case r.deep:
		return content{problem: fmt.Sprintf("it holds more than %d parts, or mails in mails in mails", maxParts)}
	case len(r.parts) > maxFiles:
		return content{problem: fmt.Sprintf("it holds more than %d files: ask its sender to put them into a zip", maxFiles)}
	case len(r.parts) == 0 && r.sealed != "":
		return content{problem: r.sealed}
	case len(r.parts) == 0 && glob != "":
		return content{problem: "it holds no file whose name fits glob: of the rule"}
	case len(r.parts) == 0:
		return content{problem: "it holds no file that can be read: ask its sender to attach CSV, xlsx, JSON, NDJSON or " +
			"a zip"}
	}
	return r.content
}

func (r *reader) walk(bs imap.BodyStructure, number []int, depth int) {
	if r.seen++; r.seen > maxParts || depth > maxDepth {
		r.deep = true
		return
	}
	switch bs := bs.(type) {
	case *imap.BodyStructureMultiPart:
		for i, child := range bs.Children {
			r.walk(child, append(slices.Clone(number), i+1), depth+1)
		}
	case *imap.BodyStructureSinglePart:
		if len(number) == 0 || depth == 0 {
			number = append(slices.Clone(number), 1) // the only part of its mail
		}
		if bs.MessageRFC822 != nil && bs.MessageRFC822.BodyStructure != nil {
			r.inner(bs.MessageRFC822.BodyStructure, number, depth)
			return
		}
		r.leaf(bs, number)
	}
}

// inner looks into a mail in a mail, whose parts are counted below it.
func (r *reader) inner(bs imap.BodyStructure, number []int, depth int) {
	if single, ok := bs.(*imap.BodyStructureSinglePart); ok {
		number = append(slices.Clone(number), 1)
		bs = single
	}
	r.walk(bs, number, depth+1)
}

const (
	onlyOutlook = "it holds its files in a form that only Outlook reads (winmail.dat): ask its sender to write as HTML " +
		"or plain text"
	encrypted = "it is encrypted, or signed in a closed form: ask its sender to write without"
)

// sealed are types whose content cannot be looked into, with what to do.
var sealed = map[string]string{
	"application/ms-tnef": onlyOutlook, "application/vnd.ms-tnef": onlyOutlook,
	"application/pkcs7-mime": encrypted, "application/x-pkcs7-mime": encrypted, "application/pgp-encrypted": encrypted,
	"application/vnd.ms-outlook": "it holds its files in a mail as Outlook saves it (.msg): ask its sender to attach " +
		"the files",
	"message/external-body": "it holds no file, but says where one lies: ask its sender to attach it",
	"message/partial":       "it came in pieces: ask its sender for one mail",
}

func (r *reader) leaf(bs *imap.BodyStructureSinglePart, number []int) {
	name := fileName(bs)
	if why := sealed[bs.MediaType()]; why != "" {
		r.sealed = why
	} else if strings.EqualFold(name, "winmail.dat") {
		r.sealed = onlyOutlook
	}
	if name == "" {
		if ending := endings[bs.MediaType()]; ending != "" {
			name = "attachment-" + dotted(number) + ending
		}
	}
	if name == "" || !r.wants(name) {
		return
	}
	r.parts = append(r.parts, part{number: number, name: name, encoding: strings.ToLower(strings.TrimSpace(bs.Encoding)),
		size: int64(bs.Size)})
}

func dotted(number []int) string {
	parts := make([]string, len(number))
	for i, n := range number {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}

// endings of files that come without a name.
var endings = map[string]string{
	"text/csv": ".csv", "application/csv": ".csv", "text/comma-separated-values": ".csv", "application/json": ".json",
	"text/json": ".json", "application/x-ndjson": ".ndjson", "application/zip": ".zip",
	"application/x-zip-compressed": ".zip", "text/tab-separated-values": ".tsv",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}

// footers are what mail servers make of what others add to mails.
var footers = regexp.MustCompile(`(?i)^att\d+\.(txt|htm|html|dat)$`)

// wanted tells whether a file is data. Letters, pictures and signatures beside it are left in the mail.
func wanted(glob, name string) bool {
	if files.Unfinished(name) || !files.Wanted(glob, name) {
		return false
	}
	if glob != "" {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".txt":
		return !footers.MatchString(name)
	case ".zip", ".gz":
		return true
	case ".xls", ".xlsb", ".ods", ".mdb", ".accdb", ".sav", ".dta":
		return true // data that cannot be read, which its sender is told by whoever finds it in failed
	}
	return tabular.KindByName(strings.ToLower(name)) != tabular.Auto
}

// maxSegments is of how many pieces a name is put together.
const maxSegments = 100

// fileName gives the name of a file in a mail as it can lie here; empty where it has none.
func fileName(bs *imap.BodyStructureSinglePart) string {
	name := ""
	if d := bs.Disposition(); d != nil {
		name = parameter(d.Params, "filename")
	}
	if name == "" {
		name = parameter(bs.Params, "name")
	}
	if strings.TrimSpace(name) == "" {
		return ""
	}
	return remote.LocalName(strings.ToValidUTF8(name, "_"))
}

// parameter gives a parameter of a MIME field, also where it comes in the pieces and the encoding of RFC 2231.
func parameter(params map[string]string, key string) string {
	if text, ok := params[key+"*"]; ok {
		if decoded, ok := decodeExtended(text); ok {
			return decoded
		}
	}
	if text := joined(params, key); text != "" {
		return text
	}
	return params[key]
}

// joined puts together what comes in pieces: name*0, name*1*...
func joined(params map[string]string, key string) string {
	var text strings.Builder
	name := ""
	for n := range maxSegments {
		at := key + "*" + strconv.Itoa(n)
		if plain, ok := params[at]; ok {
			text.WriteString(plain)
			continue
		}
		extended, ok := params[at+"*"]
		if !ok {
			break
		}
		if n == 0 {
			set, rest, ok := strings.Cut(extended, "'")
			_, rest, also := strings.Cut(rest, "'")
			if !ok || !also {
				return ""
			}
			name, extended = set, rest
		}
		text.WriteString(unescape(extended))
	}
	return toUTF8(name, text.String())
}

// decodeExtended reads charset'language'text.
func decodeExtended(text string) (string, bool) {
	set, rest, ok := strings.Cut(text, "'")
	_, rest, also := strings.Cut(rest, "'")
	if !ok || !also {
		return "", false
	}
	return toUTF8(set, unescape(rest)), true
}

// unescape reads %41 as A; a sign that is followed by no number stands for itself.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if b, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

func toUTF8(set, text string) string {
	if set == "" {
		return text
	}
	r, err := decodeCharset(set, strings.NewReader(text))
	if err != nil {
		return text
	}
	out, err := io.ReadAll(r)
	if err != nil {
		return text
	}
	return string(out)
}
