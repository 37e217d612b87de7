package identity

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
)

// Weighed is what a record says of somebody by attributes that tell together who it is.
type Weighed struct {
	Parts   []Weight
	AtLeast float64 // points that make the same person
	Program string  // whose attributes they are, where not all are the type's
}

// Weight is one attribute with the points that it gives.
type Weight struct {
	Match
	Points float64
	Coarse int // how many people share a value: few for dates, many for names
}

// asked are the attributes by which people are looked up: whoever has enough points has at least
// one of them. What many people share is asked last.
func (w *Weighed) asked() []Match {
	parts := slices.Clone(w.Parts)
	slices.SortStableFunc(parts, func(a, b Weight) int {
		return cmp.Or(cmp.Compare(b.Coarse, a.Coarse), cmp.Compare(a.Points, b.Points))
	})
	left := 0.0
	for len(parts) > 1 && left+parts[0].Points < w.AtLeast {
		left += parts[0].Points
		parts = parts[1:]
	}
	list := make([]Match, len(parts))
	for i, p := range parts {
		list[i] = p.Match
	}
	return list
}

// points is how much somebody has in common with what the record says.
func (w *Weighed) points(held map[string]string) float64 {
	sum := 0.0
	for _, p := range w.Parts {
		if alike(held[p.Attribute], p.Value) {
			sum += p.Points
		}
	}
	return sum
}

// alike compares as people do: without regard to letters' case, accents and spaces; of times of day
// only the day counts.
func alike(a, b string) bool {
	return a != "" && plainText(a) == plainText(b)
}

func plainText(s string) string {
	if len(s) > 10 && s[4] == '-' && s[7] == '-' && s[10] == 'T' {
		s = s[:10]
	}
	kept := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(kept), " ")
}

// weigh looks people up who have no number that says who they are. Records whose people cannot be told are settled.
func (b *Book) weigh(ctx context.Context, wanted map[*Person]Record) {
	asked := map[*Person]Record{}
	for p, r := range wanted {
		if p.Weighed != nil && !r.Settled() {
			asked[p] = r
		}
	}
	if len(asked) == 0 {
		return
	}
	a := b.ask(ctx, asked, true, func(p *Person) []Match { return p.Weighed.asked() })
	if err := b.whose(ctx, a); err != nil {
		failAll(asked, codes.Later("the journal could not be read", err))
		return
	}
	candidates := map[*Person][]client.Found{}
	for p, r := range asked {
		for _, m := range p.Weighed.asked() {
			q := question{p.Type, m.Program, m.Attribute}
			if err := a.failure(q, m.Value); err != nil {
				r.Fail(lookupFailed(m, err))
				break
			}
			for held, list := range a.hits[q] {
				if alike(held, m.Value) {
					candidates[p] = append(candidates[p], list...)
				}
			}
		}
	}
	held, err := b.held(ctx, candidates)
	for _, p := range b.inOrder(asked) {
		r := asked[p]
		if err != nil && len(candidates[p]) > 0 {
			r.Fail(codes.OfRequest(err))
		}
		if !r.Settled() {
			b.chooseWeighed(p, r, candidates[p], held)
		}
	}
}

// chooseWeighed takes the one candidate who has enough points.
func (b *Book) chooseWeighed(p *Person, r Record, candidates []client.Found, held map[string]map[string]string) {
	fit := map[string]bool{}
	for _, f := range candidates {
		if p.Weighed.points(held[f.TrackedEntity]) >= p.Weighed.AtLeast {
			fit[f.TrackedEntity] = true
			b.found[f.TrackedEntity] = f
		}
	}
	switch uids := slices.Sorted(maps.Keys(fit)); len(uids) {
	case 0:
		// Two records of one batch may be about one person whom DHIS2 does not know yet.
		for _, q := range b.unmatched {
			if p.Weighed.points(q.Weighed.values()) >= p.Weighed.AtLeast && q.Key != p.Key {
				b.take(p, r, b.PersonUID(q))
				return
			}
		}
		b.unmatched = append(b.unmatched, p)
	case 1:
		b.take(p, r, uids[0])
	default:
		r.Fail(b.severalPeople(uids))
	}
}

// held gives the attributes of candidates. What a search does not show, those of the program, is read.
func (b *Book) held(ctx context.Context, candidates map[*Person][]client.Found) (map[string]map[string]string, error) {
	held := map[string]map[string]string{}
	lacking := map[string]map[string]bool{} // program -> people
	for p, list := range candidates {
		for _, f := range list {
			own := held[f.TrackedEntity]
			if own == nil {
				own = map[string]string{}
				held[f.TrackedEntity] = own
			}
			for _, v := range f.Attributes {
				own[v.Attribute] = v.Value
			}
			w := p.Weighed
			if w.Program != "" && slices.ContainsFunc(w.Parts, func(w Weight) bool { return own[w.Attribute] == "" }) {
				if lacking[w.Program] == nil {
					lacking[w.Program] = map[string]bool{}
				}
				lacking[w.Program][f.TrackedEntity] = true
			}
		}
	}
	for program, people := range lacking {
		entities, err := b.server.TrackedEntities(ctx, slices.Sorted(maps.Keys(people)), program)
		if _, some := errors.AsType[*client.UnreadError](err); err != nil && !some {
			return nil, err
		}
		for _, e := range entities {
			for _, v := range e.Attributes {
				held[e.TrackedEntity][v.Attribute] = v.Value
			}
		}
	}
	return held, nil
}

// values are what the record says of somebody.
func (w *Weighed) values() map[string]string {
	out := map[string]string{}
	for _, part := range w.Parts {
		out[part.Attribute] = part.Value
	}
	return out
}
