package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/sources/poll"
)

// errNoRule answers 404.
var errNoRule = notFound{"there is no such rule in the project"}

// rulesView is what the list of rules shows.
type rulesView struct {
	Rules   []ruleRow
	Refused string
}

type ruleRow struct {
	Rule
	Figures status.Rule
	Paused  bool
}

func (s *Console) rules(r *http.Request) (view, error) {
	o, err := s.read(r.Context())
	if err != nil {
		return view{}, err
	}
	figures := map[string]status.Rule{}
	for _, x := range o.Rules {
		figures[x.Name] = x
	}
	data := rulesView{Refused: s.c.Running.Refused()}
	for _, x := range s.c.Running.Rules() {
		data.Rules = append(data.Rules, ruleRow{x, figures[x.Name], o.Paused.Rules[x.Name] != nil})
	}
	return view{Title: "Rules", Page: "rules", Data: data}, nil
}

// ruleView is what the page of a rule shows.
type ruleView struct {
	*Mapping
	Figures status.Rule
	Pause   *pauseView
	Lines   []string
	Refused string
	Lately  series
	Periods []link
}

func (s *Console) rule(r *http.Request) (view, error) {
	m := s.c.Running.Rule(r.PathValue("name"))
	if m == nil {
		return view{}, errNoRule
	}
	o, err := s.read(r.Context())
	if err != nil {
		return view{}, err
	}
	data := ruleView{Mapping: m, Lines: lines(m.Text), Refused: s.c.Running.Refused()}
	for _, x := range o.Rules {
		if x.Name == m.Name {
			data.Figures = x
		}
	}
	p := periodOf(cmp.Or(r.FormValue("period"), "day"))
	lately, err := s.figures(r.Context(), p, s.c.Now())
	if err != nil {
		return view{}, err
	}
	data.Lately, data.Periods = lately.rules.of(m.Name), periodLinks(Prefix+"rules/"+url.PathEscape(m.Name), p)
	if p := o.Paused.Rules[m.Name]; p != nil {
		data.Pause = &pauseView{p.Since, p.Who, p.Why}
	}
	return view{Title: m.Name, Page: "rule", Trail: []link{{Name: "Rules", Path: Prefix + "rules"}}, Data: data}, nil
}

// ErrAsksNothing says that a rule takes what others send, or cannot run.
var ErrAsksNothing = errors.New("the rule asks for nothing")

// runNow has a rule ask for its records now.
func (s *Console) runNow(_ context.Context, r *http.Request) error {
	return s.runNamed(r, r.PostFormValue("rule"))
}

func (s *Console) runNamed(r *http.Request, rule string) error {
	if !slices.ContainsFunc(s.c.Running.Rules(), func(x Rule) bool { return x.Name == rule }) {
		return errNoRule
	}
	if err := s.note(r, "run now", "rule "+rule); err != nil {
		return err
	}
	err := s.c.Running.RunNow(rule)
	s.c.Log.Info("a rule was told to run now", "rule", rule, "who", who(r), "error", err)
	switch {
	case errors.Is(err, ErrAsksNothing):
		return refused("this rule takes what is sent to it, or has mistakes: it asks for nothing by itself")
	case errors.Is(err, poll.ErrRunning):
		return refused("it is running already; what it brings appears as it comes in")
	case errors.Is(err, poll.ErrNotHere):
		return refused("it does not run in this process now: another runner leads, it has read all that it ever will, or " +
			"it begins in a moment")
	}
	return err
}

// notFound is an error that is answered by 404.
type notFound struct{ what string }

// Error says what there is none of.
func (e notFound) Error() string { return e.what }

// refusal is what a person asked for and cannot have; it is answered by 422.
type refusal struct{ error }

// Unwrap gives what it is made of.
func (e refusal) Unwrap() error { return e.error }

func refused(text string) error { return refusal{errors.New(text)} }

// Refuse marks an error of a Project as one for the person who asked: nothing is wrong with the
// program. Others are logged, and answered with "not possible now".
func Refuse(err error) error { return refusal{err} }
