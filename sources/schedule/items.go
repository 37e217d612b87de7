package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
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
	plain := r.Program("items", expression.Anything) // a list of nothing is empty; this tells whether there was one
	return func(reply any) ([]any, error) {
		v, err := program.Run(expression.Env{"trigger": reply})
		if err != nil {
			return nil, fmt.Errorf("items of the reply: %w", err)
		}
		list, err := listed(v)
		if err != nil || len(list) > 0 || plain == nil || there(plain, reply) {
			return list, err
		}
		return nil, nothingThere(reply)
	}
}

// there tells whether items finds a list in a reply, if an empty one or null, or the reply says itself that it has none.
func there(items *expression.Program, reply any) bool {
	for _, reply := range []any{reply, tree.WithoutNull(reply)} {
		if v, err := items.Run(expression.Env{"trigger": reply}); err == nil && v != nil {
			return true
		}
	}
	return tree.SaysNone(reply)
}

// nothingThere says that a reply is another one than the rule was written for, such as an error that came with 200: taken
// for an empty list, what was entered since the run before would never be asked for again.
func nothingThere(reply any) error {
	has := "the reply has nothing that can be named"
	if keys := tree.Keys(reply); keys != "" {
		has = "the reply has " + keys
	}
	return &httpget.Error{Problem: diag.Problem{Message: "the reply has nothing where items: looks for the records",
		Hint: has + "; correct items:, or write items: trigger.entry ?? [] where an empty list is left out"}}
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
