package service

import (
	"context"
	"fmt"
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// manyFiles is a journal that knows many finished files, the newest first.
type manyFiles struct{ journal.Reader }

func (manyFiles) Files(context.Context, journal.FileState) ([]journal.File, error) {
	list := make([]journal.File, 3*mostFinished)
	for i := range list {
		name := fmt.Sprintf("%d.zip", i)
		list[i].ID, list[i].Name, list[i].Results = fmt.Sprint(i), name, "done/"+name+".results.csv"
	}
	return list, nil
}

// TestOldFinishedFile finds a file behind which many others were finished.
func TestOldFinishedFile(t *testing.T) {
	t.Parallel()
	var f finished
	for _, id := range []string{"0", "1999", "2999", "1"} {
		if f.of(t.Context(), manyFiles{}, id) == "" {
			t.Errorf("file %s is not found", id)
		}
		if len(f.paths) > mostFinished+1 {
			t.Errorf("%d files are kept in mind", len(f.paths))
		}
	}
	if path := f.of(t.Context(), manyFiles{}, "none"); path != "" {
		t.Errorf("a file that is not there lies at %s", path)
	}
}
