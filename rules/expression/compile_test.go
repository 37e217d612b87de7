package expression_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/expression"
)

// orgUnit stands for what other packages give to AddType.
type orgUnit struct {
	ID         string            `expr:"id"`
	Name       string            `expr:"name"`
	Level      int               `expr:"level"`
	Parent     *orgUnit          `expr:"parent"`
	Ancestors  []*orgUnit        `expr:"ancestors"`
	Attributes map[string]string `expr:"attributes"`
	Hidden     string            `expr:"-"`
}

func formBody(t testing.TB) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "form.json"))
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

// formScope has what a rule about the sample form has: the trigger, a lookup, a value map, a result
// of an earlier action, an item.
func formScope(t testing.TB) *expression.Scope {
	t.Helper()
	shape := expression.ShapeOf(formBody(t))
	if err := shape.Declare("form.next_visit", "date"); err != nil {
		t.Fatal(err)
	}
	s := expression.NewScope(nairobi(t))
	s.AddShape("trigger", shape)
	s.AddShape("row", expression.ShapeOf(map[string]any{"Visit date": "", "form.age": "", "Given name": ""}))
	s.AddShape("extra", expression.Dynamic())
	s.AddType("clinic", (*orgUnit)(nil))
	s.AddType("index", 0)
	s.AddFunction("sex", func(v any) (any, error) { return v, nil })
	s.AddFields("registration", "tracked_entity", "enrollment")
	return s
}

// TestProblems reads testdata/problems.txt: blocks of an expression (after "? ", with what it must
// be in front when that matters) and the findings that it has.
func TestProblems(t *testing.T) {
	s := formScope(t)
	path := filepath.Join("testdata", "problems.txt")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var have, want strings.Builder
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		fmt.Fprintln(&want, line)
		text, found := strings.CutPrefix(line, "? ")
		if strings.HasPrefix(line, "#") || line == "" {
			fmt.Fprintln(&have, line)
		}
		if !found {
			continue
		}
		fmt.Fprintln(&have, line)
		w := expression.Anything
		for word, as := range map[string]expression.Want{"condition: ": expression.Condition, "list: ": expression.List,
			"text: ": expression.Text} {
			if rest, ok := strings.CutPrefix(text, word); ok {
				text, w = rest, as
			}
		}
		program, problems := expression.Compile(text, s, w)
		if (program == nil) != (len(problems) > 0) {
			t.Errorf("%s: a program and problems: %v", text, problems)
		}
		for _, p := range problems {
			place := string([]rune(text)[p.From:p.To])
			fmt.Fprintf(&have, "  %d-%d %q %s: %s\n", p.From, p.To, place, p.Code, p.Message)
			if p.Hint != "" {
				fmt.Fprintf(&have, "    %s\n", p.Hint)
			}
		}
		if len(problems) == 0 {
			fmt.Fprintln(&have, "  fine")
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(have.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), have.String()); diff != "" {
		t.Error(diff)
	}
}
