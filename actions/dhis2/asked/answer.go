package asked

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/internal/kept"
	"github.com/culvert/culvert/rules"
)

// Server is what is asked. *client.Client implements it.
type Server interface {
	FindTrackedEntities(ctx context.Context, q client.FindQuery) ([]client.Found, error)
	EventsOf(ctx context.Context, people []string, program string) (map[string][]client.Event, error)
}

// Answerer answers the questions of many records at once, and keeps answers as long as their
// lookups allow. Safe for concurrent use.
type Answerer struct {
	Server Server
	Now    func() time.Time
	Zone   *time.Location

	known kept.Answers[cacheKey]
}

type cacheKey struct {
	asked rules.Asked
	value string
}

// Answer answers each question. The error is the client's: nothing is known then of any of them.
func (a *Answerer) Answer(ctx context.Context, questions []rules.Question) ([]actions.Answer, error) {
	answers := make([]actions.Answer, len(questions))
	open := map[rules.Asked][]int{}
	var order []rules.Asked
	for i, q := range questions {
		if found, ok := a.cached(q); ok {
			answers[i].Found = found
			continue
		}
		if open[q.Asked] == nil {
			order = append(order, q.Asked)
		}
		open[q.Asked] = append(open[q.Asked], i)
	}
	for _, asked := range order {
		var err error
		switch asked := asked.(type) {
		case *People:
			err = a.people(ctx, asked, questions, open[asked], answers)
		case *Events:
			err = a.events(ctx, asked, questions, open[asked], answers)
		}
		if err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (a *Answerer) cached(q rules.Question) ([]any, bool) {
	return a.known.Get(cacheKey{q.Asked, q.Key()}, a.Now())
}

func (a *Answerer) keep(q rules.Question, found []any, cache time.Duration) {
	if cache <= 0 {
		return
	}
	now := a.Now()
	a.known.Put(cacheKey{q.Asked, q.Key()}, found, now, now.Add(cache))
}

// people asks by the first field of each question; the others are compared here.
func (a *Answerer) people(ctx context.Context, p *People, questions []rules.Question, which []int,
	answers []actions.Answer) error {
	byField := map[string][]int{}
	for _, i := range which {
		byField[questions[i].Fields[0]] = append(byField[questions[i].Fields[0]], i)
	}
	for name, list := range byField {
		values := make([]string, len(list))
		for n, i := range list {
			values[n] = questions[i].Values[0]
		}
		found, err := a.Server.FindTrackedEntities(ctx,
			client.FindQuery{Program: p.Program, TrackedEntityType: p.Type, Attribute: p.fields[name].uid, Values: values,
				AnyCase: true})
		unread := &client.UnreadError{}
		if err != nil && !errors.As(err, &unread) {
			return err
		}
		for _, i := range list {
			q := questions[i]
			if refused := unread.Of(q.Values[0]); refused != nil {
				answers[i].Err = refused
				continue
			}
			for _, f := range found {
				if p.fits(f, q) {
					answers[i].Found = append(answers[i].Found, p.person(f, a.Zone))
				}
			}
			a.keep(q, answers[i].Found, p.Cache)
		}
	}
	return nil
}

// fits compares what the server holds with what a record asks for, without regard to case and space
// around, as DHIS2 does.
func (p *People) fits(f client.Found, q rules.Question) bool {
	for n, name := range q.Fields {
		if !slices.ContainsFunc(f.Attributes, func(v client.AttributeValue) bool {
			return v.Attribute == p.fields[name].uid && strings.EqualFold(strings.TrimSpace(v.Value),
				strings.TrimSpace(q.Values[n]))
		}) {
			return false
		}
	}
	return true
}

func (a *Answerer) events(ctx context.Context, e *Events, questions []rules.Question, which []int,
	answers []actions.Answer) error {
	whose := make([]string, len(which))
	for n, i := range which {
		whose[n] = questions[i].Values[0]
	}
	found, err := a.Server.EventsOf(ctx, whose, e.Program)
	unread := &client.UnreadError{}
	if err != nil && !errors.As(err, &unread) {
		return err
	}
	for _, i := range which {
		q := questions[i]
		if refused := unread.Of(q.Values[0]); refused != nil {
			answers[i].Err = refused
			continue
		}
		answers[i].Found = e.taken(found[q.Values[0]], a.Zone)
		a.keep(q, answers[i].Found, e.Cache)
	}
	return nil
}

// taken chooses among the events of a person: by the day on which they happened, scheduled ones
// that have not by the day for which they are.
func (e *Events) taken(list []client.Event, zone *time.Location) []any {
	list = slices.DeleteFunc(slices.Clone(list), func(v client.Event) bool {
		return e.Stage != "" &&
			v.ProgramStage != e.Stage
	})
	slices.SortStableFunc(list, func(x, y client.Event) int {
		return cmp.Or(cmp.Compare(cmp.Or(x.OccurredAt, x.ScheduledAt), cmp.Or(y.OccurredAt, y.ScheduledAt)),
			cmp.Compare(x.Event, y.Event))
	})
	switch {
	case len(list) == 0:
		return nil
	case e.Take == "first":
		list = list[:1]
	case e.Take == "last":
		// What is only scheduled has not happened: of those that have, the last.
		happened := slices.DeleteFunc(slices.Clone(list), func(v client.Event) bool { return v.OccurredAt == "" })
		if len(happened) == 0 {
			return nil
		}
		list = happened[len(happened)-1:]
	}
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = e.event(v, zone)
	}
	return out
}
