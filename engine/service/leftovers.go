package service

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources/tabular"
)

// leftoversLoop removes what killed processes left, at the start and while the run lasts: whoever
// starts a killed run again does so at once, when the leftovers may still be somebody's.
func (s *Service) leftoversLoop(ctx context.Context) error {
	tick := time.NewTicker(disk.Stale)
	defer tick.Stop()
	for {
		state := filepath.Join(s.o.Dir, s.current.Load().Config.StateDir)
		RemoveLeftovers(s.o.Log, state, filepath.Join(state, uploadsFolder))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// RemoveLeftovers removes what Spool kept in some folders for processes that were killed, and what
// they unpacked of archives.
func RemoveLeftovers(log *slog.Logger, folders ...string) {
	err := disk.RemoveStale(os.TempDir(), tabular.TempFiles, time.Now())
	for _, folder := range folders {
		err = errors.Join(err, disk.RemoveStale(folder, spooled+"*", time.Now()))
	}
	if err != nil {
		log.Warn("what a process left that was killed cannot be removed: remove it by hand", "error", err)
	}
}
