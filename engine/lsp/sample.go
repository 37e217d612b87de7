package lsp

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/expression"
)

// valuesOf gives what a name stands for in the records of the sample.
func (v *view) valuesOf(e *entry, name string) []any {
	samples := v.load().samples
	switch name {
	case "trigger":
		return samples
	case "item":
		_, body := action(e.path())
		each := body.child("for_each")
		if each == nil {
			return nil
		}
		text := each.value
		if each.open == '[' && len(each.children) > 0 {
			text = each.children[0].value
		}
		var items []any
		for _, sample := range samples {
			value, ok := evaluate(text, sample)
			if list, isList := value.([]any); isList {
				items = append(items, list...)
			} else if ok && value != nil {
				items = append(items, value)
			}
		}
		return items
	}
	return nil
}

// evaluate gives the value of an expression that reads nothing but the record.
func evaluate(text string, sample any) (any, bool) {
	s := expression.NewScope(expression.Options{Now: time.Now})
	s.AddShape("trigger", expression.ShapeOf(sample))
	program, problems := expression.Compile(text, s, expression.Anything)
	if program == nil || len(problems) > 0 {
		return nil, false
	}
	value, err := program.Run(expression.Env{"trigger": sample})
	return value, err == nil
}

var chainStep = regexp.MustCompile(`\["([^"]*)"\]|\['([^']*)'\]|\[(\d+)\]|([A-Za-z_]\w*)`)

// chainSteps splits trigger.form["@name"] into its names.
func chainSteps(chain string) []string {
	var out []string
	for _, m := range chainStep.FindAllStringSubmatch(chain, -1) {
		out = append(out, m[1]+m[2]+m[3]+m[4])
	}
	return out
}

// walk reads a value by names; of a list, its first item.
func walk(value any, steps []string) any {
	for _, step := range steps {
		if list, ok := value.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			value = list[0]
			if strings.Trim(step, "0123456789") == "" {
				continue
			}
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[step]
	}
	return value
}

// maxShort bounds a value that is shown in passing, in runes.
const maxShort = 60

// short shows a value on one short line.
func short(value any) string {
	var text string
	switch x := value.(type) {
	case nil:
		return ""
	case map[string]any:
		return fmt.Sprintf("{%d fields}", len(x))
	case []any:
		return fmt.Sprintf("[%d items]", len(x))
	case string:
		text = fmt.Sprintf("%q", x)
	default:
		text = expression.AsText(x)
	}
	if r := []rune(text); len(r) > maxShort {
		return string(r[:maxShort]) + "…"
	}
	return text
}
