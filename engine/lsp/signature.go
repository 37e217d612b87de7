package lsp

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
)

func functionDoc(f expression.FunctionDoc) string {
	text := "`" + f.Signature + "`\n\n" + f.Summary
	for _, e := range f.Examples {
		text += "\n\n`" + e.Expression + "` gives `" + e.Result + "`"
	}
	return text
}

// functions describes the functions that expressions may call: those of the project, then those of the language.
func (v *view) functions() []expression.FunctionDoc {
	var docs []expression.FunctionDoc
	for _, f := range v.sharedFunctions() {
		d := expression.FunctionDoc{Name: f.Name, Signature: f.TypedSignature(), Summary: f.Description}
		for _, t := range f.Tests {
			if gives := t.Gives(); gives != "" {
				d.Examples = append(d.Examples, expression.Example{Expression: t.Text, Result: gives})
			}
		}
		docs = append(docs, d)
	}
	return append(docs, expression.Functions()...)
}

// sharedFunctions lists the functions of the project.
func (v *view) sharedFunctions() []*rules.Function {
	if v.space.session == nil || v.space.session.Project() == nil {
		return nil
	}
	return v.space.session.Project().Library.Functions()
}

// signature tells how the function is called whose arguments the cursor is in.
func (v *view) signature(at spot) *SignatureHelp {
	c := v.out.cursorAt(at)
	if c.entry == nil || c.inKey || v.isConfig() || v.slotOf(c.entry.path()) != slotExpression {
		return nil
	}
	name, argument := call(v.typed(c.entry, at))
	if name == "" {
		return nil
	}
	for _, f := range v.functions() {
		if f.Name == name {
			info := SignatureInformation{Label: f.Signature, Documentation: &MarkupContent{"markdown", f.Summary}}
			inner := strings.TrimSuffix(f.Signature[strings.IndexByte(f.Signature, '(')+1:], ")")
			for part := range strings.SplitSeq(strings.NewReplacer("[", "", "]", "").Replace(inner), ",") {
				if part = strings.TrimSpace(part); part != "" && part != "..." {
					info.Parameters = append(info.Parameters, ParameterInformation{part})
				}
			}
			return &SignatureHelp{Signatures: []SignatureInformation{info},
				ActiveParameter: min(argument, max(len(info.Parameters)-1, 0))}
		}
	}
	if slices.Contains(v.mapNames(), name) {
		return &SignatureHelp{Signatures: []SignatureInformation{{Label: name + "(value)",
			Parameters: []ParameterInformation{{"value"}}}}}
	}
	return nil
}

// call finds the innermost call that an expression is in at its end, and the number of the argument.
func call(typed string) (name string, argument int) {
	type open struct {
		name     string
		argument int
	}
	var stack []open
	var quote rune
	for i, r := range typed {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '(' || r == '[' || r == '{':
			word := ""
			if r == '(' {
				word = wordEnd.FindString(typed[:i])
			}
			stack = append(stack, open{name: word})
		case (r == ')' || r == ']' || r == '}') && len(stack) > 0:
			stack = stack[:len(stack)-1]
		case r == ',' && len(stack) > 0:
			stack[len(stack)-1].argument++
		}
	}
	for _, o := range slices.Backward(stack) {
		if o.name != "" {
			return o.name, o.argument
		}
	}
	return "", 0
}
