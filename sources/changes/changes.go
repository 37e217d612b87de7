// Package changes tells that something happened in folders, sooner than whoever looks every so
// often. It knows files of any kind and touches none.
package changes

import (
	"fmt"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// Watcher watches folders. A nil one watches nothing.
type Watcher struct {
	events   *fsnotify.Watcher
	happened chan struct{}
	done     chan struct{}
}

// Watch starts a watcher. It must be closed. The error says why this machine sends no events of files.
func Watch() (*Watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("listen to the file system: %w", err)
	}
	w := &Watcher{events: events, happened: make(chan struct{}, 1), done: make(chan struct{})}
	go w.listen()
	return w, nil
}

// listen takes events and errors as they come. fsnotify holds its lock while it waits for somebody
// to take an error, and Add waits for that lock: whoever adds folders must therefore not be the one
// who takes errors. An error may mean that events were lost, and so is a reason to look, too.
func (w *Watcher) listen() {
	defer close(w.done)
	for {
		select {
		case e, ok := <-w.events.Events:
			if !ok {
				return
			}
			if e.Op == fsnotify.Chmod {
				continue
			}
		case _, ok := <-w.events.Errors:
			if !ok {
				return
			}
		}
		select {
		case w.happened <- struct{}{}:
		default:
		}
	}
}

// Happened receives after something changed in a folder: files that came, went, were written or
// renamed. Many changes may come as one.
func (w *Watcher) Happened() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.happened
}

// Add watches a folder, not those in it. Adding one again does no harm: it is needed after the folder was replaced.
func (w *Watcher) Add(folder string) error {
	if w == nil {
		return nil
	}
	if err := w.events.Add(folder); err != nil {
		return fmt.Errorf("watch a folder: %w", err)
	}
	return nil
}

// Watches tells whether a folder is watched.
func (w *Watcher) Watches(folder string) bool {
	return w != nil && slices.Contains(w.events.WatchList(), folder)
}

// Close ends the watching.
func (w *Watcher) Close() {
	if w == nil {
		return
	}
	_ = w.events.Close() // nothing of it can be lost
	<-w.done
}
