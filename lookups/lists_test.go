package lookups

import (
	"fmt"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
)

// TestListsAreBounded keeps lists within their room, those that expire first dropped.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	list := func(n int) *List {
		var items []any
		for i := range n {
			items = append(items, map[string]any{"code": fmt.Sprint(i)})
		}
		return NewList(items)
	}
	one := list(100)
	l := Lists{most: 3*one.size - 1}
	l.Keep("later", one, now, now.Add(2*time.Hour))
	l.Keep("sooner", list(100), now, now.Add(time.Hour))
	l.Keep("third", list(100), now, now.Add(3*time.Hour))
	l.Keep("huge", list(1000), now, now.Add(3*time.Hour))
	l.Keep("third", list(100), now, now.Add(3*time.Hour)) // read anew: it takes its own room
	for name, want := range map[string]bool{"later": true, "sooner": false, "third": true, "huge": false} {
		if got := l.Get(name, now) != nil; got != want {
			t.Errorf("%s is kept: %t", name, got)
		}
	}
	if l.Get("later", now.Add(3*time.Hour)) != nil {
		t.Error("an old list is used")
	}
	found := one.Find(rules.Question{Fields: []string{"code"}, Values: []string{"42"}},
		func(item any, field string) []any { return []any{item.(map[string]any)[field]} })
	if len(found) != 1 {
		t.Errorf("found %v", found)
	}
}
