package identity

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
)

// Resolve finds out who everybody is: what the journal keeps, then people that are in DHIS2 already.
func (b *Book) Resolve(ctx context.Context) error {
	keys := make([]actions.IdentityKey, len(b.people))
	for n, m := range b.people {
		keys[n] = m.person.Key
	}
	if err := b.Remember(ctx, keys); err != nil {
		return err
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	var unmatched []mention
	var names []string
	for _, m := range b.people {
		if b.unknown(m) {
			unmatched = append(unmatched, m)
			names = append(names, nameOf(m.person.UID))
		}
	}
	if err := b.deliveries.Recall(ctx, names); err != nil {
		return err
	}
	wanted := map[*Person]Record{}
	for n, m := range unmatched {
		if !b.deliveries.Delivered(names[n]) {
			wanted[m.person] = m.record
		}
	}
	b.match(ctx, wanted)
	return nil
}

// unknown tells whether somebody has to be looked up.
func (b *Book) unknown(m mention) bool {
	_, known := b.known[m.person.Key]
	return !known && m.person.LooksUp() && !m.record.Settled()
}

// lock keeps others from looking for the people whom the batch looks for, and asks the journal once
// more what became of those whom somebody looked for until now.
func (b *Book) lock(ctx context.Context) error {
	names := map[Record][]string{}
	var keys []actions.IdentityKey
	for _, m := range b.people {
		if b.unknown(m) {
			names[m.record] = append(names[m.record], m.person.names()...)
			keys = append(keys, m.person.Key)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if err := b.locks.LockPeople(ctx, names); err != nil {
		return err
	}
	return b.Remember(ctx, keys)
}

// Rematch finds a person whom somebody created between our look-up and our write. It is true when somebody was found.
func (b *Book) Rematch(ctx context.Context, p *Person, r Record) bool {
	before := b.PersonUID(p)
	b.match(ctx, map[*Person]Record{p: r})
	return b.PersonUID(p) != before
}

// nameOf is the name of the digest of a tracked entity.
func nameOf(uid string) string {
	return client.ObjectKey{Type: client.TypeTrackedEntity, UID: uid}.String()
}

// question is one attribute by which people are looked up together.
type question struct{ typ, program, attribute string }

// answers are the people with the values that a question asks for.
type answers struct {
	hits     map[question]map[string][]client.Found
	failures map[question]error
}

// match looks people up by their attributes, in bulk. Records whose people cannot be told are settled.
func (b *Book) match(ctx context.Context, wanted map[*Person]Record) {
	a := b.ask(ctx, wanted, false, func(p *Person) []Match { return p.Match })
	if err := b.whose(ctx, a); err != nil {
		failAll(wanted, codes.Later("the journal could not be read", err))
		return
	}
	unknown := map[*Person]Record{}
	for _, p := range b.inOrder(wanted) {
		if b.decide(p, wanted[p], a) {
			unknown[p] = wanted[p]
		}
	}
	b.weigh(ctx, unknown)
}

func failAll(records map[*Person]Record, o actions.Outcome) {
	for _, r := range records {
		r.Fail(o)
	}
}

// ask looks up everybody who has one of the values by which the people are known.
func (b *Book) ask(ctx context.Context, wanted map[*Person]Record, anyCase bool, by func(*Person) []Match) answers {
	values := map[question][]string{}
	for p := range wanted {
		for _, m := range by(p) {
			q := question{p.Type, m.Program, m.Attribute}
			values[q] = append(values[q], m.Value)
		}
	}
	a := answers{hits: map[question]map[string][]client.Found{}, failures: map[question]error{}}
	for q, list := range values {
		query := client.FindQuery{Attribute: q.attribute, Values: list, Program: q.program, AnyCase: anyCase}
		if q.program == "" {
			query.TrackedEntityType = q.typ
		}
		found, err := b.server.FindTrackedEntities(ctx, query)
		if err != nil {
			a.failures[q] = err
		}
		a.hits[q] = map[string][]client.Found{}
		for _, f := range found {
			a.hits[q][f.Value] = append(a.hits[q][f.Value], f)
		}
	}
	return a
}

// failure is why nobody could be looked for by a value: the look-up failed, or the server refuses this one value.
func (a answers) failure(q question, value string) error {
	err := a.failures[q]
	some, ok := errors.AsType[*client.UnreadError](err)
	if !ok {
		return err
	}
	if failed := some.Failed[value]; failed != nil {
		return failed
	}
	return nil
}

// decide says who a person is, after the look-up. It is true when nobody was found.
func (b *Book) decide(p *Person, r Record, a answers) bool {
	uids := map[string]bool{}
	for _, m := range p.Match {
		q := question{p.Type, m.Program, m.Attribute}
		if err := a.failure(q, m.Value); err != nil {
			r.Fail(lookupFailed(m, err))
			return false
		}
		for _, f := range a.hits[q][m.Value] {
			uids[f.TrackedEntity] = true
			b.found[f.TrackedEntity] = f
		}
	}
	switch len(uids) {
	case 0:
		return b.firstOfBatch(p, r)
	case 1:
		for uid := range uids {
			b.take(p, r, uid)
		}
		return false
	}
	r.Fail(b.severalPeople(slices.Sorted(maps.Keys(uids))))
	return false
}

// firstOfBatch notes that a person is about to be created. It is false when another of the batch is
// to be created who is looked up by the same value, which DHIS2 does not keep unique: the record waits
// until that one is there.
func (b *Book) firstOfBatch(p *Person, r Record) bool {
	if b.metByOthers(p) {
		r.Fail(alsoLookedFor())
		return false
	}
	for _, m := range p.Match {
		if other := b.creating[nameBy(p.Type, m)]; m.Shared && other != nil && other.Key != p.Key {
			r.Fail(alsoCreated(m))
			return false
		}
	}
	for _, m := range p.Match {
		b.creating[nameBy(p.Type, m)] = p
	}
	return true
}

// metByOthers tells whether another of the batch, who is not known either, could be the same person
// by what only one of the two rules compares. What both compare is told apart elsewhere.
func (b *Book) metByOthers(p *Person) bool {
	own, others := p.ownNames(), p.othersNames()
	for _, name := range own {
		if q := b.expected[name]; q != nil && q.Key != p.Key {
			return true
		}
	}
	for _, name := range others {
		for _, q := range []*Person{b.expected[name], b.wanted[name]} {
			if q != nil && q.Key != p.Key {
				return true
			}
		}
	}
	if p.Policies.list(p.Type) == nil {
		return false
	}
	if b.expected == nil {
		b.expected, b.wanted = map[string]*Person{}, map[string]*Person{}
	}
	for _, name := range own {
		b.wanted[name] = p
	}
	for _, name := range others {
		b.expected[name] = p
	}
	return false
}

// inOrder gives the people that are wanted in the order in which their records came: of two who
// claim the same person, the first is heard.
func (b *Book) inOrder(wanted map[*Person]Record) []*Person {
	list := make([]*Person, 0, len(wanted))
	seen := map[*Person]bool{}
	for _, m := range b.people {
		if wanted[m.person] != nil && !seen[m.person] {
			seen[m.person] = true
			list = append(list, m.person)
		}
	}
	return list
}
