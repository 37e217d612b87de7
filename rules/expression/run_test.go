package expression_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/expression"
)

func formEnv(t testing.TB) expression.Env {
	t.Helper()
	kenya := &orgUnit{ID: "u1", Name: "Kenya", Level: 1}
	clinic := &orgUnit{ID: "u2", Name: "Kibera", Level: 2, Parent: kenya, Ancestors: []*orgUnit{kenya},
		Attributes: map[string]string{"MFL code": "13023"}}
	return expression.Env{
		"trigger": formBody(t), "row": map[string]any{"Visit date": "2026-08-01", "form.age": "25"}, "clinic": clinic,
		"index":        2,
		"registration": map[string]any{"tracked_entity": "abc"},
	}
}

func TestRun(t *testing.T) {
	s, env := formScope(t), formEnv(t)
	for _, c := range []struct{ text, want string }{
		{`trigger.form.visit_date`, `"2026-08-01"`},
		{`trigger.form["@name"]`, `"ANC visit"`},
		{`trigger.form.case["@case_id"]`, `"8f8f"`},
		{`trigger.form.case.create.case_name`, `"Mary"`},
		{`trigger.form.meta.appVersion["#text"]`, `"v2"`},
		{`trigger.form.group_a["next-visit"]`, `"2026-09-01"`},
		{`row["form.age"]`, `"25"`},
		{`row["Visit date"]`, `"2026-08-01"`},
		{`trigger["form"]["@name"]`, `"ANC visit"`},
		{`trigger.form.next_visit`, `nil`},
		{`trigger.edited_on`, `nil`},
		{`trigger.version + 1`, `187`},
		{`number(trigger.form.age) > 5 and trigger.form["@name"] == "ANC visit"`, `true`},
		{`1 < number(trigger.form.age) <= 25`, `true`},
		{`date(trigger.form.visit_date) >= "2026-08-01"`, `true`},
		{`trigger.form.visit_date < today()`, `true`},
		{`today() == "2026-08-20"`, `true`},
		{`clinic.parent.name`, `"Kenya"`},
		{`clinic.parent.parent.parent.name`, `nil`},
		{`clinic.ancestors[0].id`, `"u1"`},
		{`clinic.ancestors[-1].id`, `"u1"`},
		{`clinic.ancestors[5].id`, `nil`},
		{`clinic.attributes["MFL code"]`, `"13023"`},
		{`clinic.attributes.none`, `nil`},
		{`map(clinic.ancestors, .name)`, `["Kenya"]`},
		{`clinic.level * 2`, `4`},
		{`index + 1`, `3`},
		{`registration.tracked_entity`, `"abc"`},
		{`registration.enrollment`, `nil`},
		{`sex(trigger.form.gender)`, `"f"`},
		{`filter(trigger.form.child, number(.age) > 3)[0].name`, `"B"`},
		{`sum(trigger.form.child, number(.age))`, `6`},
		{`count(trigger.form.visits)`, `1`},
		{`trigger.form.visits[0].kept`, `"yes"`},
		{`first(trigger.form.child).name`, `"A"`},
		{`any(trigger.form.child, .name == "B" and any(list_of(trigger.form.visits), .kept == "yes"))`, `true`},
		{`sortBy(trigger.form.child, number(.age), "desc")[0].name`, `"B"`},
		{`selected(trigger.form.symptoms, "cough")`, `true`},
		{`trigger.form.symptoms | split() | join(",")`, `"fever,cough"`},
		{`let n = number(trigger.form.age); n * n`, `625`},
		{`let who = trigger.form; who.gender + who.age`, `"f25"`},
		{`trigger.form.gender == "f" ? "Female" : "Male"`, `"Female"`},
		{`if trigger.is_phone_submission { trigger.form.age } else { "" }`, `"25"`},
		{`trigger.form.next_visit ?? trigger.form.visit_date`, `"2026-08-01"`},
		{`trigger.form.age in ["25", "26"]`, `true`},
		{`trigger.form.age not in ["26"]`, `true`},
		{`trigger.form.gender matches "^[fm]$"`, `true`},
		{`not (trigger.form.gender startsWith "m")`, `true`},
		{`trigger.form.symptoms[0:5]`, `"fever"`},
		{`trigger.form.child[1:][0].name`, `"B"`},
		{`0.1 + 0.2 == 0.3`, `false`},
		{`9223372036854775807 + 1 > 0`, `true`},
		{`7 / 2`, `3.5`},
		{`8 / 2`, `4`},
		{`-7 % 3`, `-1`},
		{`2 ** 10`, `1024`},
		{`"a" + "b"`, `"ab"`},
		{`extra.x == "" and extra.x == nil and extra.x == "---" and blank(extra.x)`, `true`},
		{`extra.x != ""`, `false`},
		{`extra.x != "a"`, `true`},
		{`extra.x > 5 or extra.x < 5 or extra.x <= 5`, `false`},
		{`trigger.form.visit_date + " " + trigger.form.age`, `"2026-08-01 25"`},
		{`period(trigger.form.visit_date, "Quarterly")`, `"2026Q3"`},
		{`trigger.form?.visit_date`, `"2026-08-01"`},
		{`{name: trigger.form.gender, n: [1, 2]}.name`, `"f"`},
		{`trigger.form.child[index].name`, `nil`},
		{`trigger.form[trigger.form.gender]`, `nil`},
		{`date(trigger.received_on)`, `date("2026-08-20T10:10:00")`},
	} {
		v, err := eval(t, s, c.text, env)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if got := show(v); got != c.want {
			t.Errorf("%s is %s, want %s", c.text, got, c.want)
		}
	}
}

// Every operator and manipulation of MOTECH's tasks can be said.
func TestWhatMotechCouldSay(t *testing.T) {
	s := expression.NewScope(nairobi(t))
	s.AddShape("trigger", expression.ShapeOf(map[string]any{"name": "", "n": "", "d": "", "ok": true, "words": "",
		"m": map[string]any{"a": ""}, "when": ""}))
	env := expression.Env{"trigger": map[string]any{"name": "mary otieno", "n": "12", "d": "2026-08-10", "ok": true,
		"words": "fever cough", "m": map[string]any{"a": "1, 2=3"}, "when": "10/08/2026 14:30"}}
	for motech, c := range map[string][2]string{
		"exist":                    {`not_blank(trigger.name)`, `true`},
		"equals":                   {`trigger.name == "mary otieno"`, `true`},
		"contains":                 {`trigger.name contains "ote"`, `false`},
		"startsWith":               {`trigger.name startsWith "mary"`, `true`},
		"endsWith":                 {`trigger.name endsWith "eno"`, `true`},
		"equalsIgnoreCase":         {`equals_ignore_case(trigger.name, "MARY Otieno")`, `true`},
		"number.exist":             {`is_number(trigger.n)`, `true`},
		"number.equals":            {`number(trigger.n) == 12`, `true`},
		"gt":                       {`number(trigger.n) > 11`, `true`},
		"lt":                       {`number(trigger.n) < 13`, `true`},
		"isTrue":                   {`trigger.ok`, `true`},
		"and, or":                  {`trigger.ok and true or false`, `true`},
		"date equals":              {`date(trigger.d) == "2026-08-10"`, `true`},
		"after":                    {`trigger.d > date("2026-08-09")`, `true`},
		"afterNow":                 {`trigger.d > now()`, `false`},
		"before":                   {`trigger.d < date("2026-08-11")`, `true`},
		"beforeNow":                {`trigger.d < now()`, `true`},
		"lessDaysFromNow":          {`abs(days_between(now(), trigger.d)) < 11`, `true`},
		"moreDaysFromNow":          {`abs(days_between(now(), trigger.d)) > 10`, `false`},
		"lessMonthsFromNow":        {`abs(diff(now(), trigger.d, "months")) < 1`, `true`},
		"moreMonthsFromNow":        {`abs(diff(now(), trigger.d, "months")) > 1`, `false`},
		"toUpper":                  {`upper(trigger.name)`, `"MARY OTIENO"`},
		"toLower":                  {`lower("MARY")`, `"mary"`},
		"capitalize":               {`title(trigger.name)`, `"Mary Otieno"`},
		"URLEncode":                {`url_encode(trigger.name)`, `"mary+otieno"`},
		"join":                     {`join(split(trigger.words), "-")`, `"fever-cough"`},
		"split":                    {`split(trigger.words, " ")[1]`, `"cough"`},
		"substring":                {`substring(trigger.name, 0, 4)`, `"mary"`},
		"format":                   {`format("{}/{}", trigger.n, trigger.d)`, `"12/2026-08-10"`},
		"parseDate":                {`date(trigger.when, "dd/MM/yyyy HH:mm")`, `date("2026-08-10T14:30:00")`},
		"dateTime":                 {`format_date(trigger.d, "dd MMM yyyy")`, `"10 Aug 2026"`},
		"beginningOfMonth":         {`start_of(trigger.d, "month")`, `date("2026-08-01")`},
		"endOfMonth, 23:59:59.999": {`end_of(end_of(trigger.d, "month"), "day")`, `date("2026-08-31T23:59:59.999")`},
		"plusMonths, minusMonths":  {`add(add(trigger.d, 7, "months"), -1, "month")`, `date("2027-02-10")`},
		"plusDays, minusDays":      {`add(add(trigger.d, 7, "days"), -1, "day")`, `date("2026-08-16")`},
		"plusHours, minusHours":    {`add(add(trigger.d, 7, "hours"), -1, "hour")`, `date("2026-08-10T06:00:00")`},
		"plusMinutes, minusMinutes": {`add(add(trigger.d, 7, "minutes"), -1, "minute")`,
			`date("2026-08-10T00:06:00")`},
		"quarter":  {`format("Q{}-{}", quarter(trigger.d), year(trigger.d))`, `"Q3-2026"`},
		"getValue": {`trigger.m["a"]`, `"1, 2=3"`},
		"Is not":   {`not (trigger.name == "x")`, `true`},
		"a template of texts and keys": {`"Dear " + title(trigger.name) + ", aged " + trigger.n`,
			`"Dear Mary Otieno, aged 12"`},
		"chained, and what it did not have": {`trigger.name | trim() | replace("mary", "grace") | upper()`, `"GRACE OTIENO"`},
	} {
		v, err := eval(t, s, c[0], env)
		if err != nil {
			t.Errorf("%s: %s: %v", motech, c[0], err)
		} else if got := show(v); got != c[1] {
			t.Errorf("%s: %s is %s, want %s", motech, c[0], got, c[1])
		}
	}
}

func TestRunErrors(t *testing.T) {
	s := formScope(t)
	cause := errors.New("not in the map: female")
	s.AddFunction("outcome", func(any) (any, error) { return nil, cause })
	secret := "Wanjiku-0722"
	env := expression.Env{"trigger": map[string]any{
		"form": map[string]any{"age": secret, "visit_date": secret, "group_a": secret, "child": []any{1},
			"gender": secret, "visits": []any{map[string]any{"kept": secret}, map[string]any{}}},
		"is_phone_submission": secret, "version": secret,
	}, "extra": map[string]any{"list": make([]any, 10_001), "text": secret, "number": 5}}
	for _, c := range []struct{ text, place, code, names string }{
		{`number(trigger.form.age) + 1`, `number(trigger.form.age)`, expression.CodeWrongValue, "trigger.form.age"},
		{`1 + round(number(trigger.form.age))`, `number(trigger.form.age)`, expression.CodeWrongValue, "trigger.form.age"},
		{`trigger.form.group_a.bp`, `trigger.form.group_a.bp`, expression.CodeWrongType, "trigger.form.group_a"},
		{`upper(trigger.form.group_a.bp)`, `trigger.form.group_a.bp`, expression.CodeWrongType, "trigger.form.group_a"},
		{`trigger.form.visits.kept`, `trigger.form.visits.kept`, expression.CodeWrongType, "trigger.form.visits"},
		{`trigger.form.visit_date > today()`, `trigger.form.visit_date > today()`, expression.CodeWrongValue,
			"trigger.form.visit_date"},
		{`age(trigger.form.visit_date)`, `age(trigger.form.visit_date)`, expression.CodeWrongValue,
			"trigger.form.visit_date"},
		{`trigger.version * 2`, `trigger.version * 2`, expression.CodeWrongType, "trigger.version"},
		{`trigger.version > 5`, `trigger.version > 5`, expression.CodeWrongType, "trigger.version"},
		{`trigger.is_phone_submission and true`, `trigger.is_phone_submission`, expression.CodeWrongType,
			"trigger.is_phone_submission"},
		{`extra.number == extra.text`, `extra.number == extra.text`, expression.CodeWrongType, "extra.number extra.text"},
		{`upper(extra.list)`, `upper(extra.list)`, expression.CodeWrongType, "extra.list"},
		{`filter(extra.list, # == 1)`, `extra.list`, expression.CodeTooLarge, "extra.list"},
		{`outcome(trigger.form.gender)`, `outcome(trigger.form.gender)`, expression.CodeWrongValue, "trigger.form.gender"},
		{`phone(trigger.form.gender, "KE")`, `phone(trigger.form.gender, "KE")`, expression.CodeWrongValue,
			"trigger.form.gender"},
		{`extra.number / (extra.number - 5)`, `extra.number / (extra.number - 5)`, expression.CodeWrongValue, "extra.number"},
		{`map(1..3, pad_left(extra.text, 2000000))`, `pad_left(extra.text, 2000000)`, expression.CodeTooLarge, "extra.text"},
		{`let a = extra.text + extra.text; let b = a + a; let c = b + b; let d = c + c; any(1..10000, any(1..10000, ` +
			`#index < 0))`, `1..10000`, expression.CodeTooLarge, ""},
		{`count(1..extra.number * 100000)`, `1..extra.number * 100000`, expression.CodeTooLarge, "extra.number"},
	} {
		p, problems := expression.Compile(c.text, s, expression.Anything)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.text, problems)
			continue
		}
		v, err := p.Run(env)
		var e *expression.RunError
		if !errors.As(err, &e) {
			t.Errorf("%s gives a %T, %v, want an error", c.text, v, err)
			continue
		}
		if place := string([]rune(c.text)[e.From:e.To]); place != c.place || e.Code != c.code ||
			strings.Join(e.Names, " ") != c.names {
			t.Errorf("%s fails at %q with %s of %v, want %q with %s of %v (%v)", c.text, place, e.Code, e.Names, c.place,
				c.code, c.names, err)
		}
		if text := e.Message + e.Hint + e.Error(); strings.Contains(text, "Wanjiku") ||
			strings.Contains(text, "interface") || strings.Contains(text, "string") {
			t.Errorf("%s: the message shows data or Go: %s", c.text, text)
		}
		if strings.HasPrefix(c.text, "outcome") && !errors.Is(err, cause) {
			t.Errorf("%s: the cause is lost", c.text)
		}
		// A machine that failed does not spoil the next run.
		if _, again := p.Run(env); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: the second run gives %v", c.text, again)
		}
	}
}

// Programs are shared by many workers.
func TestRunsAtOnce(t *testing.T) {
	s := formScope(t)
	p, problems := expression.Compile(`upper(trim(trigger.form.gender)) + text(count(filter(trigger.form.child, .name `+
		`== trigger.form.gender)))`, s, expression.Text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("n", w)
			env := expression.Env{"trigger": map[string]any{"form": map[string]any{"gender": name,
				"child": []any{map[string]any{"name": name}, map[string]any{"name": "x"}}}}}
			for i := range 500 {
				if i%100 == 0 {
					if _, problems := expression.Compile(`upper(trigger.form.gender) == "F"`, s,
						expression.Condition); len(problems) > 0 {
						t.Error(problems)
					}
				}
				if v, err := p.Run(env); err != nil || v != strings.ToUpper(name)+"1" {
					t.Errorf("%v, %v", v, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Where clocks are put forward at midnight a day begins at one o'clock, and is still a day.
func TestDaysWithoutMidnight(t *testing.T) {
	zone, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	s := expression.NewScope(expression.Options{Zone: zone,
		Now: func() time.Time { return time.Date(2024, 4, 26, 9, 0, 0, 0, zone) }})
	for text, want := range map[string]string{
		`text(today())`: "2024-04-26", `text(date("2024-04-26"))`: "2024-04-26",
		`text(add("2024-04-26", 1, "day"))`: "2024-04-27", `text(add("2024-04-25", 1, "day"))`: "2024-04-26",
		`text(days_between("2024-04-25", "2024-04-27"))`: "2", `text(diff("2024-04-26", "2024-05-26", "months"))`: "1",
		`text(diff("2024-04-26", "2024-04-27", "days"))`:  "1",
		`text(diff("2024-04-26", "2024-04-27", "hours"))`: "23", `text(start_of(now(), "day"))`: "2024-04-26",
		`text(end_of("2024-04-26", "month"))`:         "2024-04-30",
		`text(in_zone("2024-04-26T10:00:00", "UTC"))`: "2024-04-26T07:00:00.000Z",
	} {
		v, err := eval(t, s, text, nil)
		if err != nil || v != want {
			t.Errorf("%s is %v, %v, want %s", text, v, err, want)
		}
	}
}

func TestDatesOfOtherPrograms(t *testing.T) {
	zone, err := time.LoadLocation("America/Lima")
	if err != nil {
		t.Fatal(err)
	}
	s := expression.NewScope(expression.Options{Zone: zone})
	s.AddShape("trigger", expression.ShapeOf(map[string]any{"d": time.Time{}}))
	for in, want := range map[time.Time]string{
		time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC):  "2026-08-20", // a date of a database or workbook
		time.Date(2026, 8, 20, 2, 30, 0, 0, time.UTC): "2026-08-19T21:30:00.000-05:00",
		time.Date(2026, 8, 20, 0, 0, 0, 0, zone):      "2026-08-20",
	} {
		v, err := eval(t, s, "text(trigger.d)", expression.Env{"trigger": map[string]any{"d": in}})
		if err != nil || v != want {
			t.Errorf("%s is %v, %v, want %s", in, v, err, want)
		}
	}
}
