package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/poll"
	"github.com/culvert/culvert/sources/tabular"
)

// emptyStable is how long an empty file is waited for: some programs make a file long before they fill it.
const emptyStable = time.Minute

// mostChanges is how often a file may be another one than was listed before those behind it are taken without it.
const mostChanges = 5

// inOrder gives files in the order in which they were written, and those of one moment in the natural order of
// their names.
func inOrder(items []Item) []Item {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(a.Written.Compare(b.Written), files.CompareNames(a.Name, b.Name), cmp.Compare(a.Path, b.Path))
	})
	return items
}

// take takes what is new and whole. It gives how long to wait until something else may be whole.
func (p *pull) take(ctx context.Context, place Place, items []Item) (wait time.Duration, err error) {
	names := make(map[string]bool, len(items))
	for _, item := range items {
		names[item.Name] = true
	}
	for _, item := range items {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if item.Problem != "" {
			p.say(item.Path, item.Problem)
			continue
		}
		if !p.wants(item) || p.has(item) {
			continue
		}
		if item.Size > p.rule.MaxBytes {
			p.say(item.Path, fmt.Sprintf("file %s is left where it is: it has %d MB, and at most %d MB are taken; raise "+
				"max_bytes of the rule, or send it in parts", item.Name, item.Size>>20, p.rule.MaxBytes>>20))
			continue
		}
		if p.rule.Marker != "" {
			if files.Marker(names, item.Name, p.rule.Marker) == "" {
				continue // it may never come: those behind are not held up
			}
		} else if w := p.unsettled(item); w > 0 && p.changed[item.Path] >= mostChanges {
			continue
		} else if w > 0 {
			return w, nil // what was written later must not pass it
		}
		var bad *FileError
		switch err := p.fetch(ctx, place, item); {
		case err == nil:
			p.say(item.Path, "")
			delete(p.changed, item.Path)
		case errors.Is(err, ErrChanged):
			delete(p.seen, item.Path)
			if p.changed[item.Path]++; p.changed[item.Path] >= mostChanges {
				p.say(item.Path, fmt.Sprintf("file %s cannot be taken: whenever it is fetched, it is another one than was "+
					"listed just before, or gone; see who writes to it over there", item.Name))
				continue
			}
			return p.rule.StableFor, nil
		case errors.As(err, &bad):
			p.say(item.Path, fmt.Sprintf("file %s cannot be taken: %s", item.Name, bad.Error()))
		default:
			return 0, fmt.Errorf("take %s: %w", item.Name, err)
		}
	}
	return 0, nil
}

func (p *pull) wants(item Item) bool {
	return item.Name != "" && !files.Unfinished(item.Name) && !files.IsMarker(p.rule.Marker, item.Name) &&
		files.Wanted(p.rule.Glob, item.Name)
}

// unsettled gives how long a file must still lie as it is, 0 when it is whole.
func (p *pull) unsettled(item Item) time.Duration {
	if item.Whole {
		return 0
	}
	now := p.source.c.Now()
	s, ok := p.seen[item.Path]
	if !ok || s.version != item.Version {
		s = sighting{version: item.Version, since: now}
		p.seen[item.Path] = s
	}
	needs := p.rule.StableFor
	if item.Size == 0 {
		needs = max(needs, emptyStable)
	}
	return max(needs-now.Sub(s.since), 0)
}

// fetch fetches a file, hands it over and notes that it was taken.
func (p *pull) fetch(ctx context.Context, place Place, item Item) error {
	part := filepath.Join(p.fetching(), partName(item))
	if err := os.MkdirAll(p.fetching(), 0o700); err != nil {
		return fmt.Errorf("make room for the file: %w", err)
	}
	if err := p.download(ctx, place, item, part); err != nil {
		return err
	}
	content, err := digest(part)
	if err != nil {
		return fmt.Errorf("read the fetched file: %w", err)
	}
	e := &entry{Path: item.Path, Name: item.Name, Version: item.Version, Content: content}
	before := p.known.byPath[item.Path]
	if before != nil && before.Content == content {
		e.File = before.File // written anew, and the same: there is nothing to read
	} else if e.File, err = p.handOver(ctx, item, part, before); err != nil {
		return err
	}
	e.Settled = p.rule.After == Leave && p.rule.Results == "" || p.rule.After == ""
	if err := p.known.put(ctx, e); err != nil {
		return err
	}
	delete(p.seen, item.Path)
	p.log.Info("took a file", "file", item.Name, "bytes", item.Size)
	return os.Remove(part)
}

// handOver has a fetched file accepted, and gives its SHA256 in the journal. One that replaces another at its path
// is no duplicate of what lay there before that one.
func (p *pull) handOver(ctx context.Context, item Item, part string, before *entry) (string, error) {
	named := filepath.Join(filepath.Dir(part), "named", LocalName(item.Name))
	if err := errors.Join(os.RemoveAll(filepath.Dir(named)), os.Mkdir(filepath.Dir(named), 0o700)); err != nil {
		return "", fmt.Errorf("make room for the file: %w", err)
	}
	if err := os.Rename(part, named); err != nil {
		return "", fmt.Errorf("name the fetched file: %w", err)
	}
	defer func() { _ = os.Rename(named, part) }() // it is there: fetch removes it, or goes on with it
	after := ""
	if before != nil {
		after = before.File
	}
	for {
		taken, _, err := files.TakeAfter(ctx, named, p.rule.Rule, p.rule.localFolder(p.source.c.Dir), p.source.c.Inbox,
			after, p.sink)
		busy, ok := errors.AsType[*sources.ErrBusy](err)
		if !ok {
			if err == nil && taken.SHA256 == "" {
				err = errors.New("it was accepted without a digest")
			}
			return taken.SHA256, err
		}
		p.log.Warn("files cannot be kept now; the source waits", "reason", busy.Reason)
		if !poll.Sleep(ctx, max(busy.RetryAfter, 10*time.Millisecond)) {
			return "", ctx.Err()
		}
	}
}

// partName names a file while it is fetched: of each version the same, so that a fetch that broke off goes on.
func partName(item Item) string {
	sum := sha256.Sum256([]byte(item.Path + "\x00" + item.Version))
	return hex.EncodeToString(sum[:16]) + ".part"
}

// longestName is how much of a file's name is kept, in bytes, and longestEnding how much of its ending: file systems
// allow 255, and what Culvert makes of the file has a longer name.
const (
	longestName   = 150
	longestEnding = 20
)

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// LocalName is the name of a file as it can lie here.
func LocalName(name string) string {
	name = strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || strings.ContainsRune("._- ()+,@=&", c) {
			return c
		}
		return '_'
	}, tabular.PlainName(path.Base(strings.ReplaceAll(name, `\`, "/"))))
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	name = clip(stem, longestName) + clip(ext, longestEnding)
	if strings.Trim(name, ". ") == "" {
		return "file"
	}
	return name
}

// idle is how long a fetch waits for more bytes.
const idle = time.Minute

// download fetches a file, or what is missing of one that broke off.
func (p *pull) download(ctx context.Context, place Place, item Item, part string) (err error) {
	to, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	offset, err := to.Seek(0, io.SeekEnd)
	if err == nil && (item.Size < 0 || offset > item.Size) {
		offset, err = 0, to.Truncate(0)
		_, _ = to.Seek(0, io.SeekStart) // an offset of a regular file can be set
	}
	if err != nil {
		return fmt.Errorf("write the file: %w", err)
	}
	most := item.Size
	if most < 0 {
		most = p.rule.MaxBytes
	}
	if offset < item.Size || item.Size <= 0 {
		if err := p.copyFrom(ctx, place, item, offset, &bounded{to: to, left: most - offset}); err != nil {
			if errors.Is(err, ErrChanged) {
				_ = to.Truncate(0) // begun anew
			}
			return err
		}
	}
	if at, err := to.Seek(0, io.SeekEnd); err != nil || item.Size >= 0 && at != item.Size {
		_ = to.Truncate(0)
		return errors.Join(ErrChanged, err)
	}
	return to.Sync()
}

func (p *pull) copyFrom(ctx context.Context, place Place, item Item, offset int64, to *bounded) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(idle, func() { cancel(fmt.Errorf("nothing came for %s", idle)) })
	defer watch.Stop()
	to.moved = func() { watch.Reset(idle) }
	from, err := place.Open(ctx, item, offset)
	if err != nil {
		return because(ctx, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = from.Close() })
	defer stop()
	_, err = io.Copy(to, from)
	if err != nil && ctx.Err() != nil {
		return because(ctx, err)
	}
	return errors.Join(err, from.Close())
}

// because gives why a context ended that an error comes from.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// bounded takes so many bytes, and then no more: the file grew.
type bounded struct {
	to    io.Writer
	left  int64
	moved func()
}

// Write writes; the error is ErrChanged when there is more than was listed.
func (b *bounded) Write(text []byte) (int, error) {
	if int64(len(text)) > b.left {
		return 0, ErrChanged
	}
	n, err := b.to.Write(text)
	b.left -= int64(n)
	b.moved()
	return n, err
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
