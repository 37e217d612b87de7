package metadata

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"
)

// finder finds objects of one collection by uid, code or name.
type finder[T any] struct {
	collection string
	items      []T
	named      func(*T) *Named
	ids        map[string]int32

	calls sync.Once
	// codes and names hold the positions of the objects; more those of a code or name that several share, by the same key.
	codes, names         map[string]int32
	moreCodes, moreNames map[string][]int32

	// spaced holds those whose code or name differs from spelled of it, by that: none in most
	// collections.
	spaced map[string][]int32

	naming sync.Once
	all    []string // names and codes
}

func newFinder[T any](collection string, items []T, named func(*T) *Named) *finder[T] {
	f := &finder[T]{collection: collection, items: items, named: named, ids: make(map[string]int32, len(items))}
	for i := range items {
		f.ids[named(&items[i]).ID] = int32(i)
	}
	return f
}

func (f *finder[T]) byID(id string) *T {
	if i, ok := f.ids[id]; ok {
		return &f.items[i]
	}
	return nil
}

// prepare builds the maps by code and name when they are first needed.
func (f *finder[T]) prepare() {
	f.calls.Do(func() {
		f.codes, f.moreCodes = make(map[string]int32, len(f.items)), map[string][]int32{}
		f.names, f.moreNames = make(map[string]int32, len(f.items)), map[string][]int32{}
		for i := range f.items {
			n := f.named(&f.items[i])
			note(f.codes, f.moreCodes, n.Code, int32(i))
			note(f.names, f.moreNames, n.Name, int32(i))
			for _, text := range [...]string{n.Code, n.Name} {
				if s := spelled(text); s != text {
					if f.spaced == nil {
						f.spaced = map[string][]int32{}
					}
					f.spaced[s] = append(f.spaced[s], int32(i))
				}
			}
		}
	})
}

// spelled is a name as people see it. DHIS2 keeps spaces at the ends of names and several between
// words, which no editor, spreadsheet or YAML file shows or keeps; and an accent can be written as a
// letter of its own or as a sign behind one.
func spelled(name string) string { return norm.NFC.String(strings.Join(strings.Fields(name), " ")) }

// likeSpelled gives those whose code or name is spelled as ref is.
func (f *finder[T]) likeSpelled(ref string) []int32 {
	f.prepare()
	ref = spelled(ref)
	return slices.Concat(f.byCode(ref), f.byName(ref), f.spaced[ref])
}

func note(first map[string]int32, more map[string][]int32, key string, i int32) {
	if key == "" {
		return
	}
	if _, taken := first[key]; taken {
		more[key] = append(more[key], i)
		return
	}
	first[key] = i
}

func at(first map[string]int32, more map[string][]int32, key string) []int32 {
	i, ok := first[key]
	if !ok {
		return nil
	}
	return append([]int32{i}, more[key]...)
}

// byCode and byName give every object called so.
func (f *finder[T]) byCode(code string) []int32 { f.prepare(); return at(f.codes, f.moreCodes, code) }
func (f *finder[T]) byName(name string) []int32 { f.prepare(); return at(f.names, f.moreNames, name) }

// find is what the finders of Index do. A uid goes before codes and names, and these before former ones.
func (f *finder[T]) find(ref string, among []string, old *former) (one *T, ambiguous, suggestions []string) {
	if ref == "" {
		return nil, nil, nil
	}
	allowed := f.filter(among)
	everything := among == nil
	if i, ok := f.ids[ref]; ok && allowed(i) {
		return &f.items[i], nil, nil
	}
	other := func(i int32) bool { return !allowed(i) }
	fit := slices.DeleteFunc(append(f.byCode(ref), f.byName(ref)...), other)
	if len(fit) == 0 {
		fit = slices.DeleteFunc(append(f.likeSpelled(ref), f.asDescribed(ref)...), other)
	}
	slices.Sort(fit)
	fit = slices.Compact(fit)
	if len(fit) == 0 {
		for _, id := range old.called(f.collection, ref) {
			if i, ok := f.ids[id]; ok && allowed(i) {
				fit = append(fit, i)
			}
		}
	}
	switch len(fit) {
	case 1:
		return &f.items[fit[0]], nil, nil
	case 0:
		if everything {
			return nil, nil, nearest(ref, f.called())
		}
		names := f.namesOf(allowed)
		near := nearest(ref, names)
		if len(near) == 0 && len(names) <= maxSuggestions {
			near = names // so few that one of them must be meant
		}
		return nil, nil, near
	}
	for _, i := range fit {
		ambiguous = append(ambiguous, describe(f.named(&f.items[i])))
	}
	return nil, ambiguous, nil
}

// filter tells which positions count; nil uids: all.
func (f *finder[T]) filter(among []string) func(int32) bool {
	if among == nil {
		return func(int32) bool { return true }
	}
	in := make(map[int32]bool, len(among))
	for _, id := range among {
		if i, ok := f.ids[id]; ok {
			in[i] = true
		}
	}
	return func(i int32) bool { return in[i] }
}

// called gives the names and codes of all, made once: an editor asks for the nearest of 100,000 org
// units after every letter.
func (f *finder[T]) called() []string {
	f.naming.Do(func() { f.all = f.namesOf(func(int32) bool { return true }) })
	return f.all
}

// namesOf gives the names and codes of those allowed.
func (f *finder[T]) namesOf(allowed func(int32) bool) []string {
	names := make([]string, 0, len(f.items))
	for i := range f.items {
		if !allowed(int32(i)) {
			continue
		}
		n := f.named(&f.items[i])
		names = append(names, n.Name)
		if n.Code != "" {
			names = append(names, n.Code)
		}
	}
	return names
}

// asDescribed gives the object that is written as describe names it: people copy from findings.
func (f *finder[T]) asDescribed(ref string) []int32 {
	rest, bracket := strings.CutSuffix(ref, ")")
	at := strings.LastIndexAny(rest, "( ")
	if !bracket || at < 0 {
		return nil
	}
	if i, ok := f.ids[rest[at+1:]]; ok && describe(f.named(&f.items[i])) == ref {
		return []int32{i}
	}
	return nil
}

// describe names an object so that it can be told from others of the same name.
func describe(n *Named) string {
	if n.Code == "" {
		return fmt.Sprintf("%s (%s)", n.Name, n.ID)
	}
	return fmt.Sprintf("%s (%s, %s)", n.Name, n.Code, n.ID)
}
