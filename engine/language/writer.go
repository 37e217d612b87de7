package language

import (
	"bytes"
	"io"
)

// Writer passes text on line by line, each in the language. Flush passes on what no line end has followed yet.
type Writer struct {
	To       io.Writer
	Language *Language
	line     []byte
}

// Write takes a text; it answers for all of it, also for the part that is kept until its line ends.
func (w *Writer) Write(text []byte) (int, error) {
	w.line = append(w.line, text...)
	for {
		end := bytes.IndexByte(w.line, '\n')
		if end < 0 {
			return len(text), nil
		}
		line := string(w.line[:end])
		w.line = w.line[end+1:]
		if _, err := io.WriteString(w.To, w.Language.Text(line)+"\n"); err != nil {
			return 0, err
		}
	}
}

// Flush passes on an unfinished line.
func (w *Writer) Flush() error {
	line := w.line
	w.line = nil
	_, err := io.WriteString(w.To, w.Language.Text(string(line)))
	return err
}
