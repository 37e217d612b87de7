package kobo

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/sources"
)

// buckets is over how many cursors the submissions that were seen are spread, so that a change
// writes a small part of them anew.
const buckets = 64

// seen is what is kept of a submission that was seen.
type seen struct {
	version string // of uuid and validation status, in hexadecimal; deleted: it was said to be gone
	turns   int    // how often it came back after it was said to be gone
	root    string // uuid of the first version
	time    string // _submission_time
}

// known are the submissions of a project that were seen, by id.
type known struct {
	rule    *Rule
	sink    sources.Sink
	byID    map[uint64]seen
	changed [buckets]bool
}

// deleted is the version of a submission that was said to be gone. Should it come back, it is newer than its deletion.
const deleted = "gone"

// versionOf tells versions of a submission apart.
func versionOf(s submission) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.uuid + "\x00" + s.status)) // a hash takes all
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}

func loadKnown(ctx context.Context, rule *Rule, sink sources.Sink) (*known, error) {
	k := &known{rule: rule, sink: sink, byID: map[uint64]seen{}}
	for i := range buckets {
		text, err := sink.Cursor(ctx, k.cursor(i))
		if err != nil {
			return nil, fmt.Errorf("read which submissions were seen: %w", err)
		}
		for line := range strings.Lines(text) {
			parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			if len(parts) != 4 {
				continue // what is not understood is asked for again
			}
			if id, err := strconv.ParseUint(parts[0], 10, 64); err == nil {
				version, turns, _ := strings.Cut(parts[1], "+")
				n, _ := strconv.Atoi(turns) // absent is none
				k.byID[id] = seen{version: version, turns: n, root: parts[2], time: parts[3]}
			}
		}
	}
	return k, nil
}

func (k *known) cursor(bucket int) string { return k.rule.cursor("seen", strconv.Itoa(bucket)) }

// put keeps a submission as seen.
func (k *known) put(s submission) {
	clean := strings.NewReplacer("\t", "", "\n", "")
	now := seen{version: versionOf(s), turns: k.turnsOf(s.id), root: clean.Replace(s.root), time: clean.Replace(s.time)}
	if k.byID[s.id] == now {
		return
	}
	k.byID[s.id] = now
	k.changed[s.id%buckets] = true
}

// turnsOf is how often a submission has come back, this time counted.
func (k *known) turnsOf(id uint64) int {
	was := k.byID[id]
	if was.version == deleted {
		return was.turns + 1
	}
	return was.turns
}

// remove keeps of a submission that it is gone.
func (k *known) remove(id uint64) {
	was := k.byID[id]
	was.version = deleted
	k.byID[id] = was
	k.changed[id%buckets] = true
}

// save keeps what changed. When a crash comes first, what changed is asked for once more.
func (k *known) save(ctx context.Context) error {
	var lines [buckets][]uint64
	for id := range k.byID {
		if b := id % buckets; k.changed[b] {
			lines[b] = append(lines[b], id)
		}
	}
	for i := range buckets {
		if !k.changed[i] {
			continue
		}
		slices.Sort(lines[i])
		var text strings.Builder
		for _, id := range lines[i] {
			s := k.byID[id]
			fmt.Fprintf(&text, "%d\t%s+%d\t%s\t%s\n", id, s.version, s.turns, s.root, s.time)
		}
		if _, err := k.sink.Accept(ctx, sources.Batch{Cursor: &sources.Cursor{Name: k.cursor(i),
			Value: text.String()}}); err != nil {
			return fmt.Errorf("keep which submissions were seen: %w", err)
		}
		k.changed[i] = false
	}
	return nil
}
