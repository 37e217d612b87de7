package project

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
)

// EnclosedSuffix is what the folder ends in that holds the files of a sample: those of
// samples/wound.json lie in samples/wound.files.
const EnclosedSuffix = ".files"

// maxEnclosed bounds the files of a sample together: they are read whenever its rule is.
const maxEnclosed = 20 << 20

// Enclose lays the files beside a sample into its records, as a request with them would, where the trigger
// keeps such files. file is the sample's path below dir.
func (l *Loader) Enclose(dir string, t *rules.Trigger, file string, bodies []any) error {
	k, ok := sources.Named(l.Sources, t.Kind).(sources.Enclosing)
	if !ok || file == "" {
		return nil
	}
	if kept, _ := k.Encloses(t); !kept {
		return nil
	}
	folder := strings.TrimSuffix(file, path.Ext(file)) + EnclosedSuffix
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil {
		return nil // a sample without files
	}
	var total int64
	files := sources.Attachments{}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if total += size(e); total > maxEnclosed {
			return fmt.Errorf("the files in %s are larger than %d MiB together", folder, maxEnclosed>>20)
		}
		content, err := readFile(dir, path.Join(folder, e.Name()))
		if err != nil {
			return err
		}
		if err := files.Add(e.Name(), "", content); err != nil {
			return fmt.Errorf("the folder %s: %w", folder, err)
		}
	}
	for _, body := range bodies {
		if record, ok := body.(map[string]any); ok {
			files.Put(record)
		}
	}
	return nil
}

func size(e fs.DirEntry) int64 {
	info, err := e.Info()
	if err != nil {
		return 0 // reading it says why
	}
	return info.Size()
}

// noFiles says how files could come with the records of a trigger, where none can: for the hint of a finding.
func (l *Loader) noFiles(t *rules.Trigger) string {
	k := sources.Named(l.Sources, t.Kind)
	if _, ok := k.(sources.Attaching); ok {
		return ""
	}
	hint := "send its content: data:image/jpeg;base64,... or {name: ..., type: ..., base64: ...}"
	if e, ok := k.(sources.Enclosing); ok {
		kept, how := e.Encloses(t)
		if kept {
			return ""
		}
		if how != "" {
			hint = how + ", or " + hint
		}
	}
	return hint
}

// decodeWith decodes the text of a sample that lies below dir, with the files beside it.
func (l *Loader) decodeWith(dir string, t *rules.Trigger, file string, text []byte) ([]any, error) {
	bodies, err := l.Decode(t, file, text)
	if err != nil {
		return nil, err
	}
	return bodies, l.Enclose(dir, t, file, bodies)
}
