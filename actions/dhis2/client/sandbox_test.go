package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// Uids of Tamala, the country that the sandbox holds.
const (
	person, nationalID      = "DEEHBfgFvHr", "IcYmkidyP9K"
	antenatal, firstVisit   = "HKEoH96oH4U", "SO9SciPUi24"
	malaria, malariaDeaths  = "FSh2AafV4XC", "hDcgGqsTAYb"
	coral, otherSite        = "ygq0iefHYLW", "jdonbyIYZzR"
	motherOf                = "PwJpOJbnql9"
	weight, firstName, born = "DSyKLVrDSl7", "JMYmVp2S0Xl", "FaVymXsLADq"
)

// serve gives a client of a sandbox of a version.
func serve(t *testing.T, version string) *client.Client {
	t.Helper()
	s, err := sandbox.New(sandbox.Options{Metadata: "../sandbox/testdata/tamala.json", Version: version})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}, JobPoll: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func woman(uid, national string) client.TrackedEntity {
	return client.TrackedEntity{TrackedEntity: uid, TrackedEntityType: person, OrgUnit: coral,
		Attributes: []client.AttributeValue{
			{Attribute: firstName, Value: "Amina"}, {Attribute: born, Value: "1990-01-01"},
			{Attribute: nationalID, Value: national}}}
}

func visit(uid, enrollment, weighs string) client.Event {
	return client.Event{Event: uid, Program: antenatal, ProgramStage: firstVisit, Enrollment: enrollment, OrgUnit: coral,
		OccurredAt: "2026-03-02", Status: "ACTIVE",
		FollowUp: true, DataValues: []client.EventValue{{DataElement: "e5pDvtE1Wyq", Value: "14"},
			{DataElement: weight, Value: weighs}}}
}

// inProgram names objects of the antenatal program, and the last of them once more without its program.
func inProgram(uids ...string) (list []client.InProgram) {
	for _, uid := range uids {
		list = append(list, client.InProgram{UID: uid, Program: antenatal})
	}
	return append(list, client.InProgram{UID: uids[len(uids)-1]})
}

// A person's whole life with every version: written, written again, found, read, linked, refused, deleted.
func TestTrackerLife(t *testing.T) {
	for _, version := range []string{"2.38", "2.39", "2.40", "2.41", "2.42", "2.43", "2.44"} {
		t.Run(version, func(t *testing.T) {
			ctx, c := context.Background(), serve(t, version)
			if err := c.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			payload := &client.TrackerPayload{
				TrackedEntities: []client.TrackedEntity{woman("aaaaaaaaaa1", "NID-1"), woman("aaaaaaaaaa2", "NID-2")},
				Enrollments: []client.Enrollment{{Enrollment: "bbbbbbbbbb1", TrackedEntity: "aaaaaaaaaa1", Program: antenatal,
					OrgUnit: coral, EnrolledAt: "2026-03-02",
					OccurredAt: "2026-03-02", Status: "ACTIVE", FollowUp: true}},
				Events: []client.Event{visit("cccccccccc1", "bbbbbbbbbb1", "61.5")},
				Relationships: []client.Relationship{{Relationship: "dddddddddd1", RelationshipType: motherOf,
					From: client.RelationshipItem{TrackedEntity: "aaaaaaaaaa1"},
					To:   client.RelationshipItem{TrackedEntity: "aaaaaaaaaa2"}}},
			}
			everything := []client.ObjectKey{{Type: client.TypeTrackedEntity, UID: "aaaaaaaaaa1"},
				{Type: client.TypeTrackedEntity, UID: "aaaaaaaaaa2"},
				{Type: client.TypeEnrollment, UID: "bbbbbbbbbb1"}, {Type: client.TypeEvent, UID: "cccccccccc1"},
				{Type: client.TypeRelationship, UID: "dddddddddd1"}}
			for i, o := range []client.TrackerOptions{{Rehearse: true}, {}, {}, {AllOrNothing: true}, {Async: true}} {
				if i == 3 {
					payload.Relationships = nil // with ALL the warning of one that is there already is all there is of it
					everything = everything[:4]
				}
				r, err := c.ImportTracker(ctx, payload, o)
				if err != nil {
					t.Fatalf("%+v: %v", o, err)
				}
				for _, key := range everything {
					if !r.Written[key] || len(r.Errors[key]) > 0 {
						t.Errorf("%+v: %v is not written: %v", o, key, r.Errors)
					}
				}
			}
			found, err := c.FindTrackedEntities(ctx, client.FindQuery{Program: antenatal, Attribute: nationalID,
				Values: []string{"NID-1", "nid-2", "NID-3"}})
			if err != nil || len(found) != 1 || found[0].TrackedEntity != "aaaaaaaaaa1" || found[0].Value != "NID-1" ||
				len(found[0].Enrollments) != 1 {
				t.Errorf("found %+v, %v", found, err)
			}
			found, err = c.FindTrackedEntities(ctx, client.FindQuery{TrackedEntityType: person, Attribute: nationalID,
				Values: []string{"NID-1", "NID-2"}})
			if err != nil || len(found) != 2 {
				t.Errorf("found by type %+v, %v", found, err)
			}
			people, err := c.TrackedEntities(ctx, []string{"aaaaaaaaaa1", "aaaaaaaaaa2", "aaaaaaaaaa9"}, antenatal)
			if err != nil || len(people) != 2 || people[0].OrgUnit != coral || len(people[0].Enrollments) != 1 ||
				len(people[1].Enrollments) != 0 {
				t.Errorf("read %+v, %v", people, err)
			}
			enrollments, err := c.Enrollments(ctx, inProgram("bbbbbbbbbb1", "bbbbbbbbbb9"))
			if err != nil || len(enrollments) != 1 || enrollments[0].Status != "ACTIVE" || !enrollments[0].FollowUp ||
				enrollments[0].EnrolledAt == "" {
				t.Errorf("read %+v, %v", enrollments, err)
			}
			events, err := c.Events(ctx, inProgram("cccccccccc1", "cccccccccc9"))
			if err != nil || len(events) != 1 || events[0].ProgramStage != firstVisit || len(events[0].DataValues) != 2 {
				t.Fatalf("read %+v, %v", events, err)
			}
			of, err := c.EventsOf(ctx, []string{"aaaaaaaaaa1", "aaaaaaaaaa2", "aaaaaaaaaa9"}, antenatal)
			if err != nil || len(of["aaaaaaaaaa1"]) != 1 || of["aaaaaaaaaa1"][0].Event != "cccccccccc1" ||
				len(of["aaaaaaaaaa1"][0].DataValues) != 2 || len(of["aaaaaaaaaa2"]) != 0 {
				t.Errorf("the events of people are %+v, %v", of, err)
			}
			refusedBesideGood(ctx, t, c)
			r, err := c.ImportTracker(ctx, &client.TrackerPayload{Events: []client.Event{{Event: "cccccccccc1"}}},
				client.TrackerOptions{Delete: true})
			if err != nil || r.Deleted != 1 {
				t.Errorf("deleted %+v, %v", r, err)
			}
			gone, err := c.Events(ctx, inProgram("cccccccccc1"))
			if err != nil || len(gone) != 0 {
				t.Errorf("read after deletion: %+v, %v", gone, err)
			}
			again, err := c.ImportTracker(ctx, &client.TrackerPayload{Events: []client.Event{visit("cccccccccc1", "bbbbbbbbbb1",
				"60")}}, client.TrackerOptions{})
			if err != nil || !hasCode(again.Errors[client.ObjectKey{Type: client.TypeEvent, UID: "cccccccccc1"}], "E1082") {
				t.Errorf("written after deletion: %+v, %v", again, err)
			}
		})
	}
}

func refusedBesideGood(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	heavy, good := visit("cccccccccc2", "bbbbbbbbbb9", "61"), woman("aaaaaaaaaa3", "NID-3")
	twice := woman("aaaaaaaaaa4", "NID-1")
	r, err := c.ImportTracker(ctx, &client.TrackerPayload{TrackedEntities: []client.TrackedEntity{good, twice},
		Events: []client.Event{heavy}}, client.TrackerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	goodKey := client.ObjectKey{Type: client.TypeTrackedEntity, UID: "aaaaaaaaaa3"}
	twiceKey := client.ObjectKey{Type: client.TypeTrackedEntity, UID: "aaaaaaaaaa4"}
	eventKey := client.ObjectKey{Type: client.TypeEvent, UID: "cccccccccc2"}
	if r.Refused || !r.Written[goodKey] || r.Written[twiceKey] || r.Written[eventKey] ||
		!hasCode(r.Errors[twiceKey], "E1064") || len(r.Errors[eventKey]) == 0 {
		t.Errorf("one good, two bad: %+v", r)
	}
	r, err = c.ImportTracker(ctx, &client.TrackerPayload{TrackedEntities: []client.TrackedEntity{good, twice}},
		client.TrackerOptions{AllOrNothing: true})
	if err != nil || !r.Refused || len(r.Written) > 0 || !hasCode(r.Errors[twiceKey], "E1064") {
		t.Errorf("one bad of two, all or nothing: %+v, %v", r, err)
	}
}

func hasCode(issues []client.Issue, code string) bool {
	return slices.ContainsFunc(issues, func(i client.Issue) bool { return i.Code == code })
}

func TestDataValuesLife(t *testing.T) {
	for _, version := range []string{"2.38", "2.40", "2.42", "2.43", "2.44"} {
		t.Run(version, func(t *testing.T) {
			ctx, c := context.Background(), serve(t, version)
			set := &client.DataValueSet{DataSet: malaria, Period: "202601", OrgUnit: coral, CompleteDate: "2026-02-03",
				Values: []client.DataValue{{DataElement: malariaDeaths, Value: "0"}, {DataElement: "w7JyGor7jNA", Value: "true"}}}
			for range 2 {
				r, err := c.ImportDataValues(ctx, set, client.DataValueOptions{})
				if err != nil || r.Refused || !r.Completed || len(r.Issues)+len(r.General) > 0 {
					t.Fatalf("%+v, %v", r, err)
				}
			}
			mixed := &client.DataValueSet{DataSet: malaria, Period: "202602", OrgUnit: coral,
				Values: []client.DataValue{{DataElement: malariaDeaths, Value: "3"}, {DataElement: "aaaaaaaaaaa", Value: "1"}}}
			r, err := c.ImportDataValues(ctx, mixed, client.DataValueOptions{})
			if err != nil || len(r.Issues[1]) == 0 || len(r.Issues[0]) > 0 {
				t.Errorf("an unknown data element: %+v, %v", r, err)
			}
			whole := version == "2.43" || version == "2.44"
			if r.Refused != whole {
				t.Errorf("the good value was refused with the bad one: %v, want %v", r.Refused, whole)
			}
			// 2.43 completes only periods that its database has: those of values that were written.
			completion := client.Completion{DataSet: malaria, Period: "202601", OrgUnit: coral, Date: "2026-03-02"}
			for range 2 {
				if err := c.Complete(ctx, completion); err != nil {
					t.Error(err)
				}
			}
			completion.Undo = true
			if err := c.Complete(ctx, completion); err != nil {
				t.Error(err)
			}
			err = c.Complete(ctx, client.Completion{DataSet: "aaaaaaaaaaa", Period: "202602", OrgUnit: coral})
			var failed *client.Error
			if !errors.As(err, &failed) || failed.Code != "E7600" {
				t.Errorf("completing what does not exist: %v", err)
			}
		})
	}
}

func TestWrongCredentials(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{Metadata: "../sandbox/testdata/tamala.json"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(s)
	defer server.Close()
	for _, credentials := range []client.Credentials{{Username: "admin", Password: "wrong"}, {Token: "d2pat_nonsense"}} {
		c, err := client.New(client.Options{URL: server.URL + "/dhis-web-login/", Credentials: credentials})
		if err != nil {
			t.Fatal(err)
		}
		var failed *client.Error
		if err := c.Ping(context.Background()); !errors.As(err, &failed) || failed.Kind != client.Unauthorized {
			t.Errorf("%v: %v", credentials, err)
		}
		c.Close()
	}
}

// Whatever goes wrong on the way is told as what it is, and the same write sent again comes to the same.
func TestFaults(t *testing.T) {
	s, err := sandbox.New(sandbox.Options{Metadata: "../sandbox/testdata/tamala.json"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	c, err := client.New(client.Options{URL: server.URL,
		Credentials: client.Credentials{Username: "admin", Password: "district"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Close()
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := context.Background()
	if _, _, err := c.Version(ctx); err != nil {
		t.Fatal(err)
	}
	payload := &client.TrackerPayload{TrackedEntities: []client.TrackedEntity{woman("aaaaaaaaaa1", "NID-1")}}
	for kind, want := range map[string]client.FailureKind{
		sandbox.Fault500: client.Refused, sandbox.FaultBadGateway: client.Overloaded, sandbox.Fault503: client.Overloaded,
		sandbox.Fault504: client.Overloaded, sandbox.Fault429: client.Overloaded, sandbox.FaultDisk: client.Overloaded,
		sandbox.FaultDropBefore: client.Unreachable, sandbox.FaultDropAfter: client.Unreachable,
		sandbox.FaultTruncated: client.Unreachable,
		sandbox.FaultEmpty:     client.Unreachable,
	} {
		s.SetFaults(sandbox.Faults{Rate: 1, Kinds: []string{kind}})
		_, err := c.ImportTracker(ctx, payload, client.TrackerOptions{})
		var failed *client.Error
		if !errors.As(err, &failed) || failed.Kind != want {
			t.Errorf("%s: %v, want kind %d", kind, err, want)
		}
	}
	s.SetFaults(sandbox.Faults{})
	r, err := c.ImportTracker(ctx, payload, client.TrackerOptions{})
	if err != nil || len(r.Written) != 1 || s.Counts().TrackedEntities != 1 {
		t.Errorf("%+v, %v; %d people", r, err, s.Counts().TrackedEntities)
	}
}

// TestListsNeedAProgram holds that the sandbox refuses what 2.43 refuses, as the client names it:
// without that the suite above would pass with a client that no real server of that version
// answers.
func TestListsNeedAProgram(t *testing.T) {
	for version, refused := range map[string]bool{"2.40": false, "2.42": false, "2.43": true, "2.44": true} {
		c := serve(t, version)
		for collection, parameter := range map[string]string{"tracker/events": "events",
			"tracker/enrollments": "enrollments"} {
			if version == "2.40" {
				parameter = strings.TrimSuffix(parameter, "s")
			}
			var page map[string]json.RawMessage
			err := c.Get(context.Background(), collection, url.Values{parameter: {"cccccccccc1"}}, &page)
			var e *client.Error
			if !refused {
				if err != nil {
					t.Errorf("%s: %s: %v", version, collection, err)
				}
				continue
			}
			if !errors.As(err, &e) || e.Kind != client.Refused || !e.Request ||
				!strings.Contains(strings.ToLower(e.Message), "program") {
				t.Errorf("%s: %s: %v", version, collection, err)
			}
		}
	}
}
