package status

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Condition is something that is wrong and that a person should know of, in words.
type Condition struct {
	What    string    `json:"what"`
	Since   time.Time `json:"since"`
	Subject string    `json:"subject,omitempty"` // what it is about: the same while its words change
}

// Conditions are what is wrong now, by subject. The zero value is ready. Safe for concurrent use.
type Conditions struct {
	mu  sync.Mutex
	now map[string]Condition
}

// Set notes what is wrong with a subject and tells whether that is news.
func (c *Conditions) Set(subject, what string, at time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		c.now = map[string]Condition{}
	}
	known, ok := c.now[subject]
	if ok {
		at = known.Since
	}
	c.now[subject] = Condition{What: what, Since: at, Subject: subject}
	return !ok
}

// Put notes what is wrong with a subject, or with an empty text that nothing is any more.
func (c *Conditions) Put(subject, what string, at time.Time) {
	if what == "" {
		c.Clear(subject)
		return
	}
	c.Set(subject, what, at)
}

// Clear notes that nothing is wrong with a subject any more.
func (c *Conditions) Clear(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.now, subject)
}

// All gives what is wrong, by subject.
func (c *Conditions) All() map[string]Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.now)
}

// Texts lists what is wrong, in the order of the subjects.
func (c *Conditions) Texts() (list []string) {
	all := c.All()
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[subject].What)
	}
	return list
}

// Sorted puts the conditions of several sets together, the oldest first. Of a subject that stands
// twice the last one counts.
func Sorted(sets ...*Conditions) []Condition {
	all := map[string]Condition{}
	for _, c := range sets {
		maps.Copy(all, c.All())
	}
	return slices.SortedFunc(maps.Values(all), func(a, b Condition) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.What, b.What))
	})
}

// NamespaceOf is the subject of what is wrong with the namespace of a rule, which nobody without the journal can see.
func NamespaceOf(rule string) string { return "namespace of rule " + rule }
