package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

const goodReport = `{"status":"OK","validationReport":{"errorReports":[],"warningReports":[]},"stats":{},` +
	`"bundleReport":{"typeReportMap":{}}}`

func TestTrackerRequest(t *testing.T) {
	payload := &TrackerPayload{
		TrackedEntities: []TrackedEntity{{TrackedEntity: "t1", TrackedEntityType: "tt", OrgUnit: "o",
			Attributes: []AttributeValue{{"a", ""}, {"b", `é "q" <x>`}}}},
		Enrollments: []Enrollment{{Enrollment: "e1", TrackedEntity: "t1", Program: "p", OrgUnit: "o",
			EnrolledAt: "2026-03-02", FollowUp: true}},
		Events: []Event{{Event: "v1", ProgramStage: "s", Enrollment: "e1", FollowUp: true,
			AttributeCategoryOptions: []string{"c1", "c2"},
			AssignedUser:             &AssignedUser{Username: "clerk"}, DataValues: []EventValue{{DataElement: "d", Value: "1"}},
			Geometry: json.RawMessage(`{"type":"Point","coordinates":[31.1,-5.2]}`)}},
		Relationships: []Relationship{{Relationship: "r1", RelationshipType: "rt",
			From: RelationshipItem{TrackedEntity: "t1"}, To: RelationshipItem{Event: "v1"}}},
	}
	before := `{"trackedEntities":[{"trackedEntity":"t1","trackedEntityType":"tt","orgUnit":"o",` +
		`"attributes":[{"attribute":"a","value":""},` +
		`{"attribute":"b","value":"é \"q\" \u003cx\u003e"}]}],"enrollments":[{"enrollment":"e1","trackedEntity":"t1",` +
		`"program":"p","orgUnit":"o","enrolledAt":"2026-03-02",` +
		`"followUp":true,"status":"ACTIVE"}],"events":[{"event":"v1","programStage":"s","enrollment":"e1",` +
		`"assignedUser":{"username":"clerk"},` +
		`"geometry":{"type":"Point","coordinates":[31.1,-5.2]},"dataValues":[{"dataElement":"d","value":"1"}],` +
		`"status":"ACTIVE",`
	after := `}],"relationships":[{"relationship":"r1","relationshipType":"rt",` +
		`"from":{"trackedEntity":{"trackedEntity":"t1"}},"to":{"event":{"event":"v1"}}}]}`
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
		"async=false&atomicMode=OBJECT" +
			"&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS": {},
		"async=false&atomicMode=ALL&importStrategy=DELETE&reportMode=WARNINGS": {Delete: true, AllOrNothing: true},
		"async=false&atomicMode=OBJECT&importMode=VALIDATE" +
			"&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS": {Rehearse: true},
		"async=false&atomicMode=OBJECT&importStrategy=CREATE_AND_UPDATE&reportMode=WARNINGS&" +
			"skipPatternValidation=true&skipRuleEngine=true&skipSideEffects=true": {
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
		return text(200, `{"status":"OK","validationReport":{"errorReports":[],`+
			`"warningReports":[{"message":"Relationship: r1 already exists","warningCode":"E4015",`+
			`"trackerType":"RELATIONSHIP","uid":"r1"}]},"stats":{"ignored":1},`+
			`"bundleReport":{"typeReportMap":{"RELATIONSHIP":{"objectReports":[]}}}}`)
	})
	r, err := c.ImportTracker(context.Background(), &TrackerPayload{}, TrackerOptions{})
	key := ObjectKey{TypeRelationship, "r1"}
	if err != nil || !r.Written[key] || len(r.Warnings[key]) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestArgumentsAreShort(t *testing.T) {
	long := strings.Repeat("é", 300)
	l := reportLine{ErrorCode: "E1064", Args: []json.RawMessage{json.RawMessage(`"NID-7"`),
		json.RawMessage(`"` + long + `"`), json.RawMessage(`{"a":1}`)}}
	args := l.issue().Args
	if args[0] != "NID-7" || len(args[1]) > maxArg || strings.ContainsRune(args[1], '\uFFFD') || args[2] != `{"a":1}` {
		t.Errorf("%q", args)
	}
}

func TestAsync(t *testing.T) {
	accepted := `{"httpStatus":"OK","httpStatusCode":200,"status":"OK","message":"Tracker job added",` +
		`"response":{"responseType":"TrackerJob","id":"Kd4ZPQbfvOe"}}`
	for name, c := range map[string]struct {
		states []string // answers about the job, the last repeated
		report []string
		says   string
	}{
		"at once": {[]string{`[{"completed":true,"level":"INFO"}]`}, []string{goodReport}, ""},
		"after a while": {[]string{`[]`, `[{"completed":false,"level":"INFO"}]`,
			`[{"completed":true,"level":"INFO"},{"completed":false}]`}, []string{"404", goodReport}, ""},
		"died": {[]string{`[{"completed":false,"level":"ERROR"}]`}, []string{"404"},
			"what became of the import job Kd4ZPQbfvOe"},
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
					return text(404, `{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR","message":"Summary does not `+
						`exist"}`)
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

// bigReport is the reply to a batch of n events of which one in ten is refused, as 2.42 words it.
func bigReport(n int) []byte {
	var errs, objects []string
	for i := range n {
		uid := fmt.Sprintf("e%010d", i)
		if i%10 == 0 {
			errs = append(errs, `{"message":"DataElement `+"`e5pDvtE1Wyq`"+` is not valid: `+"`value_not_positive_integer`"+
				`.","errorCode":"E1302","trackerType":"EVENT","uid":"`+uid+
				`","args":["e5pDvtE1Wyq","value_not_positive_integer"]}`)
			continue
		}
		objects = append(objects, `{"trackerType":"EVENT","uid":"`+uid+`","errorReports":[]}`)
	}
	return []byte(`{"status":"OK","validationReport":{"errorReports":[` + strings.Join(errs, ",") +
		`],"warningReports":[]},"stats":{"created":1,"updated":0,"deleted":0,"ignored":0,"total":1},` +
		`"bundleReport":{"typeReportMap":{"EVENT":{"trackerType":"EVENT","stats":{"created":1},"objectReports":[` +
		strings.Join(objects, ",") + `]}}}}`)
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
		e := Event{Event: fmt.Sprintf("e%010d", i), Program: "HKEoH96oH4U", ProgramStage: "SO9SciPUi24",
			OrgUnit: "ygq0iefHYLW", Status: "COMPLETED", OccurredAt: "2026-03-02"}
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

// TestAssignedEventsFirst sends the events that have users before those that have none: behind those DHIS2 finds no
// user by its uid.
func TestAssignedEventsFirst(t *testing.T) {
	payload := &TrackerPayload{Events: []Event{{Event: "v1"}, {Event: "v2", AssignedUser: &AssignedUser{UID: "k5pApcKQnIw"}},
		{Event: "v3"}, {Event: "v4", AssignedUser: &AssignedUser{Username: "clerk"}}}}
	c, got := note(t, "2.43.1", func(asked) *http.Response { return text(200, goodReport) })
	if _, err := c.ImportTracker(context.Background(), payload, TrackerOptions{}); err != nil {
		t.Fatal(err)
	}
	var sent struct{ Events []struct{ Event string } }
	if err := json.Unmarshal([]byte((*got)[0].Body), &sent); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, e := range sent.Events {
		order = append(order, e.Event)
	}
	if strings.Join(order, " ") != "v2 v4 v1 v3" || payload.Events[0].Event != "v1" {
		t.Errorf("sent in the order %v", order)
	}
}
