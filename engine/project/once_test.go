package project

import (
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

func TestOnce(t *testing.T) {
	missing := func(file, message string) diag.Diagnostic {
		return diag.Diagnostic{Problem: diag.Problem{Code: "no-snapshot", Message: message, Place: diag.Place{File: file}}}
	}
	const server, lookup = "there is no metadata of server \"a\" to check the rule against", "there is no metadata to look things up in"
	other := diag.Diagnostic{Problem: diag.Problem{Code: "bad-value", Message: "x", Place: diag.Place{File: "1"}}}
	list := diag.List{missing("1", server), missing("1", lookup), other, missing("2", server), missing("3", server),
		missing("3", lookup), other}
	got := Once(list)
	if len(got) != 3 || got[0].Message != server+", nor 2 other rules" || got[1].Code != "bad-value" ||
		got[2].Code != "bad-value" {
		t.Errorf("%+v", got)
	}
	if list[0].Message != server {
		t.Error("the project's own findings have changed")
	}
}
