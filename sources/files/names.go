package files

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/tabular"
)

// claims lists the rules that an entry is for.
func (w *watcher) claims(folder string, e fs.DirEntry) []WatchedRule {
	if !e.Type().IsRegular() || Unfinished(e.Name()) {
		return nil
	}
	var list []WatchedRule
	for _, r := range w.Rules {
		if r.Folder == folder && r.wants(e.Name()) {
			list = append(list, r)
		}
	}
	return list
}

func (r *WatchedRule) wants(name string) bool {
	return !r.isMarker(name) && Wanted(r.Glob, name)
}

// Wanted tells whether a name matches a glob, without regard to case; an empty one matches every name that a known
// format may have.
func Wanted(glob, name string) bool {
	lower := strings.ToLower(name)
	if glob == "" {
		return readable(lower)
	}
	ok, err := filepath.Match(strings.ToLower(glob), lower)
	return err == nil && ok
}

func (r *WatchedRule) isMarker(name string) bool {
	return IsMarker(r.Marker, name)
}

// IsMarker tells whether a name has the ending of files that say that others are complete; none has an empty one.
func IsMarker(ending, name string) bool {
	return ending != "" && strings.HasSuffix(strings.ToLower(name), strings.ToLower(ending))
}

// readable tells whether a name is one of a format that can be read.
func readable(name string) bool {
	switch filepath.Ext(name) {
	case ".txt", ".zip", ".gz":
		return true
	case ".xls", ".xlsb", ".ods", ".pdf", ".doc", ".docx", ".odt", ".rtf", ".html", ".htm", ".mdb", ".accdb", ".sav",
		".dta":
		// They cannot be read. Whoever dropped them meant them to be, and is told so in the failed folder.
		return true
	}
	return tabular.KindByName(name) != tabular.Auto
}

// Unfinished tells whether a name is hidden, or one that programs give to files which they are still writing.
func Unfinished(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, ".") || strings.HasPrefix(lower, "~") || strings.HasSuffix(lower, "~") {
		return true
	}
	switch filepath.Ext(lower) {
	case ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".swp", ".lock",
		".lck", ".writing":
		return true
	}
	return lower == "thumbs.db" || lower == "desktop.ini"
}

// Marker gives the name of the file that marks another as complete: its name, or its name without
// the extension, with the marker's ending.
func Marker(names map[string]bool, name, ending string) string {
	for _, m := range []string{name + ending, strings.TrimSuffix(name, filepath.Ext(name)) + ending} {
		if names[m] {
			return m
		}
	}
	return ""
}

func (w *watcher) markerPath(folder, name, ending string) string {
	for _, m := range []string{name + ending, strings.TrimSuffix(name, filepath.Ext(name)) + ending} {
		if path := filepath.Join(folder, m); disk.Exists(path) {
			return path
		}
	}
	return ""
}
