package files

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
)

// Searched tells whether files are looked through for a text. Shorter ones stand in too many other values.
func Searched(text string) bool { return len(text) >= shortestScrub }

// shortestScrub is the shortest text that is looked for in files: a shorter one would be found
// where it means something else.
const shortestScrub = 6

// largestScrub bounds what is read of one packed file, unpacked, in bytes; what is larger is named as not looked at.
const largestScrub = 1 << 30

// Scrubbing says what is done with files that hold a text.
type Scrubbing int

// Ways to scrub.
const (
	ScrubLook   Scrubbing = iota // name them
	ScrubLines                   // take lines out where a file has such, and name the others
	ScrubRemove                  // remove the others as a whole
)

// Scrubbed says what became of files that hold a text.
type Scrubbed struct {
	Cut     []string // lines that held it are gone
	Removed []string // gone as a whole
	Left    []string // hold it, or could not be looked at, and are as they were
	Unsure  []string // lie beside a table that lines were taken out of, and may be of those lines
	Lines   int      // that are gone
}

// Scrub looks for a text in the files of a folder and of those in it. Lines that hold it can be
// taken out of tables with separators, results, and files of one record a line; workbooks and
// archives only be removed. Files that only the lines taken out named, such as photos, go with them.
// A folder that is not there holds nothing.
func Scrub(ctx context.Context, folder, text string, how Scrubbing) (Scrubbed, error) {
	var out Scrubbed
	if !Searched(text) {
		return out, nil
	}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !d.Type().IsRegular():
			return nil
		}
		return out.file(filepath.Clean(folder), path, text, how)
	})
	if err != nil {
		return out, fmt.Errorf("look for the person in %s: %w", folder, err)
	}
	return out, nil
}

func (s *Scrubbed) file(root, path, text string, how Scrubbing) error {
	if folder := besideFolder(root, path); folder != "" && namedAfter(path, folder, text) {
		if how == ScrubLook {
			s.Left = append(s.Left, path)
			return nil
		}
		s.Removed = append(s.Removed, path)
		return removeBeside(path, folder)
	}
	holds, err := holdsText(path, text)
	if err != nil {
		s.Left = append(s.Left, path)
		return nil
	}
	switch {
	case !holds:
		return nil
	case how != ScrubLook && byLines(path):
		n, err := s.cutLines(path, text)
		if err != nil {
			return err
		}
		if n > 0 { // else it is a part of a longer number or word, which is another person's
			s.Lines += n
			s.Cut = append(s.Cut, path)
		}
	case how == ScrubRemove:
		return s.removeWhole(path)
	default:
		s.Left = append(s.Left, path)
	}
	return nil
}

// removeWhole removes a file, and those that its rows named.
func (s *Scrubbed) removeWhole(path string) error {
	beside, err := filesBeside(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	s.Removed = append(s.Removed, path)
	gone, err := beside.removeAll()
	s.Removed = append(s.Removed, gone...)
	return err
}

// byLines tells whether a file is one record a line, quoted line ends aside.
func byLines(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv", ".txt", ".tab", ".ndjson", ".jsonl":
		return true
	}
	return false
}

// jsonLines tells whether a file quotes line ends by \\n, so that each line is a record.
func jsonLines(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".ndjson" || ext == ".jsonl"
}

// holdsText looks for a text in a file, and in what is packed in it.
func holdsText(path, text string) (bool, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".zip", ".xlsx", ".xlsm":
		return zipHolds(path, text)
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if strings.EqualFold(filepath.Ext(path), ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return false, err
		}
		return streamHolds(z, text)
	}
	return streamHolds(f, text)
}

func zipHolds(path, text string) (bool, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return false, err
	}
	defer z.Close()
	for _, part := range z.File {
		if strings.Contains(part.Name, text) {
			return true, nil
		}
		r, err := part.Open()
		if err != nil {
			return false, err
		}
		holds, err := streamHolds(r, text)
		if err = errors.Join(err, r.Close()); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

// streamHolds looks for a text without keeping more than a part of what it reads.
func streamHolds(r io.Reader, text string) (bool, error) {
	buffer := make([]byte, 0, 1<<20)
	for read := 0; read < largestScrub; {
		n, err := r.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		read += n
		if bytes.Contains(buffer, []byte(text)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if keep := len(text) - 1; len(buffer) > cap(buffer)/2 {
			buffer = append(buffer[:0], buffer[len(buffer)-keep:]...)
		}
	}
	return false, errors.New("it is too large to look through")
}

// cutLines writes a file anew without the records that hold a text, and removes what only these name.
// A line end inside of quotes ends no record.
func (s *Scrubbed) cutLines(path, text string) (cut int, err error) {
	before, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if before.Size() > largestScrub {
		return 0, fmt.Errorf("%s is too large to be written anew", path)
	}
	all, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	beside, err := filesBeside(path)
	if err != nil {
		return 0, err
	}
	quotes := !jsonLines(path)
	kept := make([]byte, 0, len(all))
	for len(all) > 0 {
		end := recordEnd(all, quotes)
		theirs := sources.Mentions(string(all[:end]), text)
		beside.row(string(all[:end]), theirs)
		if theirs {
			cut++
		} else {
			kept = append(kept, all[:end]...)
		}
		all = all[end:]
	}
	if cut == 0 {
		return 0, nil
	}
	tmp := filepath.Join(filepath.Dir(path), ".scrub.tmp")
	if err := os.WriteFile(tmp, kept, before.Mode().Perm()); err != nil {
		return 0, err
	}
	// The table goes last: done again after a crash, it still says which files are the person's.
	removed, unsure, err := beside.remove()
	s.Removed, s.Unsure = append(s.Removed, removed...), append(s.Unsure, unsure...)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return 0, errors.Join(err, disk.Remove(tmp))
	}
	return cut, disk.Sync(filepath.Dir(path))
}

// recordEnd gives where the first record of a text ends, its line end included.
func recordEnd(text []byte, quotes bool) int {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"' && quotes:
			quoted = !quoted
		case c == '\n' && !quoted:
			return i + 1
		}
	}
	return len(text)
}
