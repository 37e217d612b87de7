package tabular

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

const (
	sharedGroup  = 16       // texts that are read together
	sharedCached = 4096     // groups in memory: 65,536 texts, twice at most
	sharedMemory = 16 << 20 // bytes before the texts go to disk
)

// sharedStrings are the texts of a workbook, which its cells name by number. Big ones lie in a
// file; cells name texts mostly in the order in which they come, so that few are read twice.
type sharedStrings struct {
	starts []int64 // of every group, and the end
	count  int
	memory []byte
	file   *os.File
	young  map[int][]string
	old    map[int][]string
}

var errNoSharedString = errors.New("the cell names a text that the workbook does not have")

func readSharedStrings(w *workbook) (*sharedStrings, error) {
	s := &sharedStrings{young: map[int][]string{}}
	e := w.parts["xl/sharedstrings.xml"]
	if e == nil {
		return s, nil
	}
	src, err := openEntry(w.place, e, w.format)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if err := s.readAll(w, src); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *sharedStrings) readAll(w *workbook, src io.Reader) error {
	budget := &budgetReader{r: src}
	budget.allow(w.format.MaxRow)
	d := xml.NewDecoder(bufio.NewReaderSize(budget, 64<<10))
	var out *bufio.Writer
	var text strings.Builder
	var length [binary.MaxVarintLen64]byte
	var at int64
	inText, phonetic := false, false
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			break
		}
		if errors.Is(err, errOverBudget) {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: w.place},
				Message: fmt.Sprintf("a cell holds more than %d bytes of text", w.format.MaxRow),
				Hint:    "shorten it"}}
		}
		if err != nil {
			return w.damage(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "si":
				text.Reset()
			case "t":
				inText = !phonetic
			case "rPh":
				phonetic = true
			}
		case xml.CharData:
			if inText {
				text.Write(t)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "t":
				inText = false
			case "rPh":
				phonetic = false
			case "si":
				budget.allow(w.format.MaxRow)
				if s.count%sharedGroup == 0 {
					s.starts = append(s.starts, at)
				}
				s.count++
				value := unescapeCell(text.String())
				n := binary.PutUvarint(length[:], uint64(len(value)))
				at += int64(n + len(value))
				if out == nil {
					s.memory = append(append(s.memory, length[:n]...), value...)
					if len(s.memory) > sharedMemory {
						if out, err = s.toDisk(); err != nil {
							return err
						}
					}
					continue
				}
				if _, err := out.Write(length[:n]); err != nil {
					return fmt.Errorf("keeping texts of a workbook: %w", err)
				}
				if _, err := out.WriteString(value); err != nil {
					return fmt.Errorf("keeping texts of a workbook: %w", err)
				}
			}
		}
	}
	s.starts = append(s.starts, at)
	if out != nil {
		if err := out.Flush(); err != nil {
			return fmt.Errorf("keeping texts of a workbook: %w", err)
		}
	}
	return nil
}

func (s *sharedStrings) toDisk() (*bufio.Writer, error) {
	file, err := tempFile()
	if err != nil {
		return nil, err
	}
	s.file = file
	out := bufio.NewWriterSize(file, 64<<10)
	if _, err := out.Write(s.memory); err != nil {
		return nil, fmt.Errorf("keeping texts of a workbook: %w", err)
	}
	s.memory = nil
	return out, nil
}

// get gives a text by its number.
func (s *sharedStrings) get(i int) (string, error) {
	if i < 0 || i >= s.count {
		return "", errNoSharedString
	}
	g := i / sharedGroup
	group, ok := s.young[g]
	if !ok {
		if group, ok = s.old[g]; !ok {
			var err error
			if group, err = s.load(g); err != nil {
				return "", err
			}
		}
		if len(s.young) >= sharedCached {
			s.old, s.young = s.young, make(map[int][]string, sharedCached)
		}
		s.young[g] = group
	}
	return group[i%sharedGroup], nil
}

func (s *sharedStrings) load(g int) ([]string, error) {
	from, to := s.starts[g], s.starts[g+1]
	var text string
	if s.file == nil {
		text = string(s.memory[from:to])
	} else {
		buf := make([]byte, to-from)
		if _, err := s.file.ReadAt(buf, from); err != nil {
			return nil, fmt.Errorf("reading texts of a workbook: %w", err)
		}
		text = string(buf)
	}
	group := make([]string, 0, sharedGroup)
	for at := 0; at < len(text); {
		n, size := binary.Uvarint([]byte(text[at:min(at+binary.MaxVarintLen64, len(text))]))
		at += size
		group = append(group, text[at:at+int(n)])
		at += int(n)
	}
	return group, nil
}

// Close removes what lies on disk.
func (s *sharedStrings) Close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return (&spilled{File: s.file}).Close()
}

// unescapeCell gives the characters that XML cannot hold and workbooks write as _x000D_ (ECMA-376 part 1, 22.9.2.19).
func unescapeCell(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+7 <= len(s) && s[i] == '_' && s[i+1] == 'x' && s[i+6] == '_' {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				b.WriteRune(rune(n))
				i += 6
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
