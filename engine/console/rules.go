package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/culvert/culvert/engine/status"
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
