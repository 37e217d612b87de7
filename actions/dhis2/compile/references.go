package compile

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// checkOutputs reports right-hand sides of a field's value map, or its literal, that name nothing.
func (c *compiler) checkOutputs(f *rules.Field, what string,
	find func(ref string) (id string, ambiguous, near []string)) {
	if f == nil {
		return
	}
	outputs := []rules.MapOutput{}
	if f.Map != nil {
		outputs = append(outputs, f.Map.Outputs()...)
	}
	if literal, ok := f.Literal(); ok {
		outputs = append(outputs, rules.MapOutput{Out: literal, Place: f.Place})
	}
	for _, out := range outputs {
		if out.Out == "" {
			continue
		}
		id, ambiguous, near := find(strings.TrimSpace(out.Out))
		switch {
		case id != "":
			c.use(id, out.Place)
		case len(ambiguous) > 0:
			c.errorAt(out.Place, "ambiguous-name", "use a code or uid: "+diag.Names(ambiguous[:min(5, len(ambiguous))], "or"),
				"several objects are called %q as a %s", out.Out, what)
		default:
			c.errorAt(out.Place, "unknown-"+strings.ReplaceAll(what, " ", "-"), nearest(near, "run culvert sync when it is new"),
				"there is no %s %q", what, out.Out)
		}
	}
}

func nearest(near []string, otherwise string) string {
	if len(near) == 0 {
		return otherwise
	}
	return "did you mean " + diag.Names(near[:min(5, len(near))], "or") + "?"
}

// checkCombos is checkOutputs for category option combinations, of the category combinations given; nil: of any.
func (c *compiler) checkCombos(f *rules.Field, among []string) {
	if f == nil || f.Map == nil && f.From != nil {
		return
	}
	if among == nil {
		for i := range c.x.Snapshot.CategoryCombos {
			among = append(among, c.x.Snapshot.CategoryCombos[i].ID)
		}
	}
	c.checkOutputs(f, "category option combo", func(ref string) (string, []string, []string) {
		var near []string
		for _, combo := range among {
			found, ambiguous, suggestions := c.x.CategoryOptionCombo(combo, ref)
			if found != nil {
				return found.ID, nil, nil
			}
			if len(ambiguous) > 0 {
				return "", ambiguous, nil
			}
			near = append(near, suggestions...)
		}
		return "", nil, near
	})
}

// reference evaluates a field that names an object; empty when it is blank.
func reference(s *rules.Scope, f *rules.Field, key string) (string, error) {
	r, err := f.Eval(s)
	if err != nil || r.Blank {
		return "", err
	}
	text, ok := value.Text(r.Value, nil)
	if !ok {
		return "", &rules.Failure{Problem: diag.Problem{
			Code: "wrong-type", Place: placeOf(f), Field: key, Column: f.Column(), Value: private(r.Value),
			Message: fmt.Sprintf("%q is no name, code or uid", key), Hint: "name one object in it",
		}}
	}
	return strings.TrimSpace(text), nil
}

func idOf[T any](o *T, id func(*T) string) string {
	if o == nil {
		return ""
	}
	return id(o)
}
