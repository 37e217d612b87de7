package lookups

import (
	"sync"
	"time"

	"github.com/culvert/culvert/internal/plain"
	"github.com/culvert/culvert/rules"
)

// List is a whole list of another system, as it was read, with an index for what it is looked into by.
type List struct {
	Items []any

	mu    sync.Mutex
	index map[string]map[string][]any // by field and value
	size  int64                       // bytes
	until time.Time
}

// NewList makes a list of items.
func NewList(items []any) *List {
	return &List{Items: items, index: map[string]map[string][]any{}, size: plain.Size(items)}
}

// Values gives the values of a field of an item, as many as it has.
type Values func(item any, field string) []any

// Find gives the items that have the values of a question. They are found by the first field, by an index.
func (l *List) Find(q rules.Question, values Values) []any {
	if len(q.Fields) == 0 {
		return l.Items
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []any
	for _, item := range l.by(q.Fields[0], values)[q.Values[0]] {
		if Fits(item, q, values) {
			found = append(found, item)
		}
	}
	return found
}

func (l *List) by(field string, values Values) map[string][]any {
	if l.index[field] != nil {
		return l.index[field]
	}
	index := map[string][]any{}
	for _, item := range l.Items {
		seen := map[string]bool{}
		for _, v := range values(item, field) {
			if text, ok := plain.Text(v); ok && !seen[text] {
				seen[text] = true
				index[text] = append(index[text], item)
			}
		}
	}
	l.index[field] = index
	return index
}

// Fits tells whether an item has the values of a question.
func Fits(item any, q rules.Question, values Values) bool {
	for n, field := range q.Fields {
		if !Among(values(item, field), q.Values[n]) {
			return false
		}
	}
	return true
}

// Among tells whether one of several values is what a record says.
func Among(values []any, want string) bool {
	for _, v := range values {
		if text, ok := plain.Text(v); ok && text == want {
			return true
		}
	}
	return false
}

// maxListBytes bounds all lists that are kept of one kind.
const maxListBytes = 256 << 20

// Lists keeps whole lists as long as their lookups say, those that expire first dropped where they are
// too large together. It is safe for concurrent use.
type Lists struct {
	mu   sync.Mutex
	kept map[string]*List
	size int64
	most int64 // 0: maxListBytes
}

// Get gives a list that may still be used, nil when there is none.
func (l *Lists) Get(same string, now time.Time) *List {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept := l.kept[same]; kept != nil && now.Before(kept.until) {
		return kept
	}
	return nil
}

// Keep keeps a list until a time. One that is too large by itself is not kept.
func (l *Lists) Keep(same string, list *List, now, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.most
	if most == 0 {
		most = maxListBytes
	}
	l.drop(same)
	if list.size > most || !now.Before(until) {
		return
	}
	for l.size+list.size > most {
		first := ""
		for name, kept := range l.kept {
			if first == "" || kept.until.Before(l.kept[first].until) {
				first = name
			}
		}
		l.drop(first)
	}
	if l.kept == nil {
		l.kept = map[string]*List{}
	}
	list.until = until
	l.kept[same] = list
	l.size += list.size
}

func (l *Lists) drop(same string) {
	if kept := l.kept[same]; kept != nil {
		l.size -= kept.size
		delete(l.kept, same)
	}
}
