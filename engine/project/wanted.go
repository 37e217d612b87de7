package project

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// How rule files ask for what a sync does not read unasked. To read too much does no harm, which is why
// the text of files is enough, those that are broken included.
var (
	asksUsers   = regexp.MustCompile(`\bin["']?\s*:\s*["']?users\b`)
	asksMembers = regexp.MustCompile(`\bgroups\b|\bamong["']?\s*:`)
)

// maxRuleFile bounds the files that are looked at.
const maxRuleFile = 4 << 20

// Wanted tells what the rules and shared value maps of a project folder ask of a sync beyond what it always reads.
func Wanted(root string) (metadata.Wanted, error) {
	var w metadata.Wanted
	look := func(path string, d fs.DirEntry) error {
		ext := strings.ToLower(filepath.Ext(path))
		if d.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxRuleFile {
			return nil
		}
		text, err := ReadPlain(path, path)
		if err != nil {
			return nil // to load the rules says more of it
		}
		w.Users = w.Users || asksUsers.Match(text)
		w.GroupMembers = w.GroupMembers || asksMembers.Match(text)
		return nil
	}
	for _, dir := range []string{RulesDir, FunctionsDir} {
		if err := Walk(filepath.Join(root, dir), look, nil); err != nil {
			return w, err
		}
	}
	return w, nil
}
