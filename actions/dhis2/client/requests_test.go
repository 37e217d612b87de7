package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asked is a request as a server got it.
type asked struct {
	Method, Path string
	Query        url.Values
	Body         string
}

// note keeps what is asked and answers by path.
func note(t testing.TB, version string, answers func(asked) *http.Response) (*Client, *[]asked) {
	var mu sync.Mutex
	var all []asked
	c := against(t, version, func(r *http.Request) (*http.Response, error) {
		a := asked{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
		if r.Body != nil {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			a.Body = string(body)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, a)
		return answers(a), nil
	})
	return c, &all
}

const goodReport = `{"status":"OK","validationReport":{"errorReports":[],"warningReports":[]},"stats":{},"bundleReport":{"typeReportMap":{}}}`

func TestTrackerRequest(t *testing.T) {
	payload := &TrackerPayload{
		TrackedEntities: []TrackedEntity{{TrackedEntity: "t1", TrackedEntityType: "tt", OrgUnit: "o", Attributes: []AttributeValue{{"a", ""}, {"b", `é "q" <x>`}}}},
		Enrollments:     []Enrollment{{Enrollment: "e1", TrackedEntity: "t1", Program: "p", OrgUnit: "o", EnrolledAt: "2026-03-02", FollowUp: true}},
		Events: []Event{{Event: "v1", ProgramStage: "s", Enrollment: "e1", FollowUp: true, AttributeCategoryOptions: []string{"c1", "c2"},
			AssignedUser: &AssignedUser{Username: "clerk"}, DataValues: []EventValue{{DataElement: "d", Value: "1"}},
			Geometry: json.RawMessage(`{"type":"Point","coordinates":[31.1,-5.2]}`)}},
		Relationships: []Relationship{{Relationship: "r1", RelationshipType: "rt", From: RelationshipItem{TrackedEntity: "t1"}, To: RelationshipItem{Event: "v1"}}},
	}
	before := `{"trackedEntities":[{"trackedEntity":"t1","trackedEntityType":"tt","orgUnit":"o","attributes":[{"attribute":"a","value":""},` +
		`{"attribute":"b","value":"é \"q\" \u003cx\u003e"}]}],"enrollments":[{"enrollment":"e1","trackedEntity":"t1","program":"p","orgUnit":"o","enrolledAt":"2026-03-02",` +
		`"followUp":true}],"events":[{"event":"v1","programStage":"s","enrollment":"e1","assignedUser":{"username":"clerk"},` +
		`"geometry":{"type":"Point","coordinates":[31.1,-5.2]},"dataValues":[{"dataElement":"d","value":"1"}],`
	after := `}],"relationships":[{"relationship":"r1","relationshipType":"rt","from":{"trackedEntity":{"trackedEntity":"t1"}},"to":{"event":{"event":"v1"}}}]}`
	for version, middle := range map[string]string{
		"2.38.7": `"followup":true,"attributeCategoryOptions":"c1;c2"`,
		"2.40.1": `"followup":true,"attributeCategoryOptions":"c1;c2"`,
		"2.41.0": `"followUp":true,"attributeCategoryOptions":"c1,c2"`,
		"2.43.1": `"followUp":true,"attributeCategoryOptions":"c1,c2"`,
	} {
		c, got := note(t, version, func(asked) *http.Response { return text(200, goodReport) })
		if _, err := c.ImportTracker(context.Background(), payload, TrackerOptions{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before+middle+after, (*got)[0].Body); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", version, diff)
		}
	}
}

func TestTrackerOptions(t *testing.T) {
	for want, o := range map[string]TrackerOptions{
		"async=false&atomicMode=OBJECT&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS":                     {},
		"async=false&atomicMode=ALL&importStrategy=DELETE&reportMode=WARNINGS":                                   {Delete: true, AllOrNothing: true},
		"async=false&atomicMode=OBJECT&importMode=VALIDATE&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS": {Rehearse: true},
		"async=false&atomicMode=OBJECT&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS&skipPatternValidation=true&skipRuleEngine=true&skipSideEffects=true": {
			SkipRuleEngine: true, SkipSideEffects: true, SkipPatternValidation: true},
	} {
		if got := o.query().Encode(); got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
}

// A relationship that is there already is reported as ignored, with a warning.
func TestRelationshipThatIsThere(t *testing.T) {
	c, _ := note(t, "2.42", func(asked) *http.Response {
		return text(200, `{"status":"OK","validationReport":{"errorReports":[],"warningReports":[{"message":"Relationship: r1 already exists","warningCode":"E4015",`+
			`"trackerType":"RELATIONSHIP","uid":"r1"}]},"stats":{"ignored":1},"bundleReport":{"typeReportMap":{"RELATIONSHIP":{"objectReports":[]}}}}`)
	})
	r, err := c.ImportTracker(context.Background(), &TrackerPayload{}, TrackerOptions{})
	key := ObjectKey{TypeRelationship, "r1"}
	if err != nil || !r.Written[key] || len(r.Warnings[key]) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArgumentsAreShort(t *testing.T) {
	long := strings.Repeat("é", 300)
	l := reportLine{ErrorCode: "E1064", Args: []json.RawMessage{json.RawMessage(`"NID-7"`), json.RawMessage(`"` + long + `"`), json.RawMessage(`{"a":1}`)}}
	args := l.issue().Args
	if args[0] != "NID-7" || len(args[1]) > maxArg || strings.ContainsRune(args[1], '\uFFFD') || args[2] != `{"a":1}` {
		t.Errorf("%q", args)
	}
}

func TestAsync(t *testing.T) {
	accepted := `{"httpStatus":"OK","httpStatusCode":200,"status":"OK","message":"Tracker job added","response":{"responseType":"TrackerJob","id":"Kd4ZPQbfvOe"}}`
	for name, c := range map[string]struct {
		states []string // answers about the job, the last repeated
		report []string
		says   string
	}{
		"at once":           {[]string{`[{"completed":true,"level":"INFO"}]`}, []string{goodReport}, ""},
		"after a while":     {[]string{`[]`, `[{"completed":false,"level":"INFO"}]`, `[{"completed":true,"level":"INFO"},{"completed":false}]`}, []string{"404", goodReport}, ""},
		"died":              {[]string{`[{"completed":false,"level":"ERROR"}]`}, []string{"404"}, "what became of the import job Kd4ZPQbfvOe"},
		"never ends":        {[]string{`[]`}, []string{goodReport}, "what became of the import job Kd4ZPQbfvOe"},
		"the server blinks": {[]string{"503", `[{"completed":true}]`}, []string{"503", goodReport}, ""},
		"credentials end":   {[]string{"401"}, []string{goodReport}, "refuses the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			step := func(list *[]string) *http.Response {
				next := (*list)[0]
				if len(*list) > 1 {
					*list = (*list)[1:]
				}
				switch next {
				case "404":
					return text(404, `{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR","message":"Summary does not exist"}`)
				case "401", "503":
					return text(map[string]int{"401": 401, "503": 503}[next], "")
				}
				return text(200, next)
			}
			client, got := note(t, "2.42", func(a asked) *http.Response {
				switch {
				case a.Method == "POST":
					return text(200, accepted)
				case strings.HasSuffix(a.Path, "/report"):
					return step(&c.report)
				}
				return step(&c.states)
			})
			client.poll, client.wait = time.Millisecond, 100*time.Millisecond
			_, err := client.ImportTracker(context.Background(), &TrackerPayload{}, TrackerOptions{Async: true})
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if (*got)[0].Query.Get("async") != "true" {
				t.Errorf("asked %v", (*got)[0].Query)
			}
		})
	}
}

func TestDataValuesRequest(t *testing.T) {
	set := &DataValueSet{DataSet: "ds", Period: "202601", OrgUnit: "ou", CompleteDate: "2026-02-03", Values: []DataValue{
		{DataElement: "de", CategoryOptionCombo: "coc", Value: "1", FollowUp: true}, {DataElement: "de2", Deleted: true}}}
	for version, name := range map[string]string{"2.42": "followup", "2.43": "followUp"} {
		c, got := note(t, version, func(asked) *http.Response {
			return text(200, `{"httpStatusCode":200,"status":"OK","response":{"status":"SUCCESS","importCount":{"updated":2},"dataSetComplete":"2026-02-03"}}`)
		})
		r, err := c.ImportDataValues(context.Background(), set, DataValueOptions{Rehearse: true})
		if err != nil || !r.Completed || r.Updated != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		want := `{"dataSet":"ds","completeDate":"2026-02-03","period":"202601","orgUnit":"ou","dataValues":[{"dataElement":"de","categoryOptionCombo":"coc","value":"1","` +
			name + `":true},{"dataElement":"de2","deleted":true}]}`
		if a := (*got)[0]; a.Body != want || a.Query.Encode() != "async=false&dryRun=true&importStrategy=CREATE_AND_UPDATE" {
			t.Errorf("%s: %s?%s\nwant %s", version, a.Body, a.Query.Encode(), want)
		}
	}
}

// Forms of the reply that the recorded servers do not give.
func TestDataValuesReplies(t *testing.T) {
	set := &DataValueSet{Period: "202601", OrgUnit: "o1", Values: []DataValue{
		{DataElement: "d1", Value: "1"}, {DataElement: "d2", Value: "x"}, {DataElement: "d1", OrgUnit: "o2", Value: "1"}}}
	for name, c := range map[string]struct{ body, want string }{
		"plain, as 2.37": {`{"status":"SUCCESS","importCount":{"imported":3,"updated":0,"ignored":0,"deleted":0},"dataSetComplete":"false"}`, "im3 up0 ig0 de0"},
		"2.38, no positions": {`{"status":"WARNING","importCount":{"imported":1,"ignored":2},"conflicts":[` +
			`{"object":"d2","objects":{"dataElement":"d2","value":"value_not_numeric"},"value":"m","errorCode":"E7619","property":"value"},` +
			`{"object":"o2","objects":{"organisationUnit":"o2"},"value":"m","errorCode":"E7612","property":"orgUnit"}]}`,
			"im1 up0 ig2 de0\nvalue 1 of 3 E7619\nvalue 2 of 3 E7612"},
		"rejected without a conflict": {`{"status":"WARNING","importCount":{"imported":2,"ignored":1},"rejectedIndexes":[1]}`, "im2 up0 ig1 de0\nvalue 1 of 3 "},
		"positions that do not exist": {`{"status":"WARNING","importCount":{"imported":3},"conflicts":[{"value":"m","errorCode":"E7619","indexes":[7,-3]}],"rejectedIndexes":[9]}`,
			"im3 up0 ig0 de0 general E7619"},
		"2.43, some good": {`{"status":"WARNING","importCount":{"updated":2,"ignored":1},"conflicts":[{"objects":{"args":"1-x-INTEGER-value_not_integer"},` +
			`"value":"Value #1 value x is no valid INTEGER","errorCode":"E8122","indexes":[1]}],"rejectedIndexes":[1]}`, "im0 up2 ig1 de0\nvalue 1 of 3 E8122"},
		"2.43, one org unit": {`{"status":"ERROR","importCount":{"updated":0},"conflicts":[{"objects":{"args":"ds-[o2]"},"value":"m","errorCode":"E8022","indexes":[0,1,2]}],` +
			`"rejectedIndexes":[0,1,2]}`, "im0 up0 ig0 de0 refused\nvalue 2 of 3 E8022"},
		"2.43, two elements": {`{"status":"ERROR","importCount":{"updated":0},"conflicts":[{"objects":{"args":"ds-[d2, d9]"},"value":"m","errorCode":"E8020","indexes":[0,1,2]}]}`,
			"im0 up0 ig0 de0 refused\nvalue 1 of 3 E8020"},
	} {
		for _, wrapped := range []bool{false, true} {
			body := c.body
			if wrapped {
				body = `{"httpStatus":"x","httpStatusCode":200,"status":"OK","message":"m","response":` + body + `}`
			}
			client, _ := note(t, "2.42", func(asked) *http.Response { return text(409, body) })
			r, err := client.ImportDataValues(context.Background(), set, DataValueOptions{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := valuesInWords(r, 3); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
	}
}

func TestComplete(t *testing.T) {
	good := `{"httpStatusCode":200,"status":"OK","response":{"status":"SUCCESS","importCount":{"imported":1},"conflicts":[]}}`
	for want, x := range map[string]Completion{
		`POST  {"completeDataSetRegistrations":[{"completed":true,"dataSet":"ds","date":"2026-03-02","organisationUnit":"ou","period":"202602"}]}`: {
			DataSet: "ds", Period: "202602", OrgUnit: "ou", Date: "2026-03-02"},
		`POST  {"completeDataSetRegistrations":[{"attributeOptionCombo":"aoc","completed":false,"dataSet":"ds","organisationUnit":"ou","period":"202602"}]}`: {
			DataSet: "ds", Period: "202602", OrgUnit: "ou", AttributeOptionCombo: "aoc", Undo: true},
		`DELETE ds=ds&ou=ou&pe=202602 `: {DataSet: "ds", Period: "202602", OrgUnit: "ou", Undo: true},
	} {
		c, got := note(t, "2.42", func(a asked) *http.Response {
			if a.Method == "DELETE" {
				return text(204, "")
			}
			return text(200, good)
		})
		if err := c.Complete(context.Background(), x); err != nil {
			t.Error(err)
		}
		if a := (*got)[0]; fmt.Sprintf("%s %s %s", a.Method, a.Query.Encode(), a.Body) != want {
			t.Errorf("%s %s %s, want %s", a.Method, a.Query.Encode(), a.Body, want)
		}
	}
}

func TestFindRequests(t *testing.T) {
	person := func(uid, value string) string {
		return `{"trackedEntity":"` + uid + `","orgUnit":"o","attributes":[{"attribute":"other","value":"x"},{"attribute":"nid","value":"` + value + `"}],` +
			`"enrollments":[{"enrollment":"e","program":"p","status":"ACTIVE","enrolledAt":"2026-03-02T00:00:00.000"}]}`
	}
	for version, c := range map[string]struct{ list, mode string }{"2.40.12": {"instances", "ouMode"}, "2.41.9": {"trackedEntities", "orgUnitMode"}, "2.43.1": {"trackedEntities", "orgUnitMode"}} {
		client, got := note(t, version, func(asked) *http.Response {
			return text(200, `{"`+c.list+`":[`+person("t1", "A/1")+","+person("t2", "a/1")+","+person("t3", "B:2,x")+","+person("t4", "B:2,x")+`],"page":1}`)
		})
		found, err := client.FindTrackedEntities(context.Background(), FindQuery{Program: "p", Attribute: "nid", Values: []string{"B:2,x", "A/1", "", "A/1"}})
		if err != nil {
			t.Fatal(err)
		}
		var who []string
		for _, f := range found {
			who = append(who, f.TrackedEntity+" "+f.Value)
		}
		if want := []string{"t1 A/1", "t3 B:2,x", "t4 B:2,x"}; !slices.Equal(who, want) {
			t.Errorf("%s: found %q, want %q", version, who, want)
		}
		if len(found[0].Enrollments) != 1 || found[0].Enrollments[0].Status != "ACTIVE" {
			t.Errorf("%s: enrollments %+v", version, found[0].Enrollments)
		}
		q := (*got)[0].Query
		if q.Get("filter") != "nid:in:A//1;B/:2/,x" || q.Get(c.mode) != "ACCESSIBLE" || q.Get("program") != "p" || q.Has("trackedEntityType") || len(*got) != 1 {
			t.Errorf("%s: asked %v", version, *got)
		}
	}
}

func TestFindSplits(t *testing.T) {
	var values []string
	for i := range 120 {
		values = append(values, fmt.Sprintf("NID-%04d", i))
	}
	values = append(values, "a;b", strings.Repeat("x", 1500)+"1", strings.Repeat("x", 1500)+"2")
	c, got := note(t, "2.42", func(a asked) *http.Response { return text(200, `{"trackedEntities":[]}`) })
	if _, err := c.FindTrackedEntities(context.Background(), FindQuery{TrackedEntityType: "tt", Attribute: "nid", Values: values}); err != nil {
		t.Fatal(err)
	}
	var asked []string
	seen := 0
	for _, a := range *got {
		filter := a.Query.Get("filter")
		operator, list, _ := strings.Cut(strings.TrimPrefix(filter, "nid:"), ":")
		n := 1
		if operator == "in" {
			n = strings.Count(list, ";") + 1
		}
		seen += n
		asked = append(asked, fmt.Sprint(operator, n))
		if len(a.Query.Encode()) > 6000 || a.Query.Get("trackedEntityType") != "tt" {
			t.Errorf("an address of %d bytes", len(a.Query.Encode()))
		}
	}
	if want := []string{"in50", "in50", "in20", "eq1", "eq1", "eq1"}; !slices.Equal(asked, want) || seen != 123 {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// An attribute may forbid lists, or the server may show only so many people at once.
func TestFindOneByOneWhereListsAreRefused(t *testing.T) {
	c, got := note(t, "2.43", func(a asked) *http.Response {
		if strings.Contains(a.Query.Get("filter"), ":in:") {
			return text(400, `{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Operator IN is blocked","errorCode":"E1003"}`)
		}
		return text(200, `{"trackedEntities":[]}`)
	})
	if _, err := c.FindTrackedEntities(context.Background(), FindQuery{Program: "p", Attribute: "nid", Values: []string{"1", "2", "3"}}); err != nil || len(*got) != 4 {
		t.Errorf("%v after %d requests, want none after 4", err, len(*got))
	}
}

func TestFindWithoutTheAttribute(t *testing.T) {
	c, _ := note(t, "2.43", func(a asked) *http.Response {
		return text(200, `{"trackedEntities":[{"trackedEntity":"t1","attributes":[]}]}`)
	})
	_, err := c.FindTrackedEntities(context.Background(), FindQuery{Program: "p", Attribute: "nid", Values: []string{"1"}})
	if e := asError(t, err); !strings.Contains(e.Message, "does not show it") {
		t.Error(e)
	}
}

func TestReadByUID(t *testing.T) {
	uids := make([]string, 150)
	for i := range uids {
		uids[i] = fmt.Sprintf("t%010d", i)
	}
	for version, c := range map[string]struct{ list, parameter, by string }{
		"2.40.12": {"instances", "event", ";"}, "2.41.9": {"events", "events", ","}, "2.43.1": {"events", "events", ","},
	} {
		client, got := note(t, version, func(a asked) *http.Response {
			var out []string
			for uid := range strings.SplitSeq(a.Query.Get(c.parameter), c.by) {
				if uid != "t0000000007" {
					out = append(out, `{"event":"`+uid+`","followup":true,"attributeCategoryOptions":"a`+c.by+`b","dataValues":[{"dataElement":"d","value":"1"}]}`)
				}
			}
			return text(200, `{"`+c.list+`":[`+strings.Join(out, ",")+`]}`)
		})
		events, err := client.Events(context.Background(), append(uids, uids[0]))
		if err != nil || len(events) != 149 || len(*got) != 2 {
			t.Fatalf("%s: %d events in %d requests, %v", version, len(events), len(*got), err)
		}
		want := Event{Event: uids[0], FollowUp: true, AttributeCategoryOptions: []string{"a", "b"}, DataValues: []EventValue{{DataElement: "d", Value: "1"}}}
		if diff := cmp.Diff(want, events[0]); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
		if (*got)[0].Query.Get("pageSize") != "100" {
			t.Errorf("asked %v", (*got)[0].Query)
		}
	}
}

func TestReadOneByOneWhereOneSpoilsTheList(t *testing.T) {
	c, got := note(t, "2.40", func(a asked) *http.Response {
		switch a.Path {
		case "/api/tracker/enrollments":
			return text(409, `{"httpStatus":"Conflict","httpStatusCode":409,"status":"ERROR","message":"null"}`)
		case "/api/tracker/enrollments/e1":
			return text(200, `{"enrollment":"e1","status":"ACTIVE"}`)
		case "/api/tracker/enrollments/e2":
			return text(403, `{"httpStatus":"Forbidden","httpStatusCode":403,"status":"ERROR","message":"no"}`)
		}
		return text(404, `{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR","message":"no","errorCode":"E1005"}`)
	})
	list, err := c.Enrollments(context.Background(), []string{"e1", "e2", "e3"})
	if err != nil || len(list) != 1 || list[0].Status != "ACTIVE" || len(*got) != 4 {
		t.Errorf("%+v, %v after %d requests", list, err, len(*got))
	}
}

func TestReadPeopleOfAProgram(t *testing.T) {
	c, got := note(t, "2.42", func(a asked) *http.Response {
		if a.Query.Get("program") == "p" {
			return text(200, `{"trackedEntities":[{"trackedEntity":"t1","attributes":[{"attribute":"a","value":"1"},{"attribute":"b","value":"2"}],"enrollments":[{"enrollment":"e1"}]}]}`)
		}
		return text(200, `{"trackedEntities":[{"trackedEntity":"t1","orgUnit":"o","attributes":[{"attribute":"a","value":"1"}]},{"trackedEntity":"t2","orgUnit":"o"}]}`)
	})
	list, err := c.TrackedEntities(context.Background(), []string{"t1", "t2", "t3"}, "p")
	if err != nil || len(list) != 2 || len(list[0].Attributes) != 2 || len(list[0].Enrollments) != 1 || list[0].OrgUnit != "o" {
		t.Errorf("%+v, %v", list, err)
	}
	if len(*got) != 2 || (*got)[1].Query.Get("trackedEntities") != "t1,t2" {
		t.Errorf("asked %v", *got)
	}
}

func TestPagesFaults(t *testing.T) {
	for name, body := range map[string]string{
		"not a page":   `{"hello":"world"}`,
		"odd pager":    `{"pager":"x","programs":[]}`,
		"odd list":     `{"pager":{"page":1,"total":1,"pageCount":1},"programs":{}}`,
		"too few":      `{"pager":{"page":1,"total":3,"pageCount":1},"programs":[{"id":"a"}]}`,
		"endless":      `{"pager":{"page":1,"total":1,"pageCount":99999999},"programs":[]}`,
		"no JSON":      `{"pager":`,
		"a WebMessage": `{"httpStatus":"x","httpStatusCode":409,"status":"ERROR","message":"no"}`,
	} {
		c, got := note(t, "2.42", func(asked) *http.Response { return text(200, body) })
		err := c.Collection(context.Background(), "programs", "id", nil, func(json.RawMessage) error { return nil })
		if err == nil || len(*got) > 2 {
			t.Errorf("%s: error %v after %d requests", name, err, len(*got))
		}
	}
}

func FuzzReadReport(f *testing.F) {
	for _, e := range exchanges(f, "2.42") {
		if e.Path == "/api/tracker" {
			f.Add(e.Status, []byte(e.Body))
		}
	}
	c := against(f, "2.42", nil)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r, err := c.readReport(&answer{status: status, body: body})
		if (r == nil) == (err == nil) {
			t.Errorf("%v, %v", r, err)
		}
		if err != nil {
			asError(t, err)
		}
	})
}

func FuzzReadSummary(f *testing.F) {
	for _, version := range []string{"2.40", "2.43"} {
		for _, e := range exchanges(f, version) {
			if e.Path == "/api/dataValueSets" {
				f.Add(e.Status, []byte(e.Body))
			}
		}
	}
	c := against(f, "2.42", nil)
	set := &DataValueSet{Values: []DataValue{{DataElement: "hDcgGqsTAYb"}, {DataElement: "x"}}}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		s, err := c.readSummary(&answer{status: status, body: body})
		if err != nil {
			asError(t, err)
			return
		}
		for i := range s.digest(set).Issues {
			if i < 0 || i > 1 {
				t.Errorf("an issue of value %d of 2", i)
			}
		}
	})
}

// bigReport is the reply to a batch of n events of which one in ten is refused, as 2.42 words it.
func bigReport(n int) []byte {
	var errs, objects []string
	for i := range n {
		uid := fmt.Sprintf("e%010d", i)
		if i%10 == 0 {
			errs = append(errs, `{"message":"DataElement `+"`e5pDvtE1Wyq`"+` is not valid: `+"`value_not_positive_integer`"+`.","errorCode":"E1302","trackerType":"EVENT","uid":"`+uid+
				`","args":["e5pDvtE1Wyq","value_not_positive_integer"]}`)
			continue
		}
		objects = append(objects, `{"trackerType":"EVENT","uid":"`+uid+`","errorReports":[]}`)
	}
	return []byte(`{"status":"OK","validationReport":{"errorReports":[` + strings.Join(errs, ",") + `],"warningReports":[]},"stats":{"created":1,"updated":0,"deleted":0,"ignored":0,"total":1},` +
		`"bundleReport":{"typeReportMap":{"EVENT":{"trackerType":"EVENT","stats":{"created":1},"objectReports":[` + strings.Join(objects, ",") + `]}}}}`)
}

// One iteration is one object of a batch of 500: encoded, sent through a null transport, and its reply read.
func BenchmarkImport(b *testing.B) {
	const batch = 500
	reply := string(bigReport(batch))
	c := against(b, "2.42", func(r *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		return text(200, reply), nil
	})
	p := &TrackerPayload{}
	for i := range batch {
		e := Event{Event: fmt.Sprintf("e%010d", i), Program: "HKEoH96oH4U", ProgramStage: "SO9SciPUi24", OrgUnit: "ygq0iefHYLW", Status: "COMPLETED", OccurredAt: "2026-03-02"}
		for j := range 8 {
			e.DataValues = append(e.DataValues, EventValue{DataElement: fmt.Sprintf("d%010d", j), Value: "some value"})
		}
		p.Events = append(p.Events, e)
	}
	for i := 0; i < b.N; i += batch {
		if _, err := c.ImportTracker(context.Background(), p, TrackerOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "objects/s")
}
