package yamlnode

import (
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

var awkward = []string{
	"", " ", "a", "a: b", "a #b", " #x", "#x", "x:", "- x", "-", "yes", "No", "null", "~", "1", "1.5", "0x1f",
	"2026-01-01", "true", "it's", `say "so"`, "a,b", "[x]", "{x}", "&a", "*a", "!t", "|", ">", "%", "@a", "`a`",
	"é: à", "a\nb", "a\tb", `C:\x`, "'", `"`, "? x", "<<", "=", "trigger[\"Village: name\"]", "trigger[\" #x\"]",
	"\u00a0x", "\ufeffx", "x ", "10:30", "1_000", ".5", "+1", "a]", "---", "...",
}

func TestTextReadsBackTheSame(t *testing.T) {
	for _, s := range awkward {
		checkText(t, s)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range awkward {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkText(t, s) })
}

func checkText(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r == 0xfffd {
			return // not text
		}
	}
	for _, text := range []string{"k: " + Text(s) + " # c\n" + Text(s+"x") + ": v\n",
		"k: {a: " + FlowText(s) + "} # c\n" + FlowText(s+"x") + ": v\n"} {
		var list diag.List
		doc := Parse("t.yaml", []byte(text), &list)
		if doc == nil || doc.Root == nil || list.HasErrors() {
			t.Fatalf("%q is written as %q, which is not read: %v", s, text, list)
		}
		n := doc.Root.Get("k")
		if n.Kind == Mapping {
			n = n.Get("a")
		}
		if n.Value != s || n.Tag != "!!str" {
			t.Fatalf("%q is written as %q and read as %q %s", s, text, n.Value, n.Tag)
		}
		if doc.Root.Get(s+"x") == nil {
			t.Fatalf("the key %q is lost in %q", s+"x", text)
		}
	}
}

func TestCommentsThatCutAValue(t *testing.T) {
	for text, want := range map[string]string{
		"name: Ward #3":                           "#3",
		"name: Ward # the third":                  "",
		`a: trigger["mother's name"] # her name`:  "",
		`a: trigger["a(b"] # why`:                 "",
		`a: trigger["no # of women"]`:             `# of women"]`,
		`a: 'say "' + b # why`:                    "",
		`a: replace(trigger.x, "#", "") # digits`: "",
	} {
		var list diag.List
		doc := Parse("t.yaml", []byte(text+"\n"), &list)
		if list.HasErrors() {
			continue
		}
		if got := doc.Root.Pairs()[0].Value.CutBy(); got != want {
			t.Errorf("%s is cut by %q, want %q", text, got, want)
		}
	}
}
