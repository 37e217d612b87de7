package programrules

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func priority(n int) *int { return &n }

// The golden files hold the effects of rules on an enrollment with two events, in the order in
// which a server acts on them.
func TestEvaluate(t *testing.T) {
	rules := []Rule{
		{UID: "ruleLast001", Name: "no priority", Condition: "#{flag} == 'set'",
			Actions: []Action{{Kind: ShowWarning, Content: "The flag is set"}}},
		{UID: "ruleFirst01", Name: "sets a flag", Priority: priority(1), Condition: "true",
			Actions: []Action{{Kind: Assign, Content: "#{flag}", Data: "'set'"},
				{Kind: Assign, Target: Attribute, Field: "attribBorn1", Data: "'2000-01-01'"},
				{Kind: Assign, Target: DataElement, Field: "dataElemNum", Data: "1 + 1"}}},
		{UID: "ruleAssign1", Name: "sees what was assigned", Priority: priority(2), Condition: "#{dataElemNum} == 2",
			Actions: []Action{{Kind: Assign, Target: DataElement, Field: "dataElemTxt", Data: "''"}}},
		{UID: "ruleStage01", Name: "of a stage", Stage: "stageVisits", Condition: "V{program_stage_id} == 'stageVisits'",
			Actions: []Action{{Kind: ShowError, Content: "Days:", Data: "d2:daysBetween(V{enrollment_date}, V{event_date})",
				Target: DataElement, Field: "dataElemDay"}}},
		{UID: "ruleEvent01", Name: "knows no event", Condition: "V{event_date} == V{event_date}",
			Actions: []Action{{Kind: ErrorOnComplete, Content: "Seen"}}},
		{UID: "ruleBroken1", Name: "unreadable", Condition: "#{number} >",
			Actions: []Action{{Kind: SetMandatory, Target: Attribute, Field: "attribBorn1"}}},
		{UID: "ruleHalf001", Name: "one action fails", Condition: "true",
			Actions: []Action{{Kind: ShowWarning, Content: "a", Data: "'x' + 1", Priority: priority(9)},
				{Kind: ShowWarning, Content: "b", Data: "5 / 2", Priority: priority(1)}}},
		{UID: "ruleNumber1", Name: "a number is not a condition", Condition: "1",
			Actions: []Action{{Kind: ShowError, Content: "never"}}},
		{UID: "ruleForm001", Name: "of forms alone", Condition: "#{", Actions: []Action{{Kind: "HIDEFIELD"}}},
	}
	for _, version := range []int{42, 43} {
		set := testSet(t, version, rules...)
		en := &Enrollment{UID: "enrollment1", Program: "Antenatal care", Status: "ACTIVE", Enrolled: day("2026-01-01"),
			Incident: day("2026-01-01")}
		events := []*Event{
			{UID: "eventVisit1", Stage: "stageVisits", Status: "ACTIVE", Date: day("2026-01-05"), Asked: true,
				Values: map[string]string{"dataElemNum": "3"}},
			{UID: "eventStored", Stage: "stageVisits", Status: "ACTIVE", Date: day("2026-01-06"),
				Values: map[string]string{"dataElemNum": "4"}},
			{UID: "eventFollow", Stage: "stageFollow", Status: "COMPLETED", Date: day("2026-02-05"), Asked: true},
		}
		got, err := json.MarshalIndent(set.Evaluate(en, events, User{}, now), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", map[int]string{42: "effects-2.42.json", 43: "effects-2.43.json"}[version]),
			append(got, '\n'))
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s differs:\n%s", name, got)
	}
}

// Events of an event program that come together see each other, and there is no enrollment.
func TestEventsTogether(t *testing.T) {
	set := testSet(t, 43, Rule{UID: "ruleCount01", Condition: "d2:count(#{newest}) == 2 && V{event_count} == 2",
		Actions: []Action{{Kind: ShowError}}},
		Rule{UID: "ruleEnroll1", Condition: "V{enrollment_date} == V{enrollment_date}", Actions: []Action{{Kind: ShowError}}})
	events := []*Event{
		{UID: "eventOne001", Date: day("2026-01-05"), Asked: true, Values: map[string]string{"dataElemNum": "3"}},
		{UID: "eventTwo001", Date: day("2026-01-05"), Asked: true, Values: map[string]string{"dataElemNum": "4"}},
	}
	effects := set.Evaluate(nil, events, User{}, now)
	if len(effects.Enrollment) != 0 {
		t.Errorf("an enrollment that is not there has effects: %+v", effects.Enrollment)
	}
	for _, e := range events {
		if got := effects.Events[e.UID]; len(got) != 2 || got[0].Kind != ShowError || got[1].Kind != Failed {
			t.Errorf("%s has %+v", e.UID, got)
		}
	}
}

// The time of the day orders events up to 2.42; from 2.43 on the day does, and then when they were created.
func TestOrderOfEvents(t *testing.T) {
	morning, evening := day("2026-01-05").Add(8*3600e9), day("2026-01-05").Add(20*3600e9)
	events := func() []*Event {
		return []*Event{
			{UID: "eventEvenin", Date: evening, Created: morning, Asked: true, Values: map[string]string{"dataElemNum": "1"}},
			{UID: "eventMornin", Date: morning, Created: evening, Asked: true, Values: map[string]string{"dataElemNum": "2"}},
		}
	}
	for version, newest := range map[int]string{42: "1", 43: "2"} {
		set := testSet(t, version, Rule{UID: "ruleNewest1", Condition: "true",
			Actions: []Action{{Kind: ShowWarning, Data: "#{newest}"}}})
		effects := set.Evaluate(nil, events(), User{}, now)
		if got := *effects.Events["eventMornin"][0].Data; got != newest {
			t.Errorf("the newest value on 2.%d is %s, want %s", version, got, newest)
		}
	}
}

// From 2.44 on assigning to a variable assigns to what is behind it: a data element with the event,
// an attribute with the enrollment.
func TestAssignToVariable(t *testing.T) {
	rules := []Rule{{UID: "ruleBacked1", Condition: "true",
		Actions: []Action{{Kind: Assign, Content: "#{number}", Data: "5"},
			{Kind: Assign, Content: "A{born}", Data: "'2001-01-01'"}, {Kind: Assign, Content: "#{calculated}", Data: "1"},
			{Kind: Assign, Content: "number", Data: "1"}}}}
	// assigned with the enrollment and the event, failures
	for version, want := range map[int][3]int{43: {0, 0, 2}, 44: {1, 1, 1}} {
		effects := testSet(t, version, rules...).Evaluate(&Enrollment{UID: "enrollment1"},
			[]*Event{{UID: "eventOne001", Asked: true}}, User{}, now)
		for i, list := range [][]Effect{effects.Enrollment, effects.Events["eventOne001"]} {
			assigned := 0
			for _, e := range list {
				if e.Kind == Assign {
					assigned++
				}
			}
			if assigned != want[i] || len(list) != want[i]+want[2] {
				t.Errorf("2.%d: %+v, want %d assigned and %d failures", version, list, want[i], want[2])
			}
		}
	}
}

// Up to 2.42, but for 2.41, an org unit group that no condition names has no org units.
func TestGroupsOfConditions(t *testing.T) {
	inData := Rule{UID: "ruleInData1", Condition: "true",
		Actions: []Action{{Kind: ShowWarning, Data: "d2:inOrgUnitGroup('RURAL')"}}}
	inCondition := Rule{UID: "ruleInCond1", Condition: "d2:inOrgUnitGroup('RURAL')",
		Actions: []Action{{Kind: ShowWarning}}}
	for version, want := range map[int]string{41: "true", 42: "false", 43: "true"} {
		events := []*Event{{UID: "eventOne001", OrgUnit: "orgUnitHere", Asked: true}}
		if got := *testSet(t, version, inData).Evaluate(nil, events, User{}, now).Events["eventOne001"][0].Data; got != want {
			t.Errorf("2.%d: asked by data alone it is %s, want %s", version, got, want)
		}
		if got := testSet(t, version, inData, inCondition).Evaluate(nil, events, User{},
			now).Events["eventOne001"]; len(got) != 2 || *got[0].Data != "true" {
			t.Errorf("2.%d: asked by a condition too it is %+v", version, got)
		}
	}
}
