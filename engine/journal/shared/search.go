package shared

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/journal"
)

// searchAtOnce is how many records a page of a search looks at before it gives up and says where to go on.
const searchAtOnce = 20_000

// Search is how a store finds a page of records.
type Search struct {
	// Candidates gives records that may be meant, in descending order, all of them before a Seq: at
	// most n. Fewer than n are all.
	Candidates func(ctx context.Context, before int64, n int) ([]int64, error)
	// Match gives those that are meant.
	Match func(ctx context.Context, seqs []int64) ([]int64, error)
	// Fetch reads records, in any order.
	Fetch func(ctx context.Context, seqs []int64) ([]*journal.Record, error)
}

// Page finds a page.
func (s Search) Page(ctx context.Context, f journal.Filter) (journal.Page, error) {
	limit := min(cmp.Or(max(f.Limit, 0), journal.DefaultPage), journal.MaxPage)
	before := f.Before
	if before <= 0 {
		before = maxSeq
	}
	var page journal.Page
	var found []int64
	for looked, n := 0, limit+1; ; n = min(4*n, searchAtOnce/4) {
		seqs, err := s.Candidates(ctx, before, n)
		if err != nil {
			return page, err
		}
		meant := seqs
		if len(seqs) > 0 {
			before = seqs[len(seqs)-1]
			if meant, err = s.Match(ctx, seqs); err != nil {
				return page, err
			}
			slices.SortFunc(meant, func(a, b int64) int { return cmp.Compare(b, a) })
		}
		found = append(found, meant...)
		looked += len(seqs)
		if len(found) > limit {
			found = found[:limit]
			page.Next = found[limit-1]
			break
		}
		if len(seqs) < n {
			break
		}
		if looked >= searchAtOnce {
			page.Next = before
			break
		}
	}
	if len(found) == 0 {
		return page, nil
	}
	var err error
	page.Records, err = s.Fetch(ctx, found)
	slices.SortFunc(page.Records, func(a, b *journal.Record) int { return cmp.Compare(b.Seq, a.Seq) })
	return page, err
}

// maxSeq is behind every record.
const maxSeq = 1<<63 - 1

// Latest merges descending lists of records and gives the first n of them, each once.
func Latest(n int, lists ...[]int64) []int64 {
	var all []int64
	for _, l := range lists {
		all = append(all, l...)
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(b, a) })
	all = slices.Compact(all)
	return all[:min(n, len(all))]
}

// Terms are the texts by which a record is found.
func Terms(r *journal.Record) []string {
	if r.Key == r.ID {
		return []string{r.ID}
	}
	return []string{r.ID, r.Key}
}

// Story collects what is known of a person.
type Story struct {
	// Holders gives who stands for what: where one of the texts is an external id or a uid.
	Holders func(ctx context.Context, texts []string) ([]journal.Holder, error)
	// Records gives the latest records, at most n and before a Seq, of which one of the texts is the
	// id, the key or an object.
	Records func(ctx context.Context, texts []string, n int) ([]*journal.Record, error)
}

// maxKeys is how many keys a person may go by before records of these keys are not taken for hers:
// a key may be that of a facility.
const maxKeys = 8

// Tell tells a person's story.
func (s Story) Tell(ctx context.Context, who string, limit int) (journal.Story, error) {
	limit = min(cmp.Or(max(limit, 0), journal.DefaultPage), journal.MaxPage)
	var out journal.Story
	if who == "" {
		return out, nil
	}
	texts := []string{who}
	add := func(text string) {
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	var err error
	if out.Holders, err = s.Holders(ctx, texts); err != nil {
		return out, err
	}
	for _, h := range out.Holders {
		add(h.ExternalID)
		add(h.UID)
	}
	records, err := s.Records(ctx, texts, limit+1)
	if err != nil {
		return out, err
	}
	keys := map[string]bool{}
	for _, r := range records {
		keys[r.Key] = true
	}
	if known := len(texts); len(keys) <= maxKeys {
		for _, r := range records {
			add(r.Key)
		}
		if len(texts) > known {
			if records, err = s.Records(ctx, texts, limit+1); err != nil {
				return out, err
			}
		}
	}
	slices.SortFunc(records, func(a, b *journal.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	if out.More = len(records) > limit; out.More {
		records = records[len(records)-limit:]
	}
	out.Records = records
	return out, nil
}

// aboutMark begins what a record is about among the ids of its objects.
const aboutMark = "@"

// Touched gives the ids of a record's objects and of what it is about, as they are kept together and found.
func Touched(objects, about []string) []string {
	if len(about) == 0 {
		return objects
	}
	return append(slices.Clip(objects), TermsAbout(about)...)
}

// TermsAbout gives the texts by which records about some objects are found.
func TermsAbout(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = aboutMark + id
	}
	return out
}

// untouched takes apart what Touched put together.
func untouched(ids []string) (objects, about []string) {
	for _, id := range ids {
		if of, ok := strings.CutPrefix(id, aboutMark); ok {
			about = append(about, of)
		} else {
			objects = append(objects, id)
		}
	}
	return objects, about
}

// Known tells whether a record is known by one of some texts.
func Known(r *journal.Record, texts []string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		return text == r.ID || text == r.Key ||
			slices.Contains(r.Objects, text)
	})
}

// Texts gives the text by which a filter finds records, when it is not Text.
func Texts(f journal.Filter) []string {
	for _, text := range []string{f.ID, f.Key, f.Object} {
		if text != "" {
			return []string{text}
		}
	}
	return TermsAbout(f.About)
}

// TextsHeld gives a text with the objects that stand for it when it is an external id.
func TextsHeld(text string, holders []journal.Holder) []string {
	texts := []string{text}
	for _, h := range holders {
		if h.ExternalID == text {
			texts = append(texts, h.UID)
		}
	}
	return texts
}

// FirstSince gives the first record that was received at a time or later, between the first and the
// last, else the last one. at gives the first record from a Seq on. Records are accepted nearly in
// order of time, so that halving finds it.
func FirstSince(low, high, micros int64, at func(from int64) (seq, received int64, err error)) (int64, error) {
	for low < high {
		mid := low + (high-low)/2
		seq, received, err := at(mid)
		if err != nil {
			return 0, err
		}
		if received < micros {
			low = max(seq, mid) + 1
		} else {
			high = mid
		}
	}
	return min(low, high), nil
}
