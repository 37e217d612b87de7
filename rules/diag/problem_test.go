package diag

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestProblem(t *testing.T) {
	t.Parallel()
	p := Problem{Code: "E1", Message: "no date", Hint: "give one", Field: "Date", Value: "31.31.",
		Place: ParsePlace("rules/anc.yaml:3:4")}
	err := fmt.Errorf("row 7: %w", &p)
	var found *Problem
	if !errors.As(err, &found) || err.Error() != "row 7: rules/anc.yaml:3:4: no date; give one" {
		t.Errorf("the error is %q", err)
	}
	text, err := json.Marshal(p)
	want := `{"code":"E1","cause":"no date","hint":"give one","field":"Date","value":"31.31.","place":"rules/anc.yaml:3:4"}`
	if err != nil || string(text) != want {
		t.Errorf("as JSON it is %s, %v", text, err)
	}
	var back Problem
	if err := json.Unmarshal(text, &back); err != nil || back != p {
		t.Errorf("it was read as %+v, %v", back, err)
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, text := range []string{"", "a.yaml", "a.yaml:3", "a.yaml:3:4", "a:0:1", "a:01:2", ":1:2", "C:\\x.yaml:3:4",
		"1:2:3:4",
		"line 3"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := ParsePlace(text).String(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}
