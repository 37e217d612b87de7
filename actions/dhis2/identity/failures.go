package identity

import (
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/rules/diag"
)

// lookupFailed is the outcome of a record whose person could not be looked up. Only a refusal of
// the question itself, as of an attribute that cannot be searched, stays; an error inside the
// server passes.
func lookupFailed(m Match, err error) actions.Outcome {
	o := codes.OfRequest(err)
	e, ok := errors.AsType[*client.Error](err)
	// DHIS2 2.42 answers 409 to a search by what is not searchable, which no later try changes.
	never := ok && e.Kind == client.Refused && strings.Contains(e.Message+e.Detail, "Non-searchable")
	if !never && (!ok || o.Status != actions.Failed || e.Kind != client.Refused || e.Request) {
		return o
	}
	o.Status, o.Class, o.Code = actions.Failed, actions.ClassMetadata, "lookup-refused"
	o.Message = fmt.Sprintf("DHIS2 refuses to look people up by %q: %s", m.Name, e.Message)
	o.Hint = "make the attribute searchable in DHIS2 and give the user a search org unit that covers the people, then " +
		"replay the record"
	return o
}

// personTaken is the outcome of a record whose person another external id stands for.
func (b *Book) personTaken(p *Person, uid string, other []string) actions.Outcome {
	who := "another external id that Culvert has sent"
	if len(other) > 0 {
		who = diag.Names(other[:min(5, len(other))], "and")
	}
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassConflict, Problem: diag.Problem{Code: "person-taken",
			Message: "match_by finds a person who stands for another external id already: one of the two " +
				"would overwrite the other",
			Hint: fmt.Sprintf("the person %s stands for %s already, and %q is asked for: correct what match_by compares in "+
				"the source and send the record again; "+
				"if both ids are one person, write several_ids: same_person in the action and replay", b.link(uid), who,
				p.Key.ExternalID)},
		ObjectID: uid,
		Detail:   "the person: " + b.link(uid),
	}
}

// maxPossible is how many possible people a failure names.
const maxPossible = 10

// severalPeople is the outcome of a record whom several people fit.
func (b *Book) severalPeople(uids []string) actions.Outcome {
	links := make([]string, len(uids))
	for i, uid := range uids {
		links[i] = b.link(uid)
	}
	return actions.Outcome{
		Status: actions.Failed, Class: actions.ClassConflict, Problem: diag.Problem{Code: "several-matches",
			Message: "several tracked entities fit match_by",
			Hint: "look at " + strings.Join(links[:min(maxPossible, len(links))], ", ") +
				": merge them in DHIS2, or say which is meant with culvert ids --set, then replay the record"},
		Detail: "possible people: " + strings.Join(links, ", "),
	}
}

// link is where a person can be looked at; the uid alone when the server's address is not known.
func (b *Book) link(uid string) string {
	if b.o.Address == "" {
		return uid
	}
	return b.o.Address + "/dhis-web-capture/index.html#/enrollment?teiId=" + uid
}
