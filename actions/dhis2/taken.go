package dhis2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/rules/diag"
)

// Two external ids never come to stand for one person unless the rule says so: what one of them sends would overwrite what the other has sent, and two women
// who gave the same number would become one.

// whose asks the journal for whom the people that were found stand already.
func (d *delivery) whose(ctx context.Context, hits map[question]map[string][]client.Found) error {
	found := map[string]bool{}
	for _, byValue := range hits {
		for _, list := range byValue {
			for _, f := range list {
				found[f.TrackedEntity] = true
			}
		}
	}
	return d.learnHolders(ctx, slices.Sorted(maps.Keys(found)))
}

func (d *delivery) learnHolders(ctx context.Context, uids []string) error {
	var names, ask []string
	for _, uid := range uids {
		if _, known := d.holders[uid]; !known {
			ask = append(ask, uid)
			names = append(names, digestName(client.TypeTrackedEntity, uid))
		}
	}
	if len(ask) == 0 {
		return nil
	}
	if err := d.recall(ctx, names); err != nil {
		return err
	}
	ids, err := d.memory.Holders(ctx, ask)
	if err != nil {
		return err
	}
	for _, uid := range ask {
		d.holders[uid] = nil
	}
	for _, id := range ids {
		d.holders[id.UID] = append(d.holders[id.UID], id.IdentityKey)
	}
	return nil
}

// take makes a person who was found the one that an external id stands for, unless another external id of ours stands for the same person.
func (d *delivery) take(p *person, j *job, uid string) {
	if uid == p.uid {
		return
	}
	if other, taken := d.taken(p, uid); taken && !p.severalIDs {
		d.failAll([]*job{j}, d.personTaken(p, uid, other))
		return
	}
	d.learn(j, actions.Identity{IdentityKey: p.key, UID: uid, Origin: originMatched})
	if !d.rehearse {
		d.claims.claim(uid, p.key, d.options.Now())
	}
}

// taken tells whether a person stands for another external id, and for which ones as far as that is known.
func (d *delivery) taken(p *person, uid string) (other []string, taken bool) {
	note := func(key actions.IdentityKey) {
		if key != p.key && !slices.Contains(other, key.ExternalID) {
			other, taken = append(other, key.ExternalID), true
		}
	}
	for _, key := range d.holders[uid] {
		note(key)
	}
	if key, held := d.claims.holder(uid, d.options.Now()); held {
		note(key)
	}
	for _, j := range d.jobs {
		for _, i := range j.items {
			for _, q := range people(i.write.Object) {
				if _, decided := d.identities[q.key]; (decided || q.uid == uid) && d.personUID(q) == uid {
					note(q.key)
				}
			}
		}
	}
	return other, taken || d.delivered(digestName(client.TypeTrackedEntity, uid))
}

// personTaken is the outcome of a record whose person another external id stands for.
func (d *delivery) personTaken(p *person, uid string, other []string) actions.Outcome {
	who := "another external id that Culvert has sent"
	if len(other) > 0 {
		who = diag.Names(other[:min(5, len(other))], "and")
	}
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassConflict, Code: "person-taken", ObjectID: uid,
		Cause: "match_by finds a person who stands for another external id already: one of the two would overwrite the other",
		Hint: fmt.Sprintf("%s stands for %s already, and %q is asked for: correct what match_by compares in the source and send the record again; "+
			"if both ids are one person, write several_ids: same_person in the action and replay", d.personName(uid), who, p.key.ExternalID),
		Detail: "the person: " + d.link(uid),
	}
}

// severalPeople is the outcome of a record whom several people fit.
func (d *delivery) severalPeople(uids []string) actions.Outcome {
	links := make([]string, len(uids))
	for i, uid := range uids {
		links[i] = d.link(uid)
	}
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassConflict, Code: "several-matches",
		Cause:  "several tracked entities fit match_by",
		Hint:   "look at " + strings.Join(links[:min(maxPossible, len(links))], ", ") + ": merge them in DHIS2, or say which is meant with culvert ids --set, then replay the record",
		Detail: "possible people: " + strings.Join(links, ", "),
	}
}

// maxPossible is how many possible people a failure names.
const maxPossible = 10

func (d *delivery) personName(uid string) string { return "the person " + d.link(uid) }

// link is where a person can be looked at; the uid alone when the server's address is not known.
func (d *delivery) link(uid string) string {
	if d.options.Address == "" {
		return uid
	}
	return d.options.Address + "/dhis-web-capture/index.html#/enrollment?teiId=" + uid
}

// inOrder gives the people that are wanted in the order in which their records came: of two who claim the same person, the first is heard.
func inOrder(jobs []*job, wanted map[*person]*job) []*person {
	list := make([]*person, 0, len(wanted))
	seen := map[*person]bool{}
	for _, j := range jobs {
		for _, i := range j.items {
			for _, p := range people(i.write.Object) {
				if wanted[p] != nil && !seen[p] {
					seen[p] = true
					list = append(list, p)
				}
			}
		}
	}
	return list
}

// remembered gives the identities of people who were created by a rule with match_by, so that whoever is taken for one of them can be told for whom he
// stands.
func (j *job) remembered(d *delivery) []actions.Identity {
	var list []actions.Identity
	for _, i := range j.items {
		o, ok := i.write.Object.(*trackedEntityWrite)
		if !ok || i.outcome.Status != actions.Delivered || !o.person.looksUp() {
			continue
		}
		if _, known := d.identities[o.person.key]; !known {
			list = append(list, actions.Identity{IdentityKey: o.person.key, UID: o.person.uid, Origin: originDerived})
		}
	}
	return list
}
