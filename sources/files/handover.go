package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// offer hands a taken file to the sink; what cannot be settled now is tried again.
func (w *watcher) offer(ctx context.Context, id string, sink sources.Sink) {
	f, duplicate, err := w.inbox.offer(ctx, id, sink)
	var busy *sources.ErrBusy
	var bad *tabular.FileError
	switch {
	case err == nil && duplicate:
		err = w.refuse(ctx, f, "duplicate", "the same content was taken for this rule before",
			"nothing to do; its results are beside the first")
	case errors.Is(err, sources.ErrFinal) && w.inbox.accepted(id):
		// It was accepted before, and its rows are on their way: its rule is gone for now, and what
		// becomes of it is for the sink to say.
		w.say(id, slog.LevelWarn, "a taken file waits for its rule", err)
		delete(w.waiting, id)
		return
	case errors.Is(err, sources.ErrFinal):
		err = w.refuse(ctx, f, results.Failed, err.Error(), "fix the rule and drop the file again")
	case errors.As(err, &bad):
		err = w.drop(id, bad)
	case errors.As(err, &busy):
		w.waiting[id] = w.Now().Add(cmp.Or(busy.RetryAfter, retryAfter))
		w.say(id, slog.LevelWarn, "a taken file waits", err)
		return
	case errors.Is(err, disk.ErrUnsettled):
		w.waiting[id] = w.Now().Add(w.Scan)
		return
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		w.waiting[id] = w.Now().Add(retryAfter)
		w.say(id, slog.LevelError, "cannot hand over a taken file", err)
		return
	}
	delete(w.waiting, id)
	delete(w.told, id)
	w.calm(id)
}

func (w *watcher) refuse(ctx context.Context, f sources.File, outcome, cause, hint string) error {
	done, failed := w.ends(f.Rule, f.Folder)
	folder := failed
	if outcome != results.Failed {
		folder = done
	}
	return results.Refuse(ctx, f, folder, outcome, cause, hint)
}

// ends gives the folders for finished files of a rule, which may be gone by now.
func (w *watcher) ends(rule, folder string) (done, failed string) {
	for _, r := range w.Rules {
		if r.Rule == rule && r.Folder == folder {
			return r.Done, r.Failed
		}
	}
	return filepath.Join(folder, "done"), filepath.Join(folder, "failed")
}

// drop removes what was moved in place of a file: a link that somebody put there at the last moment.
func (w *watcher) drop(id string, why *tabular.FileError) error {
	t, err := w.inbox.readTag(id)
	if err != nil {
		return err
	}
	if err := disk.Remove(w.inbox.path(id, t)); err != nil {
		return fmt.Errorf("removing a link from the inbox: %w", err)
	}
	w.Logger.Warn("left out what was dropped", "rule", t.Rule, "file", t.Name, "cause", why.Message)
	return results.RemoveInbox(filepath.Join(w.Inbox, id))
}
