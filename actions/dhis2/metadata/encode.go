package metadata

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
)

// On disk a collection is a JSON array with one object per line: any JSON reader takes it, and git
// shows a changed object as one line. An option set has a line for each of its options.

func (c set[T]) encode(s *Snapshot) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	out.WriteString("[\n")
	list := *c.of(s)
	for i := range list {
		if err := c.encodeOne(&out, enc, &list[i]); err != nil {
			return nil, fmt.Errorf("writing %s of %s: %w", c.id(&list[i]), c.name, err)
		}
		if i < len(list)-1 {
			out.Truncate(out.Len() - 1)
			out.WriteString(",\n")
		}
	}
	out.WriteString("]\n")
	return out.Bytes(), nil
}

// encodeOne writes an object and the end of its last line.
func (c set[T]) encodeOne(out *bytes.Buffer, enc *json.Encoder, x *T) error {
	if c.parts == nil {
		return enc.Encode(x)
	}
	whole, list := c.parts(x)
	if err := enc.Encode(whole); err != nil || len(list) == 0 {
		return err
	}
	out.Truncate(out.Len() - len("null}\n")) // the list that was left out
	for i, part := range list {
		sep := ",\n "
		if i == 0 {
			sep = "[\n "
		}
		out.WriteString(sep)
		if err := enc.Encode(part); err != nil {
			return err
		}
		out.Truncate(out.Len() - 1)
	}
	out.WriteString("]}\n")
	return nil
}

// lineError is a fault in one line of a file, counted from 1.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

// minParallel is how many bytes a goroutine should at least have to do.
const minParallel = 1 << 20

// decode reads what encode writes, large files on every core. Lines may be laid out otherwise (a
// merge by hand, another tool): then the file is read as plain JSON.
func (c set[T]) decode(text string, s *Snapshot) error {
	if c.parts != nil {
		return c.decodeAny(text, s)
	}
	body, ok := strings.CutPrefix(text, "[\n")
	body, closed := strings.CutSuffix(body, "]\n")
	if !ok || !closed || body != "" && !strings.HasSuffix(body, "\n") {
		return c.decodeAny(text, s)
	}
	chunks := splitLines(body, max(1, min(runtime.GOMAXPROCS(0), len(body)/minParallel)))
	list := make([]T, countLines(body))
	var work errgroup.Group
	start := 0
	for _, chunk := range chunks {
		n := countLines(chunk)
		into, first := list[start:start+n], start+2
		start += n
		work.Go(func() error { return c.decodeLines(chunk, into, first) })
	}
	if err := work.Wait(); err != nil {
		return err
	}
	*c.of(s) = list
	return nil
}

// decodeLines reads one object from every line; first is the number of the first line in the file.
func (c set[T]) decodeLines(text string, into []T, first int) error {
	for i := range into {
		line := text
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			line, text = text[:end], text[end+1:]
		}
		line = strings.TrimSuffix(line, ",")
		if c.parse != nil && c.parse(line, &into[i]) {
			continue
		}
		var fresh T // what a given up quick reading left behind must not stay
		if err := json.Unmarshal([]byte(line), &fresh); err != nil {
			return &lineError{line: first + i, err: plainJSON(err)}
		}
		if c.id(&fresh) == "" {
			return &lineError{line: first + i, err: fmt.Errorf("an object without an id")}
		}
		into[i] = fresh
	}
	return nil
}

// decodeAny reads a JSON array however it is laid out.
func (c set[T]) decodeAny(text string, s *Snapshot) error {
	dec := json.NewDecoder(strings.NewReader(text))
	var list []T
	if err := dec.Decode(&list); err != nil {
		at := dec.InputOffset()
		if syntax, ok := err.(*json.SyntaxError); ok {
			at = syntax.Offset
		}
		at = min(max(at, 0), int64(len(text)))
		return &lineError{line: 1 + strings.Count(text[:at], "\n"), err: plainJSON(err)}
	}
	for i := range list {
		if c.id(&list[i]) == "" {
			return &lineError{line: 1, err: fmt.Errorf("object %d has no id", i+1)}
		}
	}
	*c.of(s) = list
	c.arrange(s)
	return nil
}

// plainJSON says what encoding/json means without Go's type names.
func plainJSON(err error) error {
	switch e := err.(type) {
	case *json.UnmarshalTypeError:
		return fmt.Errorf("a %s where %q needs something else", e.Value, e.Field)
	case *json.SyntaxError:
		return fmt.Errorf("not JSON: %w", e)
	}
	return fmt.Errorf("not JSON: %w", err)
}

// countLines counts the lines of a text that ends with one.
func countLines(s string) int { return strings.Count(s, "\n") }

// splitLines cuts a text into at most n parts of about the same length, between lines.
func splitLines(s string, n int) []string {
	var parts []string
	for n > 1 && s != "" {
		at := len(s) / n
		end := strings.IndexByte(s[at:], '\n')
		if end < 0 {
			break
		}
		parts, s = append(parts, s[:at+end+1]), s[at+end+1:]
		n--
	}
	if s != "" {
		parts = append(parts, s)
	}
	return parts
}
