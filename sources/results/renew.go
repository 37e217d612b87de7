package results

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/tabular"
)

// Renew puts what became of some rows, by their record number, in the place of what the
// results of a finished file said before. The file appears whole or stays as it was; it keeps its
// rights. The error is fs.ErrNotExist when somebody has taken it away.
func Renew(path string, rows map[int64]Row) (err error) {
	old, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("renewing results: %w", err)
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return fmt.Errorf("renewing results: %w", err)
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("renewing results: %w", err)
	}
	err = errors.Join(copyRenewed(old, file, rows), file.Sync(), file.Chmod(info.Mode().Perm()), file.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("renewing results: %w", err), disk.Remove(tmp))
	}
	return disk.Sync(filepath.Dir(path))
}

// copyRenewed copies results; the first line of a row that changed takes what became of it, and
// later ones of the same row go.
func copyRenewed(old, fresh *os.File, rows map[int64]Row) error {
	buf := bufio.NewWriterSize(fresh, 64<<10)
	w := csv.NewWriter(buf)
	if err := w.Write(resultsHeader); err != nil {
		return err
	}
	said := map[int64]bool{}
	err := Read(bufio.NewReaderSize(old, 64<<10), func(_ int64, row Row) error {
		now, changed := rows[row.Record]
		switch {
		case !changed:
			return w.Write(row.cells())
		case said[row.Record]:
			return nil
		}
		said[row.Record] = true
		now.ID, now.Key = cmp.Or(now.ID, row.ID), cmp.Or(now.Key, row.Key)
		return w.Write(now.cells())
	})
	if err != nil {
		return err
	}
	for number, row := range rows {
		if !said[number] {
			if err := w.Write(row.cells()); err != nil {
				return err
			}
		}
	}
	w.Flush()
	return errors.Join(w.Error(), buf.Flush())
}

// cells writes a row as results hold it.
func (r Row) cells() []string {
	return []string{
		strconv.Itoa(r.Line), tabular.Guard(r.Sheet), strconv.FormatInt(r.Record, 10), r.Outcome,
		strings.Join(r.Objects, " "),
		tabular.Guard(r.Message), tabular.Guard(r.Hint), tabular.Guard(r.Column), tabular.Guard(r.Value),
		tabular.Guard(r.ID), tabular.Guard(r.Key),
	}
}
