package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
)

// places are what values of params may hold: the time of the run before, and of this one.
var places = []string{"{last}", "{last_date}", "{due}", "{due_date}"}

// placePattern is what looks like a place: a word in braces. Other braces, such as those of JSON,
// are the address's own.
var placePattern = regexp.MustCompile(`\$?\{[A-Za-z_][A-Za-z0-9_ ]*\}`)

// unknownPlaces lists what is written like a place of a time and is none.
func unknownPlaces(text string) (unknown []string) {
	for _, word := range placePattern.FindAllString(text, -1) {
		if !strings.HasPrefix(word, "$") && !slices.Contains(places, word) {
			unknown = append(unknown, word)
		}
	}
	return unknown
}

// params reads a mapping of texts in which the times of the runs have places.
func params(r settings.Reader, key string) map[string]string {
	p, ok := r.Sub(key)
	if !ok {
		return nil
	}
	out := map[string]string{}
	for _, pair := range p.Config.Pairs() {
		text := p.Text(pair.Key.Value)
		for _, place := range unknownPlaces(text) {
			p.Wrong(pair.Value, "params", fmt.Sprintf("%s is a place that does not exist", place),
				"use "+diag.Names(places, "or"))
		}
		out[pair.Key.Value] = text
	}
	return out
}

// items gives what picks the records out of a reply.
func items(r settings.Reader) func(any) ([]any, error) {
	if !r.Has("items") {
		return listed
	}
	program := r.Program("items", expression.List)
	if program == nil {
		return nil
	}
	return func(reply any) ([]any, error) {
		v, err := program.Run(expression.Env{"trigger": reply})
		if err != nil {
			return nil, fmt.Errorf("items of the reply: %w", err)
		}
		if v == nil {
			return nil, nil
		}
		return listed(v)
	}
}

// listed gives the items of a list; anything else is one item.
func listed(v any) ([]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	}
	return []any{v}, nil
}
