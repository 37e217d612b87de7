package identity

import (
	"context"
	"maps"
	"slices"

	"github.com/culvert/culvert/actions"
)

// Two external ids never come to stand for one person unless the rule says so: what one of them
// sends would overwrite what the other has sent, and two women who gave the same number would
// become one.

// whose asks the journal for whom the people that were found stand already.
func (b *Book) whose(ctx context.Context, a answers) error {
	found := map[string]bool{}
	for _, byValue := range a.hits {
		for _, list := range byValue {
			for _, f := range list {
				found[f.TrackedEntity] = true
			}
		}
	}
	return b.learnHolders(ctx, slices.Sorted(maps.Keys(found)))
}

func (b *Book) learnHolders(ctx context.Context, uids []string) error {
	var names, ask []string
	for _, uid := range uids {
		if _, known := b.holders[uid]; !known {
			ask = append(ask, uid)
			names = append(names, nameOf(uid))
		}
	}
	if len(ask) == 0 {
		return nil
	}
	if err := b.deliveries.Recall(ctx, names); err != nil {
		return err
	}
	ids, err := b.memory.Holders(ctx, ask)
	if err != nil {
		return err
	}
	for _, uid := range ask {
		b.holders[uid] = nil
	}
	for _, id := range ids {
		b.holders[id.UID] = append(b.holders[id.UID], id.IdentityKey)
	}
	return nil
}

// take makes a person who was found the one that an external id stands for, unless another external
// id of ours stands for the same person.
func (b *Book) take(p *Person, r Record, uid string) {
	if uid == p.UID {
		return
	}
	if other, taken := b.taken(p, uid); taken && !p.SeveralIDs {
		r.Fail(b.personTaken(p, uid, other))
		return
	}
	b.Learn(r, actions.Identity{IdentityKey: p.Key, UID: uid, Origin: OriginMatched})
	if !b.o.Rehearse {
		b.claims.claim(uid, p.Key, b.o.Now())
	}
}

// taken tells whether a person stands for another external id, and for which ones as far as that is known.
func (b *Book) taken(p *Person, uid string) (other []string, taken bool) {
	note := func(key actions.IdentityKey) {
		if key != p.Key && !slices.Contains(other, key.ExternalID) {
			other, taken = append(other, key.ExternalID), true
		}
	}
	for _, key := range b.holders[uid] {
		note(key)
	}
	if key, held := b.claims.holder(uid, b.o.Now()); held {
		note(key)
	}
	for _, m := range b.people {
		q := m.person
		if _, decided := b.known[q.Key]; (decided || q.UID == uid) && b.PersonUID(q) == uid {
			note(q.Key)
		}
	}
	return other, taken || b.deliveries.Delivered(nameOf(uid))
}

// ClaimNew notes for whom a person stands who is about to be created, where people are looked up at all.
func (b *Book) ClaimNew(p *Person, uid string) {
	if !b.o.Rehearse && p.LooksUp() {
		b.claims.claim(uid, p.Key, b.o.Now())
	}
}

// Created gives the identity of a person who was created by a rule with match_by, so that whoever
// is taken for that one can be told for whom he stands; false when nothing is to be kept.
func (b *Book) Created(p *Person) (actions.Identity, bool) {
	if _, known := b.known[p.Key]; known || !p.LooksUp() {
		return actions.Identity{}, false
	}
	return actions.Identity{IdentityKey: p.Key, UID: p.UID, Origin: OriginDerived}, true
}
