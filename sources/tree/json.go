// Package tree decodes JSON, XML and form bodies into the trees that records are made of: maps,
// lists, text, float64, bool and nil.
package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/charset"
)

// Limits bound what is decoded. Zero values mean no limit of depth, and DefaultMemory.
type Limits struct {
	Depth  int                    // of nested objects and lists
	Memory int64                  // bytes that the decoded tree may take, roughly
	Room   func(bytes int64) bool // asked before a tree of about that size is made; nil: there is room
	Once   bool                   // refuse an object of JSON that gives one name twice
}

// DefaultMemory is how many bytes a decoded tree may take where nothing else is said. Small values
// cost much more than their text: `{}` takes thirty times its two bytes.
const DefaultMemory = 256 << 20

// ErrNoRoom says that Limits.Room had none for a tree that is not too large by itself.
var ErrNoRoom = errors.New("there is no room for it now")

// allow tells whether a tree of about that many bytes may be made.
func (l Limits) allow(bytes int64) error {
	limit := l.Memory
	if limit <= 0 {
		limit = DefaultMemory
	}
	if bytes > limit {
		return &diag.Problem{Message: fmt.Sprintf("it holds more values than are taken at once: they need "+
			"about %d MB, and %d "+
			"are allowed", bytes>>20, limit>>20), Hint: "send fewer records at once"}
	}
	if l.Room != nil && !l.Room(bytes) {
		return ErrNoRoom
	}
	return nil
}

// JSON decodes one JSON value. Numbers become float64; integers that a float64 cannot hold exactly
// become text, so that long ids keep their digits.
func JSON(text []byte, limits Limits) (any, error) {
	text, err := charset.UTF8(text, "")
	if err != nil {
		return nil, notText("JSON", err)
	}
	found, err := scan(text, limits.Depth)
	if err != nil {
		return nil, err
	}
	if err := limits.allow(found.memory); err != nil {
		return nil, err
	}
	v, err := decode(text, found.long)
	if err == nil && limits.Once && members(v) != found.members {
		if err := repeated(text); err != nil {
			return nil, err
		}
	}
	return v, err
}

func decode(text []byte, long bool) (any, error) {
	if !long {
		var v any
		if err := json.Unmarshal(text, &v); err == nil {
			return v, nil
		}
	}
	return careful(text)
}

// notText says that a body is in another encoding than the one it was read in.
func notText(what string, err error) error {
	return &diag.Problem{Message: "the " + what + " is " + err.Error(),
		Hint: "send it in UTF-8, or name the encoding that it is in"}
}

// careful decodes one number at a time, and tells what is wrong with the text.
func careful(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, jsonError(text, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &diag.Problem{Place: atLine(lineAt(text, d.InputOffset())),
			Message: "more text follows the JSON value",
			Hint:    "send one value, or a list of several"}
	}
	return Exact(v), nil
}

// Exact replaces the json.Number values of a tree: by float64 where that is exact, else by their text.
func Exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for k, e := range v {
			v[k] = Exact(e)
		}
	case []any:
		for i, e := range v {
			v[i] = Exact(e)
		}
	}
	return v
}

func number(n json.Number) any {
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	if math.Abs(f) > 1<<53 && !strings.ContainsAny(n.String(), ".eE") {
		return n.String()
	}
	return f
}

// exactDigits is how many digits any number may have that a float64 holds exactly.
const exactDigits = 15

// Bytes that the parts of a decoded tree take beside their text, as measured: an empty map, what
// the first member adds, a member, a list, a further item.
const (
	mapBytes    = 64
	firstBytes  = 256
	memberBytes = 24
	listBytes   = 48
	itemBytes   = 32
)

// scanned is what a look at a text finds.
type scanned struct {
	long    bool  // there is a number that a float64 may not hold
	memory  int64 // bytes that the decoded tree takes, about
	members int   // of all its objects
}

// scan looks at a text, and finds nesting beyond the limit before a decoder follows it down.
func scan(text []byte, limit int) (found scanned, err error) {
	depth, digits, quoted := 0, 0, false
	long, names, memory := false, 0, int64(len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if quoted {
			switch c {
			case '\\':
				if n := halfPair(text[i:]); n > 0 {
					return found, &diag.Problem{Place: atLine(lineAt(text, int64(i))),
						Message: "half of a character is written as \\u and its other half is missing",
						Hint:    "have the sender write whole characters, in UTF-8"}
				} else if n < 0 {
					i += -n - 1
					continue
				}
				i++
			case '"':
				quoted = false
			}
			continue
		}
		if '0' <= c && c <= '9' {
			digits++
			long = long || digits > exactDigits
			continue
		}
		digits = 0
		switch c {
		case '"':
			quoted = true
		case ':':
			names++
		case ',':
			memory += itemBytes
		case '{', '[':
			memory += weighOpening(text[i:])
			if depth++; limit > 0 && depth > limit {
				return found, &diag.Problem{Place: atLine(lineAt(text, int64(i))),
					Message: fmt.Sprintf("objects and lists are nested deeper than %d", limit), Hint: "send flatter data"}
			}
		case '}', ']':
			depth--
		}
	}
	return scanned{long, memory + int64(names)*memberBytes, names}, nil
}

// weighOpening weighs a map or list that begins here.
func weighOpening(text []byte) int64 {
	if text[0] == '[' {
		return listBytes
	}
	if inside := bytes.TrimLeft(text[1:min(len(text), 80)], " \t\r\n"); len(inside) > 0 && inside[0] == '}' {
		return mapBytes
	}
	return mapBytes + firstBytes
}

// halfPair looks at an escape in a string. It is above 0 for one half of a surrogate pair that
// stands alone, which decoders replace, below 0 for a whole pair, of whose length it is the
// negative, and 0 for all else.
func halfPair(text []byte) int {
	first, ok := escaped(text)
	if !ok || !utf16.IsSurrogate(first) {
		return 0
	}
	second, ok := escaped(text[6:])
	if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
		return 1
	}
	return -12
}

// escaped reads an escape such as \u00e9.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}

func jsonError(text []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		if syntax.Offset >= int64(len(text)) {
			return &diag.Problem{Place: atLine(lineAt(text, syntax.Offset)), Message: "the JSON ends too early",
				Hint: "check that all of it was sent"}
		}
		return &diag.Problem{Place: atLine(lineAt(text, syntax.Offset)),
			Message: fmt.Sprintf("this is not JSON at character %d", syntax.Offset),
			Hint:    "check quotes, commas and brackets there"}
	case err == io.EOF:
		return &diag.Problem{Message: "the body is empty", Hint: "send a JSON object"}
	case err == io.ErrUnexpectedEOF:
		return &diag.Problem{Place: atLine(lineAt(text, int64(len(text)))), Message: "the JSON ends too early",
			Hint: "check that all of it was sent"}
	}
	return &diag.Problem{Message: "this is not JSON", Hint: "check quotes, commas and brackets"}
}

func lineAt(text []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(text)))
	return 1 + bytes.Count(text[:offset], []byte("\n"))
}

// atLine is a place in a body, which has no name.
func atLine(line int) diag.Place {
	return diag.Place{Range: diag.Range{Start: diag.Position{Line: line}}}
}
