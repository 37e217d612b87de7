package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/sources"
)

// buckets is over how many cursors the files that were taken are spread, so that a change writes a small part of
// them anew.
const buckets = 32

// forgetAfter is how long a file is remembered that does not lie at its place any more: listings may fail to show
// what is there, and one of the same name may come again.
const forgetAfter = 7 * 24 * time.Hour

// entry is what is kept of a file that was taken.
type entry struct {
	Path    string    `json:"path"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	Content string    `json:"content"`           // SHA-256 of its bytes
	File    string    `json:"file"`              // its SHA256 in the journal, which is made of the one before it too
	Settled bool      `json:"settled,omitempty"` // what there was to do at the place is done
	Results string    `json:"results,omitempty"` // path of its results here, which were written back
	To      string    `json:"to,omitempty"`      // the folder at the place that they were written to
	Sent    time.Time `json:"sent,omitzero"`     // when the results that were written back had been written
	Gone    time.Time `json:"gone,omitzero"`     // it is not there any more, since
}

// known are the files of a rule that were taken, by path.
type known struct {
	sink   sources.Sink
	cursor func(part string) string
	byPath map[string]*entry
}

func loadKnown(ctx context.Context, sink sources.Sink, cursor func(part string) string) (*known, error) {
	k := &known{sink: sink, cursor: cursor, byPath: map[string]*entry{}}
	for i := range buckets {
		text, err := sink.Cursor(ctx, cursor(strconv.Itoa(i)))
		if err != nil {
			return nil, fmt.Errorf("read which files were taken: %w", err)
		}
		for line := range strings.Lines(text) {
			e := new(entry)
			if err := json.Unmarshal([]byte(line), e); err == nil && e.Path != "" {
				k.byPath[e.Path] = e // what is not understood is fetched again, and known by its content
			}
		}
	}
	return k, nil
}

func bucketOf(path string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(path)) // a hash takes all
	return int(h.Sum32() % buckets)
}

// put keeps what is known of files, durably.
func (k *known) put(ctx context.Context, entries ...*entry) error {
	paths := make([]string, len(entries))
	for i, e := range entries {
		k.byPath[e.Path], paths[i] = e, e.Path
	}
	return k.saveAll(ctx, paths)
}

// forget drops files, durably.
func (k *known) forget(ctx context.Context, paths []string) error {
	for _, p := range paths {
		delete(k.byPath, p)
	}
	return k.saveAll(ctx, paths)
}

// saveAll keeps what changed of files, each part of what is known once: a whole folder may have been cleared.
func (k *known) saveAll(ctx context.Context, paths []string) error {
	var changed []int
	for _, p := range paths {
		if b := bucketOf(p); !slices.Contains(changed, b) {
			changed = append(changed, b)
		}
	}
	for _, b := range changed {
		if err := k.save(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (k *known) save(ctx context.Context, bucket int) error {
	var lines []string
	for p, e := range k.byPath {
		if bucketOf(p) != bucket {
			continue
		}
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("keep which files were taken: %w", err)
		}
		lines = append(lines, string(line)+"\n")
	}
	slices.Sort(lines)
	kept := sources.Batch{Cursor: &sources.Cursor{Name: k.cursor(strconv.Itoa(bucket)), Value: strings.Join(lines, "")}}
	if _, err := k.sink.Accept(ctx, kept); err != nil {
		return fmt.Errorf("keep which files were taken: %w", err)
	}
	return nil
}
