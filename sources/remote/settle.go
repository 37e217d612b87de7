package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// settle writes the results of finished files back, and does with the files what the rule says.
func (p *pull) settle(ctx context.Context, place Place, items []Item) error {
	asked, ok := p.sink.(sources.FileOutcomes)
	_, writable := place.(Writable)
	if !ok || !writable || p.rule.After == Leave && p.rule.Results == "" {
		return nil
	}
	there := make(map[string]Item, len(items))
	came := map[string][]Item{}
	for _, item := range items {
		there[item.Path] = item
		if item.Of != "" && (p.wants(item) || item.Problem != "") {
			came[item.Of] = append(came[item.Of], item)
		}
	}
	var waiting []*entry
	var failed error // what cannot be written back of one keeps nothing from the others
	for _, e := range p.known.byPath {
		if !e.Settled {
			waiting = append(waiting, e)
		} else if err := p.renew(ctx, place, e); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if len(waiting) == 0 {
		return failed
	}
	slices.SortFunc(waiting, func(a, b *entry) int { return strings.Compare(a.Path, b.Path) })
	outcomes, err := asked.FileOutcomes(ctx, p.rule.Rule)
	if err != nil {
		return errors.Join(failed, fmt.Errorf("look what became of files: %w", err))
	}
	together := together{files: came, outcomes: outcomes}
	for _, e := range waiting {
		out, known := outcomes[e.File]
		if !known { // the journal is older than what is kept here: it is fetched once more
			if err := p.known.forget(ctx, []string{e.Path}); err != nil {
				return err
			}
			continue
		}
		if out.Finished.IsZero() || p.elsewhere(out) || !together.finished(p, there[e.Path].Of) {
			continue
		}
		if err := p.settleOne(ctx, place, e, out, there, together); err != nil {
			failed = errors.Join(failed, fmt.Errorf("settle %s: %w", e.Name, err))
		}
	}
	return failed
}

// together are the files that came in something with others, by what they came in, and how they stand.
type together struct {
	files    map[string][]Item
	outcomes map[string]sources.FileOutcome
}

// finished tells whether each of the files that came in something is.
func (t together) finished(p *pull, of string) bool {
	for _, item := range t.files[of] {
		e := p.known.byPath[item.Path]
		switch {
		case item.Problem != "" || e == nil:
			return false
		case e.Settled:
		case e.Version != item.Version || t.outcomes[e.File].Finished.IsZero():
			return false
		}
	}
	return true
}

// unreadable tells whether nothing could be read of one of the files that came in something.
func (t together) unreadable(p *pull, of string) bool {
	return slices.ContainsFunc(t.files[of], func(item Item) bool {
		e := p.known.byPath[item.Path]
		return e != nil && unreadable(t.outcomes[e.File])
	})
}

// unreadable tells whether nothing could be read of a file.
func unreadable(out sources.FileOutcome) bool {
	return out.Results != "" && filepath.Base(filepath.Dir(out.Results)) == "failed"
}

// elsewhere tells whether the results of a file are on the disk of another runner, which writes
// them back once it leads.
func (p *pull) elsewhere(out sources.FileOutcome) bool {
	if out.Results == "" || p.source.c.Now().Sub(out.Finished) > 24*time.Hour {
		return false
	}
	_, err := os.Stat(out.Results)
	return errors.Is(err, fs.ErrNotExist)
}

// settleOne settles one finished file. It can be repeated after a crash at any point.
func (p *pull) settleOne(ctx context.Context, place Place, e *entry, out sources.FileOutcome, there map[string]Item,
	together together) error {
	item, ok := there[e.Path]
	failed := unreadable(out) || together.unreadable(p, item.Of)
	folder := p.rule.Done
	if failed {
		folder = p.rule.Failed
	}
	e.Results, e.To = out.Results, p.rule.Results
	if e.To == "" {
		e.To = folder
	}
	if err := p.renew(ctx, place, e); err != nil {
		return err
	}
	if ok && item.Version == e.Version { // what replaced it meanwhile is another file
		if err := p.tidy(ctx, place, item, folder, failed); err != nil {
			return err
		}
	}
	if takesAway(p.rule.After) {
		e.Version = "" // what lies there from now on is another file, though it may look the same
	}
	e.Settled = true
	return p.known.put(ctx, e)
}

func (p *pull) tidy(ctx context.Context, place Place, item Item, folder string, failed bool) error {
	to, ok := place.(Writable)
	if !ok {
		return nil
	}
	switch p.rule.After {
	case Move:
		return to.Move(ctx, item, folder)
	case Delete:
		return to.Delete(ctx, item)
	case Tag, Flag:
		value := "done"
		if failed {
			value = "failed"
		}
		if tags, ok := place.(Tagging); ok {
			return tags.Tag(ctx, item, value)
		}
	}
	return nil
}

// renew writes results and failed rows back when they are not there yet, or were renewed since: after a replay, or
// when failed rows were corrected.
func (p *pull) renew(ctx context.Context, place Place, e *entry) error {
	to, ok := place.(Receiving)
	if !ok || e.Results == "" || e.To == "" {
		return nil
	}
	info, err := os.Stat(e.Results)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // retention took them, or another runner has them
	}
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	if !info.ModTime().After(e.Sent) {
		return nil
	}
	for _, local := range []string{e.Results, results.FailedRowsBeside(e.Results)} {
		if local == "" || local != e.Results && !e.Sent.IsZero() {
			continue // failed rows are as they were
		}
		if err := put(ctx, to, e.To, local); err != nil {
			return err
		}
	}
	e.Sent = info.ModTime()
	if e.Settled {
		return p.known.put(ctx, e)
	}
	return nil
}

// longestPut bounds how long writing one file back may take.
const longestPut = 30 * time.Minute

func put(ctx context.Context, to Receiving, folder, local string) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, longestPut)
	defer cancel()
	if err := to.Put(ctx, folder, filepath.Base(local), f, info.Size()); err != nil {
		return fmt.Errorf("write %s back: %w", filepath.Base(local), err)
	}
	return nil
}
