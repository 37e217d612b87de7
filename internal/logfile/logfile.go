// Package logfile writes a log into a file and turns it over by size, for programs whose output
// nobody else keeps: a Windows service has none.
package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Limits of a log and of how many older ones are kept.
const (
	MaxSize = 10 << 20
	Keep    = 8
)

// Writer is a log file. Make it with Open.
type Writer struct {
	path    string
	maxSize int64
	keep    int

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open opens or makes a log, which its owner alone can read, and its folder.
func Open(path string) (*Writer, error) { return open(path, MaxSize, Keep) }

func open(path string, maxSize int64, keep int) (*Writer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	w := &Writer{path: path, maxSize: maxSize, keep: keep}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) begin() error {
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("open the log: %w", err)
	}
	w.file, w.size = f, info.Size()
	return nil
}

// Write appends one line. Lines are not cut in two: a log that is full is turned over before the next one.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.size > 0 && w.size+int64(len(line)) > w.maxSize {
		w.turnOver()
	}
	n, err := w.file.Write(line)
	w.size += int64(n)
	return n, err
}

// turnOver makes culvert.log to culvert.log.1, that one to .2, and begins anew. Where a log cannot be
// renamed, such as one that somebody has open on Windows, it grows on until it can.
func (w *Writer) turnOver() {
	if err := w.file.Close(); err == nil {
		_ = os.Remove(w.numbered(w.keep))
		for n := w.keep - 1; n > 0; n-- {
			_ = os.Rename(w.numbered(n), w.numbered(n+1)) // not all of them are there
		}
		_ = os.Rename(w.path, w.numbered(1))
	}
	before := w.file
	if err := w.begin(); err != nil {
		w.file = before // each write says that it failed
	}
}

func (w *Writer) numbered(n int) string { return w.path + "." + strconv.Itoa(n) }

// Close closes the log.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}
