package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// maxItems is how many items for_each goes through for one record, those of all its lists together.
const maxItems = 10_000

// itemNames are the names of an item in for_each and of its number.
type itemNames struct{ item, index string }

// outerNames are those of the item itself, of the item whose list it stands in, and of the one around that.
var outerNames = []itemNames{{"item", "index"}, {"parent", "parent_index"}, {"grandparent", "grandparent_index"}}

// isItem tells whether a name is that of an item in for_each.
func isItem(name string) bool {
	for _, o := range outerNames {
		if name == o.item {
			return true
		}
	}
	return false
}

// depthOf is how many lists of a for_each there must be for a name to have a value; 0 for what has
// nothing to do with items.
func (c *compiler) depthOf(name string) int {
	if _, taken := c.names[name]; taken {
		return 0
	}
	for i, o := range outerNames {
		if name == o.item || name == o.index {
			return i + 1
		}
	}
	return 0
}

// loop is one list of a for_each.
type loop struct {
	list  *Expr             // nil when it is wrong
	scope *expression.Scope // of the list: with the items around it
}

// step is an item that for_each has come to.
type step struct {
	item  any
	index int
}

// repeat compiles for_each: one list, or several of which each stands in the items of the one before.
func (a *ActionSpec) repeat(n *yamlnode.Node) {
	c := a.compiler
	lists := oneOrMany(n)
	if n.Kind == yamlnode.Sequence && (len(lists) == 0 || len(lists) > len(outerNames)) {
		c.fault(n.Place(), "wrong-shape", fmt.Sprintf("for_each has %d lists; it takes 1 to %d", len(lists), len(outerNames)),
			"write the lists from the outside to the inside, such as [trigger.visits, item.children]; flatten(...) makes one "+
				"list of lists in a list")
		lists = lists[:min(len(lists), len(outerNames))]
	}
	scope := a.outer
	var shapes []*expression.Shape
	for _, list := range lists {
		l := &loop{scope: scope, list: c.expr(list, scope, expression.List)}
		a.loops = append(a.loops, l)
		shape := expression.Dynamic()
		if l.list != nil {
			shape = l.list.program.ShapeOfResult()
		}
		shapes = append(shapes, shape)
		scope = a.outer.Clone()
		for i := range shapes {
			o := outerNames[i]
			for _, name := range []string{o.item, o.index} {
				if place, taken := c.names[name]; taken {
					c.fault(place, "name-taken",
						fmt.Sprintf("%q is the item around an item in for_each, and cannot be the name of something else in this rule",
							name), "choose another name, such as my_"+name)
				}
			}
			scope.AddShape(o.item, shapes[len(shapes)-1-i])
			scope.AddType(o.index, 0)
		}
	}
	a.inner = scope
	if len(a.loops) > 0 {
		a.ForEach = a.loops[0].list
	}
}

// Position says which item of for_each is under evaluation, from 0: "3", or "3.0" for the first
// item in the fourth of an outer list. It is "0" where there is no for_each.
func (s *Scope) Position() string { return s.position(0) }

func (s *Scope) position(from int) string {
	if len(s.path) == 0 {
		return strconv.Itoa(from)
	}
	parts := make([]string, len(s.path))
	for i, at := range s.path {
		parts[i] = strconv.Itoa(at.index + from)
	}
	return strings.Join(parts, ".")
}

// Each runs do once for every item of for_each for which `when` holds (once where there is no
// for_each). The error is do's, or a *Failure.
func (a *ActionSpec) Each(s *Scope, do func(*Scope) error) error {
	if len(a.loops) == 0 {
		return a.once(s, do)
	}
	before := s.path
	defer func() { s.moveTo(before) }()
	seen := 0
	return a.eachOf(s, nil, &seen, do)
}

// eachOf goes through the list below the items of a path.
func (a *ActionSpec) eachOf(s *Scope, path []step, seen *int, do func(*Scope) error) error {
	list := a.loops[len(path)].list
	v, err := list.Eval(s)
	if err != nil {
		return s.ofItem(err)
	}
	items, _ := v.([]any) // List makes it one, blank an empty one
	if *seen += len(items); *seen > maxItems {
		return &Failure{Problem: diag.Problem{
			Code:    expression.CodeTooLarge,
			Message: fmt.Sprintf("the list has %d items; %d is the most that one record may have", *seen, maxItems),
			Field:   "for_each", Place: list.Place, Hint: "send the record in parts",
		}}
	}
	inner := len(path) + 1
	var open Unanswered // what all items ask for is asked together
	for i, item := range items {
		if item == nil || item == "" {
			continue // nothing was answered, and nothing is written; the others keep their numbers
		}
		here := append(path[:len(path):len(path)], step{item, i})
		s.moveTo(here)
		if inner < len(a.loops) {
			err = a.eachOf(s, here, seen, do)
		} else {
			err = s.ofItem(a.once(s, do))
		}
		if u, ok := errors.AsType[*Unanswered](err); ok {
			open.Questions = append(open.Questions, u.Questions...)
			continue
		}
		if err != nil {
			return err
		}
	}
	return open.orNil()
}

// moveTo makes the items of a path, the innermost last, visible under their names.
func (s *Scope) moveTo(path []step) {
	for i := range s.path {
		delete(s.env, outerNames[i].item)
		delete(s.env, outerNames[i].index)
	}
	s.path = path
	for i := range path {
		at := path[len(path)-1-i]
		s.env[outerNames[i].item], s.env[outerNames[i].index] = at.item, at.index
	}
	s.forgetItemLookups()
}

// ofItem says in a failure which item of for_each it is about.
func (s *Scope) ofItem(err error) error {
	f, ok := err.(*Failure)
	if !ok || f.Skip || len(s.path) == 0 {
		return err
	}
	own := *f
	own.Message = s.inItem(f.Message)
	return &own
}

// inItem adds the item to a message, counted from 1 as people do: 2, or 2.3 for the third item in
// the second of an outer list.
func (s *Scope) inItem(message string) string {
	return fmt.Sprintf("%s (item %s)", message, s.position(1))
}
