package service

import (
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag/explain"
)

// Explain says in a language what a code means, as Markdown.
func (s *inspection) Explain(code string, in *language.Language) (markdown string, ok bool) {
	return Explain(code, in)
}

// Explain says in a language what the code of a finding, a failure or an error of DHIS2 means, as Markdown.
func Explain(code string, in *language.Language) (markdown string, ok bool) {
	if text, ok := explain.Page(code); ok {
		return in.Explain(text), true
	}
	e, ok := codes.Explain(code)
	if !ok {
		return "", false
	}
	return "# " + e.Code + "\n\n" + in.Sprintf("%s, an error of DHIS2", e.Code) + "\n\n" +
		in.Sprintf("Cause: %s", in.Text(e.Cause)) + "\n\n" + in.Sprintf("Fix: %s", in.Text(e.Hint)) + "\n", true
}
