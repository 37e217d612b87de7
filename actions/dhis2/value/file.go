package value

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// MaxFile is the size of the largest file that DHIS2 takes unless it is set otherwise (max.file_upload_size).
const MaxFile = 10_000_000

// File is a file that is the value of an attribute or data element.
type File struct {
	Name    string // without a folder
	Type    string // image/jpeg
	Content []byte
	Sum     string // SHA-256 of the content, in hex; of a file to be fetched, that of its key

	kind  Kind
	fetch func(ctx context.Context, limit int64) (content []byte, mediaType string, err error)
}

// Later gives a file that is fetched when it is sent. key says which content it is.
func (k *Kind) Later(name, key string,
	fetch func(ctx context.Context, limit int64) (content []byte, mediaType string, err error)) Result {
	sum := sha256.Sum256([]byte("key:" + key))
	f := &File{Name: baseName(name), Sum: hex.EncodeToString(sum[:]), kind: *k, fetch: fetch}
	return Result{Text: "file:" + f.Sum, File: f}
}

// Load gives the file with its content, fetched where it is not there yet. The error is a *Problem
// of what came, or of whoever fetches.
func (f *File) Load(ctx context.Context) (*File, error) {
	if f.fetch == nil {
		return f, nil
	}
	content, mediaType, err := f.fetch(ctx, MaxFile)
	if err != nil {
		return nil, err
	}
	if len(content) == 0 {
		return nil, &diag.Problem{Code: "file-unreadable", Message: "is an empty file",
			Hint: "see that the source holds the file"}
	}
	loaded := &File{Name: f.Name, Type: baseType(mediaType), Content: content, Sum: f.Sum}
	if loaded.Type == "application/octet-stream" {
		loaded.Type = "" // what servers say of what they do not know
	}
	if p := f.kind.settle(loaded); p != nil {
		return nil, p
	}
	return loaded, nil
}

// Fetched tells whether Load asks another system for the content.
func (f *File) Fetched() bool { return f.fetch != nil }

// String tells what the file is, not what it holds.
func (f *File) String() string {
	if f.fetch != nil {
		return f.Name + " (fetched when it is sent)"
	}
	return fmt.Sprintf("%s (%s, %d bytes)", f.Name, f.Type, len(f.Content))
}

// imageTypes are the images that DHIS2 takes for IMAGE on every version; it goes by the type that
// the file is uploaded with.
var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/bmp"}

// Files that could be run, or shown by a browser as a page, are refused by DHIS2 by their type and
// by their name (FileResourceBlocklist).
var (
	blockedTypes = strings.Fields(`text/html text/css text/javascript font/otf application/x-shockwave-flash
		application/vnd.debian.binary-package application/x-rpm application/java-archive application/x-ms-dos-executable
		application/x-msdownload application/vnd.microsoft.portable-executable application/vnd.apple.installer+xml
		application/vnd.mozilla.xul+xml application/x-httpd-php application/x-sh application/x-csh`)
	blockedEndings = strings.Fields("html htm css js mjs otf swf deb rpm jar jsp exe msi mpkg xul php bin sh csh bat")
)

// HoldsFile tells whether the values are files.
func (k *Kind) HoldsFile() bool { return k.Type == "FILE_RESOURCE" || k.Type == "IMAGE" }

// file reads a file: a data URL, an object with base64 and perhaps name and type (what a source
// makes of an attachment), or bare base64 of content whose type shows in it.
func (k *Kind) file(v any) (Result, *diag.Problem) {
	f, p := readFile(v)
	if p != nil || f == nil {
		return Result{Blank: p == nil}, p
	}
	if p := k.settle(f); p != nil {
		return Result{}, p
	}
	sum := sha256.Sum256(f.Content)
	f.Sum = hex.EncodeToString(sum[:])
	return Result{Text: "sha256:" + f.Sum, File: f}, nil
}

// settle gives a file the type that its content shows, and a name, and checks it.
func (k *Kind) settle(f *File) *diag.Problem {
	sniffed := baseType(http.DetectContentType(f.Content))
	switch {
	case f.Type == "":
		f.Type = sniffed
	case k.Type == "IMAGE" && slices.Contains(imageTypes, sniffed):
		f.Type = sniffed // a phone that calls every photo image/jpg
	}
	if f.Name == "" {
		f.Name = "file" + endingOf(f.Type)
	}
	return k.checkFile(f, sniffed)
}

func (k *Kind) checkFile(f *File, sniffed string) *diag.Problem {
	ending := strings.TrimPrefix(strings.ToLower(path.Ext(f.Name)), ".")
	switch {
	case len(f.Content) > MaxFile:
		return &diag.Problem{Code: "file-too-large",
			Message: fmt.Sprintf("is a file of more than %d bytes, the most that DHIS2 takes", MaxFile),
			Hint:    "make it smaller at the source: set a lower resolution of photos there"}
	case slices.Contains(blockedTypes, f.Type), slices.Contains(blockedTypes, sniffed),
		slices.Contains(blockedEndings, ending):
		return &diag.Problem{Code: "file-wrong-type",
			Message: "is a kind of file that DHIS2 refuses: one that could be run, or shown as a page",
			Hint:    "send images, documents or data"}
	case k.Type == "IMAGE" && !slices.Contains(imageTypes, sniffed):
		return &diag.Problem{Code: "file-wrong-type", Message: "is not an image in a format that DHIS2 takes",
			Hint: "send JPEG, PNG, GIF or BMP, or use a data element or attribute of the type File"}
	}
	return nil
}

// unreadable is the problem of what is no file. The usual mistake is a form's answer, which holds the file's name only.
func unreadable(hint string) *diag.Problem {
	return &diag.Problem{Code: "file-unreadable", Message: "is not a file", Hint: hint}
}

const fileForms = `give data:image/jpeg;base64,... or {name: ..., type: ..., base64: ...}; the name of a file is ` +
	`understood of forms that are pulled, of rows of dropped files, and where files come with the record ` +
	`(attachments: true in the trigger of a webhook)`

// readFile gives the file in a value, nil when it is blank.
func readFile(v any) (*File, *diag.Problem) {
	f, text := &File{}, ""
	switch v := v.(type) {
	case string:
		text = strings.TrimSpace(v)
	case map[string]any:
		name, _ := v["name"].(string)
		typ, _ := v["type"].(string)
		content, ok := v["base64"].(string)
		if !ok {
			return nil, unreadable(fileForms)
		}
		f.Name, f.Type, text = baseName(name), baseType(typ), strings.TrimSpace(content)
	default:
		return nil, unreadable(fileForms)
	}
	if text == "" {
		return nil, nil
	}
	declared := f.Type != "" || f.Name != ""
	if rest, ok := strings.CutPrefix(text, "data:"); ok {
		head, content, found := strings.Cut(rest, ",")
		head, isBase64 := strings.CutSuffix(head, ";base64")
		if !found || !isBase64 {
			return nil, unreadable(fileForms)
		}
		f.Type, text, declared = baseType(head), content, true
	}
	if len(text) > MaxFile*3/2 {
		f.Content = make([]byte, MaxFile+1) // refused as too large, without being decoded
		return f, nil
	}
	content, ok := decodeBase64(text)
	if !ok || len(content) == 0 {
		return nil, unreadable(fileForms)
	}
	// Any word of four letters is base64: without a name or type the content itself must show what it is.
	if sniffed := baseType(http.DetectContentType(content)); !declared &&
		(sniffed == "application/octet-stream" || sniffed == "text/plain") {
		return nil, unreadable(fileForms)
	}
	f.Content = content
	return f, nil
}

// decodeBase64 reads either alphabet, with or without padding and line breaks.
func decodeBase64(text string) ([]byte, bool) {
	text = strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', ' ', '\t':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, text)
	content, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	return content, err == nil
}

// baseType is a media type without its parameters; empty when it is none.
func baseType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil || !strings.Contains(t, "/") {
		return ""
	}
	return t
}

// baseName is a file's name without folders, also those of Windows, and without what a header cannot hold.
func baseName(s string) string {
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == '"' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[len(s)-200:], "")
	}
	return s
}

func endingOf(typ string) string {
	switch typ {
	case "image/jpeg":
		return ".jpg"
	case "text/plain":
		return ".txt"
	}
	if endings, err := mime.ExtensionsByType(typ); err == nil && len(endings) > 0 {
		return endings[0]
	}
	return ""
}
