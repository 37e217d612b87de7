package metadata

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/rules/diag"
)

// Hit is one object that a search found.
type Hit struct {
	Collection string `json:"collection"`
	ID         string `json:"id"`
	Code       string `json:"code,omitempty"`
	Name       string `json:"name"`
	// in other languages
	Translations Translations `json:"translations,omitempty"`
	// what it lies in, from the top: "Tamala / Coast", the program of a stage, the set of an option
	Path   string `json:"path,omitempty"`
	score  int
	object object
}

// maxHits bounds what a search gives.
const maxHits = 100

// How well an object fits what was searched for; less is better.
const (
	fitsID = iota
	fitsName
	fitsStart
	fitsWord
	fitsInside
	fitsNearly
)

// Search finds objects of all collections by uid, code or a part of the name, best first. Letters'
// case and accents count for nothing, the words may come in any order, and a few wrong letters are
// forgiven where nothing fits without.
func (x *Index) Search(text string) []Hit {
	query := strings.TrimSpace(text)
	words := strings.Fields(plain(query))
	if len(words) == 0 {
		return nil
	}
	hits := x.searchWith(func(n *Named) (int, bool) { return fit(n, query, words, fitWord) })
	if len(hits) == 0 {
		hits = x.searchWith(func(n *Named) (int, bool) { return fit(n, query, words, nearlyWord) })
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(rank(a.Collection), rank(b.Collection)),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	hits = hits[:min(len(hits), maxHits)]
	for i := range hits {
		hits[i].Path = x.pathOf(hits[i].object)
	}
	return hits
}

func (x *Index) searchWith(fit func(*Named) (int, bool)) []Hit {
	var hits []Hit
	for o := range everyObject(x.Snapshot) {
		score, fits := fit(o.named)
		for _, locale := range slices.Sorted(maps.Keys(o.named.Translations)) {
			other := *o.named
			if other.Name = o.named.Translations[locale]; !fits {
				score, fits = fit(&other)
			}
		}
		if fits {
			hits = append(hits, Hit{Collection: o.collection, ID: o.named.ID, Code: o.named.Code, Name: o.named.Name,
				Translations: o.named.Translations,
				score:        score, object: o})
		}
	}
	return hits
}

// fit tells how well an object fits a query, of which word judges every word.
func fit(n *Named, query string, words []string, word func(word, name, code string) (int, bool)) (int, bool) {
	if n.ID == query || n.Code != "" && strings.EqualFold(n.Code, query) {
		return fitsID, true
	}
	name := plain(n.Name)
	whole := strings.Join(words, " ")
	switch {
	case name == whole:
		return fitsName, true
	case strings.HasPrefix(name, whole):
		return fitsStart, true
	}
	code := plain(n.Code)
	score := fitsWord
	for _, w := range words {
		s, ok := word(w, name, code)
		if !ok {
			return 0, false
		}
		score = max(score, s)
	}
	return score, true
}

// fitWord looks for one word in a name and a code.
func fitWord(word, name, code string) (int, bool) {
	if i := strings.Index(name, word); i >= 0 {
		if i == 0 || name[i-1] == ' ' {
			return fitsWord, true
		}
		return fitsInside, true
	}
	if code != "" && strings.Contains(code, word) {
		return fitsInside, true
	}
	return 0, false
}

// nearlyWord also takes a word with a few wrong letters.
func nearlyWord(word, name, code string) (int, bool) {
	if score, ok := fitWord(word, name, code); ok {
		return score, true
	}
	return fitsNearly, len(word) >= minPart && len(diag.Nearest(word, strings.Fields(name))) > 0
}

// plain is a text without case and accents.
func plain(s string) string {
	s = strings.ToLower(s)
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return r
			}, norm.NFD.String(s))
		}
	}
	return s
}

// pathOf names what an object lies in.
func (x *Index) pathOf(o object) string {
	if o.parent != nil {
		return called(o.parent)
	}
	if o.collection != OrgUnits {
		return ""
	}
	unit := x.OrgUnitByID(o.named.ID)
	var names []string
	for id := range strings.SplitSeq(strings.Trim(unit.Path, "/"), "/") {
		if above := x.OrgUnitByID(id); above != nil && id != unit.ID {
			names = append(names, called(&above.Named))
		}
	}
	return strings.Join(names, " / ")
}
