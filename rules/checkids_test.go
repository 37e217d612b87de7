package rules

import (
	"slices"
	"testing"
)

// idRule is a rule that makes visits, or people, and the samples of their ids.
type idRule struct {
	name, head     string
	people, refers bool
	samples        []string
}

func (x idRule) load(t *testing.T) *Rule {
	t.Helper()
	text := "rule: " + x.name + "\n" + x.head + "trigger: {files: {folder: drop/" + x.name +
		"}, fields: {id: text}}\nid: trigger.id\nactions:\n  - dhis2.event: {program: A}\n"
	r, findings := Load("rules/"+x.name+".yaml", []byte(text), testEnvironment(files{}))
	if r == nil || len(r.Actions) == 0 {
		t.Fatal(findings.List)
	}
	d := DeclaredIDs{Object: "event visits", Label: "visits", Creates: !x.refers, Place: r.Actions[0].Place}
	if x.people {
		d = DeclaredIDs{Object: "tracked entity person", Label: "people", People: true, Creates: !x.refers,
			Place: r.Actions[0].Place}
	}
	r.Actions[0].DeclareIDs(d)
	r.ids[0].samples = x.samples
	return r
}

// TestWhoSharesIds holds which pairs of rules are named: those whose ids look as if they should be
// shared, and those whose ids must not.
func TestWhoSharesIds(t *testing.T) {
	numbers, codes := []string{"1", "2"}, []string{"0a8c7c3e-6d0f-4a35-9a39-1f6b7d8b8e11", "case-7"}
	for _, test := range []struct {
		name string
		a, b idRule
		want string
	}{
		{"two registers that count from 1", idRule{people: true, samples: numbers}, idRule{people: true, samples: numbers},
			"ids-shared"},
		{"each with a namespace", idRule{people: true, head: "namespace: north\n", samples: numbers},
			idRule{people: true, head: "namespace: south\n", samples: numbers}, ""},
		{"both say the same one", idRule{people: true, head: "namespace: register\n", samples: numbers},
			idRule{people: true, head: "namespace: register\n", samples: numbers}, ""},
		{"only one says", idRule{people: true, head: "namespace: {people: project}\n", samples: numbers},
			idRule{people: true, samples: numbers}, "ids-shared"},
		{"ids of machines", idRule{people: true, samples: codes}, idRule{people: true, samples: codes}, ""},
		{"a rule that speaks of people whom another registers elsewhere",
			idRule{people: true, head: "namespace: north\n", samples: codes}, idRule{people: true, refers: true}, "ids-apart"},
		{"and in the same", idRule{people: true, head: "namespace: north\n", samples: codes},
			idRule{people: true, refers: true, head: "namespace: north\n"}, ""},
		{"two ways for the same events", idRule{samples: codes}, idRule{samples: codes}, "ids-apart"},
		{"which share", idRule{head: "namespace: visits\n", samples: codes},
			idRule{head: "namespace: visits\n", samples: codes}, ""},
		{"row numbers of two files", idRule{samples: numbers}, idRule{samples: numbers}, ""},
		{"row numbers that are shared", idRule{head: "namespace: visits\n", samples: numbers},
			idRule{head: "namespace: visits\n", samples: numbers}, "ids-shared"},
		{"events that another rule completes", idRule{samples: codes}, idRule{refers: true}, "ids-apart"},
		{"a namespace that is another rule's own", idRule{samples: numbers}, idRule{head: "namespace: a\n", samples: codes},
			"namespace-of-a-rule"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.a.name, test.b.name = "a", "b"
			var codes []string
			for _, d := range CheckProject([]*Rule{test.a.load(t), test.b.load(t)}) {
				codes = append(codes, d.Code)
			}
			if test.want == "" && len(codes) > 0 || test.want != "" && !slices.Contains(codes, test.want) {
				t.Errorf("found %q, want %q", codes, test.want)
			}
		})
	}
}
