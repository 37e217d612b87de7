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
	to, writable := place.(Writable)
	if !ok || !writable || p.rule.After == Leave && p.rule.Results == "" {
		return nil
	}
	there := make(map[string]Item, len(items))
	for _, item := range items {
		there[item.Path] = item
	}
	var waiting []*entry
	var failed error // what cannot be written back of one keeps nothing from the others
	for _, e := range p.known.byPath {
		if !e.Settled {
			waiting = append(waiting, e)
		} else if err := p.renew(ctx, to, e); err != nil {
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
	for _, e := range waiting {
		out, known := outcomes[e.File]
		if !known { // the journal is older than what is kept here: it is fetched once more
			if err := p.known.forget(ctx, []string{e.Path}); err != nil {
				return err
			}
			continue
		}
		if out.Finished.IsZero() || p.elsewhere(out) {
			continue
		}
		if err := p.settleOne(ctx, place, to, e, out, there); err != nil {
			failed = errors.Join(failed, fmt.Errorf("settle %s: %w", e.Name, err))
		}
	}
	return failed
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
func (p *pull) settleOne(ctx context.Context, place Place, to Writable, e *entry, out sources.FileOutcome,
	there map[string]Item) error {
	unreadable := out.Results != "" && filepath.Base(filepath.Dir(out.Results)) == "failed"
	folder := p.rule.Done
	if unreadable {
		folder = p.rule.Failed
	}
	e.Results, e.To = out.Results, p.rule.Results
	if e.To == "" {
		e.To = folder
	}
	if err := p.renew(ctx, to, e); err != nil {
		return err
	}
	item, ok := there[e.Path]
	if ok && item.Version == e.Version { // what replaced it meanwhile is another file
		if err := p.tidy(ctx, place, to, item, folder, unreadable); err != nil {
			return err
		}
	}
	if takesAway(p.rule.After) {
		e.Version = "" // what lies there from now on is another file, though it may look the same
	}
	e.Settled = true
	return p.known.put(ctx, e)
}

func (p *pull) tidy(ctx context.Context, place Place, to Writable, item Item, folder string, unreadable bool) error {
	switch p.rule.After {
	case Move:
		return to.Move(ctx, item, folder)
	case Delete:
		return to.Delete(ctx, item)
	case Tag:
		value := "done"
		if unreadable {
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
func (p *pull) renew(ctx context.Context, to Writable, e *entry) error {
	if e.Results == "" || e.To == "" {
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

func put(ctx context.Context, to Writable, folder, local string) error {
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
