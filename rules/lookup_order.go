package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// wantedLookups gives the names of lookups that the rule mentions anywhere, directly or through other lookups.
func (c *compiler) wantedLookups() map[string]bool {
	lookups := c.root.Get("lookups")
	wanted := map[string]bool{}
	var want func(words []string)
	want = func(words []string) {
		for _, word := range words {
			if n := lookups.Get(word); n != nil && !wanted[word] {
				wanted[word] = true
				want(c.lookupWords(n))
			}
		}
	}
	for _, key := range []string{"when", "id", "version", "key"} {
		want(wordsIn(c.root.Get(key)))
	}
	for _, p := range c.doc.Root.Get("lookups").Pairs() {
		want(c.lookupWords(p.Value))
	}
	for _, item := range c.root.Get("actions").Items() {
		for _, p := range item.Pairs() {
			want(c.actionWords(p.Key.Value, p.Value))
		}
	}
	return wanted
}

// inOrder sorts lookups so that each follows those whose names stand in it, and reports circles.
func (c *compiler) inOrder(pairs []yamlnode.Pair) []yamlnode.Pair {
	byName := map[string]int{}
	for i, p := range pairs {
		byName[p.Key.Value] = i
	}
	const visiting, done = 1, 2
	state := make([]int, len(pairs))
	var ordered []yamlnode.Pair
	var visit func(i int, chain []string)
	visit = func(i int, chain []string) {
		switch state[i] {
		case visiting:
			c.fault(pairs[i].Key.Place(), "lookup-cycle", fmt.Sprintf("the lookup %q needs itself: %s", pairs[i].Key.Value,
				strings.Join(append(chain, pairs[i].Key.Value), " -> ")),
				"have one of them look up what the record itself holds")
			for _, name := range append(chain, pairs[i].Key.Value) {
				c.scope.AddShape(name, expression.Dynamic())
			}
			return
		case done:
			return
		}
		state[i] = visiting
		for _, word := range c.lookupWords(pairs[i].Value) {
			if j, ok := byName[word]; ok {
				visit(j, append(slices.Clone(chain), pairs[i].Key.Value))
			}
		}
		state[i] = done
		ordered = append(ordered, pairs[i])
	}
	for i := range pairs {
		visit(i, nil)
	}
	return ordered
}

// wordsIn gives the words in expressions, those in mappings and lists among them.
func wordsIn(n *yamlnode.Node) []string {
	var words []string
	for _, p := range n.Pairs() {
		words = append(words, wordsIn(p.Value)...)
	}
	for _, item := range n.Items() {
		words = append(words, wordsIn(item)...)
	}
	if isValue(n) {
		words = append(words, rootNames(n.Value)...)
	}
	return words
}

// keyInBrackets is the name of a member, as in trigger["place/site"].
var keyInBrackets = regexp.MustCompile(`\[\s*("[^"\\]*"|'[^'\\]*')\s*\]`)

// rootNames gives the words of an expression that do not follow a dot, nor stand in the name of a member.
func rootNames(text string) []string {
	var names []string
	text = keyInBrackets.ReplaceAllString(text, "[]")
	for _, at := range wordPattern.FindAllStringIndex(text, -1) {
		if at[0] == 0 || text[at[0]-1] != '.' {
			names = append(names, text[at[0]:at[1]])
		}
	}
	return names
}
