package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// wrongField is one field of a content that is to blame, to be corrected without looking for it.
type wrongField struct {
	Column, Value string
	Cause         string
}

// mostFields bounds how many fields are shown for themselves.
const mostFields = 20

// wrongFields lists the fields of a content that faults are about, each once, as far as they stand in it by themselves.
func wrongFields(content string, faults []Fault) (list []wrongField) {
	for _, f := range faults {
		at := slices.IndexFunc(list, func(w wrongField) bool { return w.Column == f.Column })
		if f.Column == "" || len(list) == mostFields || at >= 0 {
			continue
		}
		begin, end, ok := findScalar(content, f.Column)
		if value := scalarText(content[begin:end]); ok && !strings.ContainsAny(value, "\r\n") {
			list = append(list, wrongField{f.Column, value, f.Message})
		} // of several lines it would come back from a browser as one
	}
	return list
}

// setFields puts what a person wrote into the fields of a content; was is what stood there when they were shown: who
// corrects the content itself as well is not undone.
func setFields(content string, columns, was, now []string) (string, error) {
	if len(columns) != len(was) || len(columns) != len(now) || len(columns) > mostFields {
		return content, refused("the form could not be read")
	}
	for i, column := range columns {
		if was[i] == now[i] {
			continue
		}
		begin, end, ok := findScalar(content, column)
		if !ok || scalarText(content[begin:end]) != was[i] {
			return content, refused(fmt.Sprintf("the content has another value for %s by now: correct it there", column))
		}
		value, err := json.Marshal(now[i])
		if err != nil {
			return content, err
		}
		if plain := strings.TrimSpace(now[i]); content[begin] != '"' && json.Valid([]byte(plain)) &&
			!strings.ContainsAny(plain[:1], `{["`) {
			value = []byte(plain) // a number, true or null stays one
		}
		content = content[:begin] + string(value) + content[end:]
	}
	return content, nil
}

// scalarText gives a JSON value that is no list and no object as a person writes it.
func scalarText(raw string) string {
	var text string
	if json.Unmarshal([]byte(raw), &text) == nil && raw != "null" {
		return text
	}
	if raw == "null" {
		return ""
	}
	return raw
}

// findScalar gives where the value of a field stands in a JSON object: one of the names of its first level, or a path
// of names with dots between. ok is false where there is none, or it is no single value.
func findScalar(content, column string) (begin, end int, ok bool) {
	for _, path := range [][]string{{column}, strings.Split(column, ".")} {
		if begin, end, ok = scalarAt(content, path); ok {
			return begin, end, true
		}
	}
	return 0, 0, false
}

// scalarAt reads no more than the objects on the way.
func scalarAt(content string, path []string) (begin, end int, ok bool) {
	d := json.NewDecoder(bytes.NewReader([]byte(content)))
	for i := range path {
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return 0, 0, false
		}
		if !goTo(d, path[i]) {
			return 0, 0, false
		}
	}
	begin = int(d.InputOffset())
	begin += strings.IndexFunc(content[begin:], func(r rune) bool { return !strings.ContainsRune(": \t\r\n", r) })
	t, err := d.Token()
	if _, nested := t.(json.Delim); err != nil || nested {
		return 0, 0, false
	}
	return begin, int(d.InputOffset()), true
}

// goTo passes over the members of an object until one of a name.
func goTo(d *json.Decoder, name string) bool {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		if key == name {
			return true
		}
		var passed json.RawMessage
		if d.Decode(&passed) != nil {
			return false
		}
	}
	return false
}
