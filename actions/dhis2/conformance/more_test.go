package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/identity"
)

// moreMetadata is what the parts of this file need on top of Tamala: programs with photos, shapes, partners, a
// protected one. Against a real server without it they are skipped.
const moreMetadata = "../sandbox/testdata/tamala-more-2.43.json"

// uids of it.
const (
	woundCare  = "Qtr2YXfrKXB"
	review     = "rpMSxftbtVV"
	spraying   = "qKgkw6AqmSp"
	sprayStage = "u6qKv3ouNVD"
	outreach   = "eTG3iEAQD9j"
	outreachAt = "HrNBRZfMfxY"
	photo      = "QGRYHW3pClj"
	consent    = "BOQYHwJNDyF"
	cedar      = "TM-020102"
)

// hasMore skips a part whose metadata a real server does not hold; our own has to.
func (s *suite) hasMore(t *testing.T) {
	t.Helper()
	for _, program := range []string{woundCare, spraying, outreach} {
		if s.index.ProgramByID(program) == nil {
			if os.Getenv("CULVERT_DHIS2_URL") == "" {
				t.Fatalf("the sandbox lacks the program %s", program)
			}
			t.Skipf("the server does not hold %s", strings.TrimPrefix(moreMetadata, "../"))
		}
	}
}

// A small PNG and two documents, as sources send them.
const (
	pngBase64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
	pdfOne    = "data:application/pdf;base64,JVBERi0xLjQKMQ=="
	pdfTwo    = "data:application/pdf;base64,JVBERi0xLjQKMg=="
)

// wounded is the record of somebody of the program with photos, shapes and flags.
func (s *suite) wounded(n int) fields {
	return fields{"id": s.external(n), "case": s.external(n), "place": "TM-010202", "date": "2024-03-02", "first": "Fatou",
		"photo": "data:image/png;base64," + pngBase64, "paper": pdfOne, "flag": "yes",
		"area": "POLYGON((31 -5, 31.1 -5, 31.1 -5.1, 31 -5))", "point": "-5.1 31.2 0 0"}
}

const woundedRule = `
  - dhis2.create_and_enroll:
      program: Wound care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      geometry: trigger.point
      enrollment_geometry: trigger.area
      follow_up: trigger.flag
      attributes:
        First name: trigger.first
        Photo: {from: trigger.photo, blank: clear}
        Consent form: {from: trigger.paper, blank: clear}
  - dhis2.event:
      program: Wound care
      stage: Review
      external_id: trigger.case
      event_id: trigger.id
      org_unit: trigger.place
      occurred_at: trigger.date
      geometry: trigger.point
      assigned_user: {value: admin}
`

// files sends photos, shapes, a mark and an assigned user, corrects them, and takes files away again.
func (s *suite) files(t *testing.T) {
	s.hasMore(t)
	f := s.compile(t, woundedRule, s.wounded(0))
	f.twice(t, 0,
		sent{"ok", s.wounded(40)},
		sent{"file-wrong-type", s.wounded(96).with("photo", "data:image/png;base64,PGh0bWw+PGJvZHk+eDwvYm9keT48L2h0bWw+")},
		sent{"wrong-type", s.wounded(97).with("area", "POINT(31 -5)")},
		sent{"wrong-type", s.wounded(95).with("point", "POLYGON((31 -5, 31.1 -5, 31.1 -5.1, 31 -5))")},
	)
	for _, n := range []int{95, 96, 97} {
		s.wantNobody(t, n)
	}
	first := s.fileOf(t, 40, consent)
	if first == "" || s.fileOf(t, 40, photo) == "" {
		t.Fatal("there are no files")
	}
	e := s.readEnrollment(t, woundCare, 40)
	if !e.FollowUp || !strings.Contains(string(e.Geometry), "Polygon") {
		t.Errorf("the enrollment is %+v", e)
	}
	ev := s.readEvent(t, woundCare, identity.EventUID(review, s.enrollment(woundCare, 40), s.external(40), 0))
	if !strings.Contains(string(ev.Geometry), "31.2") || ev.AssignedUser == nil || ev.AssignedUser.Username != "admin" {
		t.Errorf("the review is %+v", ev)
	}
	f.twice(t, 0, sent{"ok", s.wounded(40).with("paper", pdfTwo, "photo", "", "flag", "no",
		"area", "-5.0 31.0 0 0; -5.0 31.2 0 0; -5.2 31.2 0 0; -5.0 31.0 0 0")})
	if second := s.fileOf(t, 40, consent); second == "" || second == first || s.fileOf(t, 40, photo) != "" {
		t.Errorf("after the correction the files are %q and %q", second, s.fileOf(t, 40, photo))
	}
	if e := s.readEnrollment(t, woundCare, 40); e.FollowUp || !strings.Contains(string(e.Geometry), "31.2") {
		t.Errorf("the corrected enrollment is %+v", e)
	}
}

// fileOf is the uid of the file that an attribute of somebody holds.
func (s *suite) fileOf(t *testing.T, n int, attribute string) string {
	t.Helper()
	for _, a := range s.readPerson(t, n, woundCare).Attributes {
		if a.Attribute == attribute {
			return a.Value
		}
	}
	return ""
}

// shapes writes areas of events, and refuses what is none.
func (s *suite) shapes(t *testing.T) {
	s.hasMore(t)
	sample := fields{"id": "sp", "date": "2024-03-02", "area": "POLYGON((31 -5, 31.1 -5, 31.1 -5.1, 31 -5))",
		"photo": "data:image/png;base64," + pngBase64}
	f := s.compile(t, `
  - dhis2.event:
      program: Indoor spraying
      event_id: trigger.id
      org_unit: {value: Coral Health Centre}
      occurred_at: trigger.date
      geometry: trigger.area
      data_values: {Wound photo: trigger.photo}
`, sample)
	id := s.external(50)
	s.events[identity.EventUID(sprayStage, s.project, id, 0)] = true
	multi := "MULTIPOLYGON(((31 -5, 31.3 -5, 31.3 -5.1, 31 -5)))"
	f.twice(t, 0,
		sent{"ok", sample.with("id", id)},
		sent{"wrong-type", sample.with("id", s.external(51), "area", "LINESTRING(31 -5, 31.1 -5)")},
		sent{"wrong-type", sample.with("id", s.external(52), "area", "-5 31 0 0; -5 31.1 0 0; -5.1 31.1 0 0")},
	)
	f.twice(t, 0, sent{"ok", sample.with("id", id, "area", multi)})
	e := s.readEvent(t, spraying, identity.EventUID(sprayStage, s.project, id, 0))
	if g := string(e.Geometry); !strings.Contains(g, `"Polygon"`) || !strings.Contains(g, "31.3") ||
		len(e.DataValues) != 1 {
		t.Errorf("the event is %+v", e)
	}
}

// partners writes an event for an attribute option, by its name and its code.
func (s *suite) partners(t *testing.T) {
	s.hasMore(t)
	sample := fields{"id": "o", "date": "2024-03-02", "partner": "Global Fund", "remark": "held"}
	f := s.compile(t, `
  - dhis2.event:
      program: Outreach by partner
      event_id: trigger.id
      org_unit: {value: Coral Health Centre}
      occurred_at: trigger.date
      attribute_category_options: {Funding partner: trigger.partner}
      data_values: {Remarks of the visit: trigger.remark}
`, sample)
	id := s.external(60)
	uid := identity.EventUID(outreachAt, s.project, id, 0)
	s.events[uid] = true
	f.twice(t, 0,
		sent{"ok", sample.with("id", id)},
		sent{"unknown-category-option", sample.with("id", s.external(61), "partner", "Nobody")},
	)
	first := s.readEvent(t, outreach, uid).AttributeOptionCombo
	f.twice(t, 0, sent{"ok", sample.with("id", id, "partner", "GOV")})
	second := s.readEvent(t, outreach, uid).AttributeOptionCombo
	if name := s.index.CategoryOptionComboByID(second); first == second || name == nil || name.Name != "Government" {
		t.Errorf("the event went from %s to %s", first, second)
	}
}

// transfer gives somebody's program to another org unit, waits for who is not there, and does it once.
func (s *suite) transfer(t *testing.T) {
	sample := fields{"id": "t", "case": s.external(1), "to": cedar}
	f := s.compile(t, `
  - dhis2.transfer:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.to
`, sample)
	f.twice(t, 0,
		sent{"ok", sample},
		sent{"not-there-yet", sample.with("id", "t2", "case", s.external(98))},
		sent{"unknown-org-unit", sample.with("id", "t3", "to", "TM-999999")},
	)
	if got := s.owner(t, 1); got != s.unitCoded(cedar) {
		t.Errorf("the owner is %q", got)
	}
	if e := s.readEnrollment(t, antenatal, 1); e.OrgUnit != coral {
		t.Errorf("the enrollment moved to %s", e.OrgUnit)
	}
	f.twice(t, 0, sent{"ok", sample.with("to", "TM-010202")})
	if got := s.owner(t, 1); got != coral {
		t.Errorf("the owner is %q", got)
	}
}

func (s *suite) unitCoded(code string) string {
	for _, o := range s.index.Snapshot.OrgUnits {
		if o.Code == code {
			return o.ID
		}
	}
	return ""
}

// owner is the org unit that has somebody's data of the antenatal program.
func (s *suite) owner(t *testing.T, n int) string {
	t.Helper()
	var answer struct {
		Owners []struct{ OrgUnit, Program string } `json:"programOwners"`
	}
	if err := s.client.Get(context.Background(), "tracker/trackedEntities/"+s.person(n),
		url.Values{"fields": {"programOwners[orgUnit,program]"}, "program": {antenatal}}, &answer); err != nil {
		t.Fatal(err)
	}
	for _, o := range answer.Owners {
		if o.Program == antenatal {
			return o.OrgUnit
		}
	}
	return ""
}

// valueFlags marks values for follow-up and takes the mark away. Where a record says nothing of it, a value that is
// written keeps none.
func (s *suite) valueFlags(t *testing.T) {
	sample := fields{"id": "vf", "month": "2015-04", "deaths": "3", "flag": "yes"}
	f := s.compile(t, `
  - dhis2.data_value:
      data_element: Malaria deaths
      data_set: Malaria monthly report
      org_unit: {value: Coral Health Centre}
      period: trigger.month
      value: trigger.deaths
      follow_up: trigger.flag
`, sample)
	for _, step := range []struct {
		record fields
		want   bool
	}{
		{sample, true},
		{sample.with("deaths", "4", "flag", ""), false}, // DHIS2 takes the mark away with the old value
		{sample.with("deaths", "4", "flag", "no"), false},
		{sample.with("deaths", "5", "flag", "yes"), true},
	} {
		f.twice(t, 1, sent{"ok", step.record})
		values := s.readValues(t, malariaMonthly, "201504")
		if len(values) != 1 || values[0].Value != step.record["deaths"] || s.marked(t) != step.want {
			t.Errorf("%v: %+v, marked %v", step.record, values, s.marked(t))
		}
	}
	gone := s.compile(
		t,
		"  - dhis2.delete:\n      confirm: true\n      what: data_value\n      data_element: Malaria deaths\n"+
			"      data_set: Malaria monthly report\n      org_unit: {value: Coral Health Centre}\n      period: trigger.month\n",
		sample,
	)
	gone.send(t, sent{"ok", sample})
}

// marked tells whether the one value of April is marked for follow-up.
func (s *suite) marked(t *testing.T) bool {
	t.Helper()
	var answer struct {
		Values []struct {
			Marked bool `json:"followUp"`
			Older  bool `json:"followup"`
		} `json:"dataValues"`
	}
	query := url.Values{"dataSet": {malariaMonthly}, "period": {"201504"}, "orgUnit": {coral}}
	if err := s.client.Get(context.Background(), "dataValueSets", query, &answer); err != nil {
		t.Fatal(err)
	}
	return len(answer.Values) == 1 && (answer.Values[0].Marked || answer.Values[0].Older)
}

// orgUnits creates two org units, the child first, renames, moves and closes one, and removes both again.
func (s *suite) orgUnits(t *testing.T) {
	code := func(n string) string { return s.run + "-" + n }
	sample := fields{"code": code("1"), "parent": "TM-0102", "name": "Conformance " + code("1"), "shut": "", "place": ""}
	rule := `
  - dhis2.org_unit:
      code: trigger.code
      parent: trigger.parent
      name: trigger.name
      opening_date: {value: 2020-01-01}
      closed_date: {from: trigger.shut, blank: clear}
      geometry: trigger.place
      data_sets: [Malaria monthly report]
      dry_run: false
`
	one := sample
	two := sample.with("code", code("2"), "parent", code("1"), "name", "Conformance "+code("2"), "place", "-5.1 31.2")
	with := func(f fields, changes ...any) fields { return f.with(append([]any{"id", f["code"]}, changes...)...) }
	dry := s.compile(t, strings.Replace(rule, "dry_run: false", "dry_run: true", 1), with(sample))
	dry.send(t, sent{"org-unit-dry-run", with(two)}, sent{"org-unit-dry-run", with(one)})
	if len(s.units(t)) > 0 {
		t.Error("a dry run made an org unit")
	}
	f := s.compile(t, rule, with(sample))
	defer s.removeUnits(t)
	f.twice(t, 0,
		sent{"ok", with(two)}, sent{"ok", with(one)},
		sent{"not-there-yet", with(sample, "code", code("3"), "parent", code("9"))},
		sent{"org-unit-cycle", with(sample, "code", code("4"), "parent", code("4"))},
	)
	f.twice(t, 0, sent{"ok", with(two, "parent", "TM-0201", "name", "Moved "+code("2"), "shut", "2024-05-01")})
	got := s.units(t)
	u := got[code("2")]
	if len(got) != 2 || u.Name != "Moved "+code("2") || u.Parent.Code != "TM-0201" ||
		!strings.HasPrefix(u.ClosedDate, "2024-05-01") ||
		len(u.DataSets) != 1 ||
		!strings.Contains(string(u.Geometry), "31.2") {
		t.Errorf("the org units are %+v", got)
	}
	f.twice(t, 0, sent{"ok", with(two, "parent", "TM-0201", "name", "Moved "+code("2"))})
	if u := s.units(t)[code("2")]; u.ClosedDate != "" {
		t.Errorf("it is not open again: %+v", u)
	}
}

type unit struct {
	ID, Code, Name, ClosedDate string
	Parent                     struct{ Code string }
	DataSets                   []struct{ ID string }
	Geometry                   json.RawMessage
}

// units are the org units of this run by their codes.
func (s *suite) units(t *testing.T) map[string]unit {
	t.Helper()
	var answer struct {
		List []unit `json:"organisationUnits"`
	}
	query := url.Values{"fields": {"id,code,name,closedDate,geometry,parent[code],dataSets[id]"}, "paging": {"false"},
		"filter": {"code:like:" + s.run}}
	if err := s.client.Get(context.Background(), "organisationUnits", query, &answer); err != nil {
		t.Fatal(err)
	}
	out := map[string]unit{}
	for _, u := range answer.List {
		out[u.Code] = u
	}
	return out
}

// removeUnits deletes the org units of this run, children first: Culvert itself never does.
func (s *suite) removeUnits(t *testing.T) {
	t.Helper()
	for range 2 {
		for _, u := range s.units(t) {
			r, err := http.NewRequestWithContext(context.Background(), http.MethodDelete,
				s.client.URL()+"/api/organisationUnits/"+u.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth(s.login.Username, s.login.Password)
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close() // what became of it is looked at below
		}
	}
	if left := s.units(t); len(left) > 0 {
		t.Errorf("org units are left: %v", left)
	}
}

// analytics asks for the analytics tables and follows the run until the server knows how it ended.
func (s *suite) analytics(t *testing.T) {
	task, err := s.client.StartAnalytics(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if task == "" {
		t.Error("the run has no task")
	}
	if _, err := s.client.AnalyticsTask(t.Context(), task); err != nil {
		t.Error(err)
	}
	if _, err := s.client.AnalyticsTables(t.Context()); err != nil {
		t.Error(err)
	}
}
