package explain

import (
	"strings"
	"testing"
)

func TestPagesAreComplete(t *testing.T) {
	codes := Codes()
	if len(codes) < 60 {
		t.Fatalf("only %d pages", len(codes))
	}
	for _, code := range codes {
		text, ok := Page(code)
		if !ok || !strings.HasPrefix(text, "# "+code+"\n\n") || strings.Contains(text, "yaml bad") ||
			len(text) < len(code)+40 {
			t.Errorf("%s: %q", code, text)
		}
		e, ok := Find(code)
		if !ok || e.Checked == "" {
			t.Errorf("%s does not say who checks its examples", code)
		}
		if (e.Checked == "none") != (e.Reason != "") {
			t.Errorf("%s is checked by %q, and the reason why nothing is run is %q", code, e.Checked, e.Reason)
		}
		bad, good := false, false
		for _, b := range e.Blocks {
			bad, good = bad || b.Is("bad"), good || b.Is("good")
		}
		if bad != good || bad != (e.Checked != "none") {
			t.Errorf("%s: examples bad %v, good %v, checked by %q", code, bad, good, e.Checked)
		}
	}
}

func TestUnknownPages(t *testing.T) {
	for _, code := range []string{"", "no-such-code", "../explain", "pages/syntax"} {
		if _, ok := Page(code); ok {
			t.Errorf("there is a page %q", code)
		}
	}
}
