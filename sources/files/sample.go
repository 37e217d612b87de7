package files

import (
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources/tabular"
)

// Sample decodes a sample file into record bodies, at most limit of them. path names the file,
// relative to the project folder or absolute; text is its content, nil when the file itself is to
// be read. A sample that is one JSON document is one record, or a list of them.
func (k Kind) Sample(t *rules.Trigger, path string, text []byte, limit int) ([]any, error) {
	return tabular.Sample(path, text, k.FileFormat(t), limit)
}

// HeaderRow guesses in which row of a sample the names of the columns stand.
func (Kind) HeaderRow(path string, text []byte) int { return tabular.HeaderRow(path, text) }
