package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// Tell gives the results of a file, or its failed rows, in a language. What failed is said as the journal has it: the
// results on the disk are in the language of the run, from which there is no way back.
func (s *inspection) Tell(ctx context.Context, f journal.File, failed bool, in *language.Language) (
	out io.ReadSeekCloser, err error) {
	faults := map[int64]*said{}
	if s.language() != nil && s.language().Code() != in.Code() {
		if faults, err = s.faults(ctx, f.ID); err != nil {
			return nil, err
		}
	}
	told := toldIn(in, faults)
	uploads := filepath.Join(s.o.Dir, s.current.Load().Config.StateDir, uploadsFolder)
	if err := disk.MakeFolder(uploads); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(uploads, spooled)
	if err != nil {
		return nil, fmt.Errorf("make room for a download: %w", err)
	}
	path := filepath.Join(folder, "told")
	where, _ := s.Outputs(f)
	if failed {
		err = s.tellFailed(ctx, f, path, told)
	} else {
		err = tellResults(path, where, told)
	}
	if err == nil {
		var file *os.File
		if file, err = os.Open(path); err == nil {
			return &spoolFile{file, folder}, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("tell what became of %s: %w", f.Name, err), os.RemoveAll(folder))
}

func tellResults(path, from string, told results.Told) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(results.Tell(file, from, told), file.Close())
}

func (s *inspection) tellFailed(ctx context.Context, f journal.File, path string, told results.Told) error {
	flow, _, err := Flow(s.current.Load(), s.ruleNow(f.Rule))
	if err != nil {
		return err
	}
	n, err := results.TellFailed(ctx, results.Original(f.Results, f.Name), f.ID, FormatFor(flow.Rule), f.Results, path,
		told)
	if err == nil && n == 0 {
		return errors.New("none of its rows failed")
	}
	return err
}

// said is what is wrong with a row, and what to do about it.
type said struct{ cause, hint string }

// faults gives what is wrong with the failed rows of a file, by their numbers. Rows that fail for one reason share it:
// of a file with a million of them it is kept once.
func (s *inspection) faults(ctx context.Context, file string) (map[int64]*said, error) {
	const page = 1000
	list, shared := map[int64]*said{}, map[said]*said{}
	for after := int64(0); ; {
		records, err := s.journal.Select(ctx, journal.Filter{FileID: file, States: []journal.State{journal.Failed},
			AfterSeq: after, Limit: page})
		if err != nil {
			return nil, fmt.Errorf("read why rows failed: %w", err)
		}
		for _, rec := range records {
			after = rec.Seq
			if rec.Problem == nil {
				continue
			}
			var is said
			is.cause, _, _, is.hint = fileimport.AllFaults(rec.Problem)
			if shared[is] == nil {
				shared[is] = &is
			}
			list[rec.Origin.DataRow] = shared[is]
		}
		if len(records) < page {
			return list, nil
		}
	}
}

// toldIn says how results are told in a language.
func toldIn(in *language.Language, faults map[int64]*said) results.Told {
	told := results.Told{Say: in.Word, Comma: ','}
	if in.Decimal() == "," {
		told.Comma = ';' // spreadsheets that write 12,5 part cells so
	}
	for _, name := range results.Header() {
		told.Header = append(told.Header, in.Word(name))
	}
	told.Columns, _ = tabular.ColumnsIn(in.Code())
	if told.Columns == nil {
		told.Columns = tabular.OurColumns
	}
	told.Row = func(r *results.Row) {
		if is := faults[r.Record]; is != nil && r.Outcome == results.Failed {
			r.Message, r.Hint = is.cause, is.hint
		}
		r.Outcome, r.Message, r.Hint = in.Word(r.Outcome), in.Text(r.Message), in.Text(r.Hint)
	}
	return told
}

// spoolFile is a file that goes with its folder once it is closed.
type spoolFile struct {
	*os.File
	folder string
}

// Close closes and removes the file.
func (f *spoolFile) Close() error { return errors.Join(f.File.Close(), os.RemoveAll(f.folder)) }
