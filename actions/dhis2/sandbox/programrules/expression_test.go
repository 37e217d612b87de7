package programrules

import (
	"errors"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

// testSet has a variable of every source and type.
func testSet(t testing.TB, version int, rules ...Rule) *Set {
	t.Helper()
	set, skipped := Compile(Definition{
		Rules: rules,
		Variables: []Variable{
			{Name: "text", Source: CurrentEvent, Field: "dataElemTxt", ValueType: "TEXT"},
			{Name: "number", Source: CurrentEvent, Field: "dataElemNum", ValueType: "NUMBER"},
			{Name: "yes", Source: CurrentEvent, Field: "dataElemYes", ValueType: "TRUE_ONLY"},
			{Name: "date", Source: CurrentEvent, Field: "dataElemDay", ValueType: "DATE"},
			{Name: "no text", Source: CurrentEvent, Field: "dataElemNo1", ValueType: "TEXT"},
			{Name: "no number", Source: CurrentEvent, Field: "dataElemNo2", ValueType: "INTEGER_POSITIVE"},
			{Name: "no date", Source: CurrentEvent, Field: "dataElemNo3", ValueType: "AGE"},
			{Name: "no yes", Source: CurrentEvent, Field: "dataElemNo4", ValueType: "BOOLEAN"},
			{Name: "option", Source: CurrentEvent, Field: "dataElemOpt", ValueType: "TEXT",
				Names: map[string]string{"F": "Female"}},
			{Name: "newest", Source: NewestInProgram, Field: "dataElemNum", ValueType: "NUMBER"},
			{Name: "newest visit", Source: NewestInStage, Field: "dataElemNum", Stage: "stageVisits", ValueType: "NUMBER"},
			{Name: "previous", Source: PreviousEvent, Field: "dataElemNum", ValueType: "NUMBER"},
			{Name: "calculated", Source: Calculated, ValueType: "NUMBER"},
			{Name: "born", Source: OfAttribute, Field: "attribBorn1", ValueType: "DATE"},
		},
		Constants: map[string]float64{"constantPi1": 3.5},
		Groups:    map[string]map[string]bool{"RURAL": {"orgUnitHere": true}},
	}, version)
	for _, s := range skipped {
		t.Fatalf("%s is not evaluated: %s", s.Name, s.Reason)
	}
	return set
}

func testScope(t testing.TB, set *Set) *scope {
	t.Helper()
	events := []*Event{
		{UID: "eventOldest", Stage: "stageVisits", Date: day("2026-01-05"), Values: map[string]string{"dataElemNum": "3"}},
		{UID: "eventCurren", Stage: "stageFollow", StageName: "Follow-up", Status: "ACTIVE", OrgUnit: "orgUnitHere",
			Date: day("2026-02-05"),
			Values: map[string]string{"dataElemTxt": "a,b", "dataElemNum": "7.5", "dataElemYes": "true",
				"dataElemDay": "2026-01-31", "dataElemOpt": "F"}},
		{UID: "eventNewest", Stage: "stageVisits", Date: day("2026-03-05"), Values: map[string]string{"dataElemNum": "-4"}},
	}
	en := &Enrollment{UID: "enrollment1", Program: "Antenatal care", Status: "ACTIVE", Enrolled: day("2026-01-01"),
		Incident:   day("2025-12-24"),
		Attributes: map[string]string{"attribBorn1": "2000-02-29"}}
	return &scope{set: set, enrollment: en, event: events[1], history: newHistory(events, set.version),
		today: "2026-11-29",
		user:  User{Groups: []string{"userGroupA1"}, Roles: []string{"userRoleA01"}}, assigned: map[string]*held{}}
}

const failure = "\x00fails"

func evaluate(t testing.TB, version int, text string) string {
	t.Helper()
	n, err := parse(text, version)
	if err != nil {
		if errors.Is(err, errUnsupported) {
			t.Errorf("%s: %v", text, err)
		}
		return failure
	}
	m := &machine{version: version, scope: testScope(t, testSet(t, version))}
	v, err := m.result(n)
	switch {
	case err != nil:
		return failure
	case v == nil:
		return "null"
	}
	return *v
}

func TestExpression(t *testing.T) {
	for text, want := range map[string]string{
		// operators: each has a precedence of its own
		"1 + 2 * 3": "7", "1 - 2 + 3": "-4", "8 / 4 * 2": "1", "2 ^ 3": "8", "2^-2": "0.25", "-3^2": "-9",
		"10/3":      "3.333333333333333",
		"0.1 + 0.2": "0.3", "5 % 2": "1", "0.3 % 0.1": "0", "1 / 0": "Infinity", "0 / 0": "NaN",
		"10000000 * 1000000": "2147483647",
		"1.5 / 10000":        "1.5E-4", "+5": "5", "- 5": "-5", "!true": "false", "not true": "false",
		"!false && false":    "false",
		"true and not false": "true", "false or true": "true", "1 /* one */ + 1": "2", "(1 + 2) * 3": "9",
		// comparison
		"'a' < 'b'": "true", "'10' < '9'": "true", "10 < 9": "false", "'10' < 9": "false", "'x' < 9": failure,
		"null == null": "true",
		"null == ''":   "false", "'' == ''": "true", "true == 'TRUE'": "true", "true == 'yes'": "false", "1 == '1.0'": "true",
		"1 = 1":    failure,
		"null < 1": failure, "#{date} < V{event_date}": "true", "#{date} == '2026-01-31'": "false",
		// logic with no value
		"null && true": "null", "null && false": "null", "false && null": "false", "null || true": "true",
		"null || false": "null", "!null": failure,
		"true || 'x' < 1": "true", "true && 'x' < 1": failure,
		// literals
		`"it's"`: "it's", `'a\'b'`: "a'b", `'\u0041\n'`: "A\n", ".5": "0.5", "1e3": "1000", "''": "", "'a": failure,
		"1 2": failure, "": failure,
		"#{": failure, "true\u00a0&& true": failure, "x": failure,
		// variables
		"#{text}": "a,b", "#{number}": "7.5", "#{number} + 1": "8.5", "#{yes}": "true", "#{option}": "Female",
		"A{born}":    "2000-02-29",
		"#{no text}": "", "#{no number}": "0", "#{no number} + 1": "1", "#{no yes}": "false", "#{no date}": "null",
		"#{no date} == ''": "false",
		"#{unknown}":       failure, "#{unknownName}": "null", "C{constantPi1} * 2": "7", "C{constantNo1}": "null",
		"#{calculated}": "0",
		"#{newest}":     "-4", "#{newest visit}": "-4", "#{previous}": "3", "V{event_date}": "2026-02-05",
		"V{due_date}":    "null",
		"V{event_count}": "3", "V{enrollment_date}": "2026-01-01", "V{incident_date}": "2025-12-24",
		"V{program_name}":       "Antenatal care",
		"V{program_stage_name}": "Follow-up", "V{current_date}": "2026-11-29", "V{environment}": "Server",
		"V{completed_date}": "null",
		"V{value_count}":    failure, "V{nonsense}": failure, "V{event_status} == 'ACTIVE'": "true",
	} {
		if got := evaluate(t, 42, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for text, want := range map[string]string{
		"d2:hasValue(#{text})": "true", "d2:hasValue('text')": "true", "d2:hasValue( 'no text' )": "false",
		"d2:hasValue('unknown')":  "false",
		"d2:hasValue(#{unknown})": "false", "d2:hasValue(V{due_date})": "false", "d2:hasValue(1)": failure,
		"d2:hasValue (#{text})": failure,
		"d2:count(#{newest})":   "3", "d2:count('text')": "1", "d2:count('no text')": "0", "d2:count('unknown')": failure,
		"d2:countIfValue(#{newest}, '3')": "1", "d2:countIfValue(#{newest}, 3)": "1", "d2:countIfZeroPos(#{newest})": "2",
		"d2:maxValue(#{newest})": "7.5", "d2:minValue('newest')": "-4", "d2:maxValue('no number')": "NaN",
		"d2:lastEventDate('newest')":                 "2026-03-05",
		"d2:daysBetween('2026-01-31', '2026-03-01')": "29", "d2:weeksBetween('2026-01-01', '2026-01-15')": "2",
		"d2:monthsBetween('2026-01-31', '2026-02-28')": "0", "d2:monthsBetween('2026-03-15', '2026-01-16')": "-1",
		"d2:yearsBetween(A{born}, '2026-02-28')": "25", "d2:yearsBetween(A{born}, '2026-03-01')": "26",
		"d2:daysBetween(#{no date}, V{event_date})": failure, "d2:daysBetween('', V{event_date})": failure,
		"d2:addDays('2026-02-27', 2)": "2026-03-01", "d2:addDays(#{no date}, 2)": "null",
		"d2:addDays('2026-02-27', '-1')": "2026-02-26",
		"d2:ceil(1.2)":                   "2", "d2:floor(-1.2)": "-2", "d2:floor(null)": "0", "d2:round(2.5)": "3",
		"d2:round(-2.5)":     "-3",
		"d2:round(1.005, 2)": "1.01",
		"d2:round('x')":      failure, "d2:oizp(0)": "1", "d2:oizp(-1)": "0", "d2:zing(-1)": "0", "d2:zing(4.5)": "4.5",
		"d2:zing(null)":           "null",
		"d2:zpvc(1, -1, 0, null)": "2", "d2:modulus(7, 3)": "1", "d2:concatenate('a', 1, null, true)": "a1true",
		"d2:concatenate()": "",
		"d2:length('héé')": "3", "d2:length(null)": "0", "d2:left('abc', 2)": "ab", "d2:left('abc', 9)": "abc",
		"d2:left('abc', -1)": failure,
		"d2:right('abc', 2)": "bc", "d2:substring('abcd', 1, 3)": "bc", "d2:substring('abcd', -1, 9)": "abcd",
		"d2:substring('abcd', 3, 1)": failure,
		"d2:split('a-b-c', '-', 1)":  "b", "d2:split('a-b-c', '-', 5)": "", "d2:split('a.b', '.', 1)": "b",
		"d2:split(null, '-', 0)":                 "",
		"d2:validatePattern('A1', '[A-Z][0-9]')": "true", "d2:validatePattern('xA1', '[A-Z][0-9]')": "false",
		"d2:condition('1 < 2', 'yes', 'no')": "yes", `d2:condition("#{number} > 9", 'yes', 'no')`: "no",
		"d2:condition(1 < 2, 1, 2)":      failure,
		"d2:contains('abcd', 'bc', 'a')": "true", "d2:contains('abcd', 'bd')": "false", "d2:contains('abcd')": failure,
		"d2:containsItems(#{text}, 'b')": "true", "d2:containsItems(#{text}, 'a,b')": "false",
		"d2:containsItems('', 'b')":  "false",
		"d2:inOrgUnitGroup('RURAL')": "true", "d2:inOrgUnitGroup('URBAN')": "false", "d2:inUserGroup('userGroupA1')": "true",
		"d2:hasUserRole('userRoleB01')": "false", "d2:floor()": failure, "d2:floor(1, 2)": failure, "d2:nothing()": failure,
		"if(true, 1, 2)": failure,
		"d2:extractDataMatrixValue('gtin', ']d201084700069915412110081996195256\x1d10DXB2005\x1d17220228')": "08470006991541",
		"d2:extractDataMatrixValue('lot number', ']d20108470006991541\x1d10DXB2005\x1d17220228')":           "DXB2005",
		"d2:extractDataMatrixValue('expiration date', ']Q30108470006991541172202281010\x1d21XYZ')":          "220228",
		"d2:extractDataMatrixValue('serial number', ']d20108470006991541')":                                 failure,
		"d2:extractDataMatrixValue('gtin', 'no code')":                                                      failure,
		// the WHO's growth standards
		"d2:zScoreWFA(30, 9.4, 'm')": "-3", "d2:zScoreWFA(20, 12.7, 'male')": "1", "d2:zScoreWFA(10, 6.7, 'f')": "-2",
		"d2:zScoreWFA(30.0, 19.0, 'female')": "3",
		"d2:zScoreHFA(30, 88.5, 'm')":        "-1", "d2:zScoreHFA(20, 87, 'male')": "1",
		"d2:zScoreHFA(30, 80.1, 'female')": "-3",
		"d2:zScoreWFH(50, 2.8, 'm')":       "-2", "d2:zScoreWFH(60, 6, 'male')": "0", "d2:zScoreWFH(50, 3.1, 'f')": "-1",
		"d2:zScoreWFH(60.5, 20, 'f')": "3.5",
		"d2:zScoreWFA(6, 1, 'f')":     "-3.5", "d2:zScoreWFA(6, 7, 'f')": "-0.37", "d2:zScoreWFA(6, 8.5, 'f')": "1.27",
		"d2:zScoreWFA(28, 12, 'm')":                         failure,
		"d2:zScoreWFA(6, null, 'f')":                        failure,
		"d2:count(#{previous}) + d2:count(#{newest visit})": "5",
		"d2:hasValue(#{text}) && !d2:hasValue(#{no text}) && d2:daysBetween(#{date}, V{current_date}) > 30 * 2": "true",
	} {
		if got := evaluate(t, 43, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// What versions disagree on.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		text       string
		v42, v43   string
		v41, newer string
	}{
		{"2 == true", "true", "false", "false", "false"},
		{"'true' == 1", failure, "false", "false", "false"},
		{"'x' != 1", failure, "true", "true", "true"},
		{"d2:minutesBetween('2026-01-01', '2026-01-02')", failure, "1440", "1440", "1440"},
		{`d2:validatePattern('12', '\d+')`, "false", "false", "true", "true"},
	} {
		for version, want := range map[int]string{41: c.v41, 42: c.v42, 43: c.v43, 44: c.newer} {
			if got := evaluate(t, version, c.text); got != want {
				t.Errorf("%s is %q on 2.%d, want %q", c.text, got, version, want)
			}
		}
	}
}

// What the engine of 2.38 to 2.40 does otherwise.
func TestOldEngine(t *testing.T) {
	for text, want := range map[string]string{
		"#{no date}": "2020-01-01", "d2:daysBetween(#{no date}, '2020-01-03')": "2", "d2:hasValue(#{no date})": "false",
		"V{due_date}":                  failure,
		"V{event_date} < '2026-03-01'": "true", "#{date} < V{event_date}": failure, "null": failure,
		"d2:zing(null)": failure, "2 == true": "true",
		"d2:contains('ab', 'a')": failure, "d2:containsItems('ab', 'a')": failure, "d2:inUserGroup('a')": failure,
		"d2:minutesBetween('2026-01-01', '2026-01-02')": failure,
	} {
		if got := evaluate(t, 40, text); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

// Every function of DHIS2's documentation is either evaluated or named as not evaluated.
func TestDocumentedFunctions(t *testing.T) {
	for _, name := range []string{"addDays", "ceil", "concatenate", "condition", "contains", "containsItems", "count",
		"countIfValue", "countIfZeroPos",
		"daysBetween", "extractDataMatrixValue", "floor", "hasUserRole", "hasValue", "inOrgUnitGroup", "inUserGroup",
		"lastEventDate", "left", "length",
		"maxValue", "minValue", "minutesBetween", "modulus", "monthsBetween", "oizp", "right", "round", "split", "substring",
		"validatePattern",
		"weeksBetween", "yearsBetween", "zScoreHFA", "zScoreWFA", "zScoreWFH", "zing", "zpvc"} {
		if functions["d2:"+name] == nil {
			t.Errorf("d2:%s is not known", name)
		}
	}
	_, skipped := Compile(Definition{Rules: []Rule{
		{UID: "rulePattern", Name: "Looks ahead", Condition: "d2:validatePattern('a', '(?=a)a')",
			Actions: []Action{{Kind: ShowError}}},
		{UID: "ruleHiding1", Name: "Hides", Condition: "d2:validatePattern('a', '(?=a)a')",
			Actions: []Action{{Kind: "HIDEFIELD"}}},
	}}, 43)
	if len(skipped) != 1 || skipped[0].UID != "rulePattern" {
		t.Errorf("not evaluated: %+v, want the rule that bears on an import alone", skipped)
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"#{number} > 250", "d2:hasValue(#{text}) && V{event_status} == 'ACTIVE'",
		"A{born} != \"\" || !true",
		"d2:daysBetween('2024-01-01', V{current_date}) % 2", "((1+2)*-3)/0", "d2:concatenate('a',", "1 2", "#{",
		"d2:zScoreWFA(1,2,3)", "2^--!1",
		`'\u00e9\101\'`, "d2:condition('1 < 2', 1, 2)", "/* x", "C{constantPi1}.x", "d2:round(1.5, +1)", "- !", "1 ^ - ^"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, version := range []int{42, 43} {
			n, err := parse(text, version)
			if err != nil {
				continue
			}
			m := &machine{version: version, scope: testScope(t, testSet(t, version))}
			_, _ = m.result(n)
		}
	})
}
