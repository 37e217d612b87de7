package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindRequests(t *testing.T) {
	person := func(uid, value string) string {
		return `{"trackedEntity":"` + uid +
			`","orgUnit":"o","attributes":[{"attribute":"other","value":"x"},{"attribute":"nid","value":"` + value + `"}],` +
			`"enrollments":[{"enrollment":"e","program":"p","status":"ACTIVE","enrolledAt":"2026-03-02T00:00:00.000"}]}`
	}
	for version, c := range map[string]struct{ list, mode string }{"2.40.12": {"instances", "ouMode"},
		"2.41.9": {"trackedEntities", "orgUnitMode"}, "2.43.1": {"trackedEntities", "orgUnitMode"}} {
		client, got := note(t, version, func(asked) *http.Response {
			return text(200, `{"`+c.list+`":[`+person("t1", "A/1")+","+person("t2", "a/1")+","+person("t3",
				"B:2,x")+","+person("t4", "B:2,x")+`],"page":1}`)
		})
		found, err := client.FindTrackedEntities(context.Background(),
			FindQuery{Program: "p", Attribute: "nid", Values: []string{"B:2,x", "A/1", "", "A/1"}})
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
		if q.Get("filter") != "nid:in:A//1;B/:2/,x" || q.Get(c.mode) != "ACCESSIBLE" || q.Get("program") != "p" ||
			q.Has("trackedEntityType") || len(*got) != 1 {
			t.Errorf("%s: asked %v", version, *got)
		}
	}
}

func TestFindSplits(t *testing.T) {
	var values []string
	for i := range 420 {
		values = append(values, fmt.Sprintf("NID-%04d", i))
	}
	values = append(values, "a;b", strings.Repeat("x", 2500)+"1", strings.Repeat("x", 2500)+"2")
	c, got := note(t, "2.42", func(a asked) *http.Response { return text(200, `{"trackedEntities":[]}`) })
	if _, err := c.FindTrackedEntities(context.Background(),
		FindQuery{TrackedEntityType: "tt", Attribute: "nid", Values: values}); err != nil {
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
	if want := []string{"eq1", "eq1", "eq1", "in20", "in400"}; !slices.Equal(slices.Sorted(slices.Values(asked)), want) ||
		seen != 423 {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// An attribute may forbid lists, or the server may show only so many people at once.
func TestFindOneByOneWhereListsAreRefused(t *testing.T) {
	c, got := note(t, "2.43", func(a asked) *http.Response {
		if strings.Contains(a.Query.Get("filter"), ":in:") {
			return text(400, `{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Operator IN is `+
				`blocked","errorCode":"E1003"}`)
		}
		return text(200, `{"trackedEntities":[]}`)
	})
	if _, err := c.FindTrackedEntities(context.Background(),
		FindQuery{Program: "p", Attribute: "nid", Values: []string{"1", "2", "3"}}); err != nil || len(*got) != 4 {
		t.Errorf("%v after %d requests, want none after 4", err, len(*got))
	}
}

// Of a value that more people have than may be read nothing is said but that; the others are found.
func TestFindMoreThanCanBeRead(t *testing.T) {
	const person = `{"trackedEntity":"t1","attributes":[{"attribute":"village","value":"Coral"}]}`
	full := `{"trackedEntities":[` + strings.Repeat(person+",", findPage-1) + person + `]}`
	c, got := note(t, "2.43", func(a asked) *http.Response {
		if strings.Contains(a.Query.Get("filter"), "Coral") {
			return text(200, full)
		}
		return text(200, `{"trackedEntities":[{"trackedEntity":"t2","attributes":[{"attribute":"village","value":"Reef"}]}]}`)
	})
	found, err := c.FindTrackedEntities(context.Background(),
		FindQuery{Program: "p", Attribute: "village", Values: []string{"Coral", "Reef"}})
	var unread *UnreadError
	if !errors.As(err, &unread) || len(found) != 1 || found[0].TrackedEntity != "t2" || len(*got) != 2*findPages+1 {
		t.Fatalf("%d found after %d requests, %v", len(found), len(*got), err)
	}
	if err := unread.Of("Coral"); err == nil || !strings.Contains(err.Error(), "attribute village: narrow the search") {
		t.Error(err)
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
	uids := make([]string, 600)
	list := []InProgram{{UID: "t0000000000", Program: "p"}}
	for i := range uids {
		uids[i] = fmt.Sprintf("t%010d", i)
		list = append(list, InProgram{UID: uids[i], Program: "p"})
	}
	for version, c := range map[string]struct{ list, parameter, by string }{
		"2.40.12": {"instances", "event", ";"}, "2.41.9": {"events", "events", ","}, "2.43.1": {"events", "events", ","},
	} {
		client, got := note(t, version, func(a asked) *http.Response {
			var out []string
			for uid := range strings.SplitSeq(a.Query.Get(c.parameter), c.by) {
				if uid != "t0000000007" {
					out = append(out, `{"event":"`+uid+`","followup":true,"attributeCategoryOptions":"a`+c.by+
						`b","dataValues":[{"dataElement":"d","value":"1"}]}`)
				}
			}
			return text(200, `{"`+c.list+`":[`+strings.Join(out, ",")+`]}`)
		})
		events, err := client.Events(context.Background(), list)
		if err != nil || len(events) != 599 || len(*got) != 2 {
			t.Fatalf("%s: %d events in %d requests, %v", version, len(events), len(*got), err)
		}
		want := Event{Event: uids[0], FollowUp: true, AttributeCategoryOptions: []string{"a", "b"},
			DataValues: []EventValue{{DataElement: "d", Value: "1"}}}
		if diff := cmp.Diff(want, events[0]); diff != "" {
			t.Errorf("%s: %s", version, diff)
		}
		if (*got)[0].Query.Get("pageSize") != "400" {
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
		return text(404, `{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR","message":"no",`+
			`"errorCode":"E1005"}`)
	})
	list, err := c.Enrollments(context.Background(), []InProgram{{UID: "e1"}, {UID: "e2"}, {UID: "e3"}})
	if err != nil || len(list) != 1 || list[0].Status != "ACTIVE" || len(*got) != 5 {
		t.Errorf("%+v, %v after %d requests", list, err, len(*got))
	}
}

func TestReadPeopleOfAProgram(t *testing.T) {
	c, got := note(t, "2.42", func(a asked) *http.Response {
		if a.Query.Get("program") == "p" {
			return text(200, `{"trackedEntities":[{"trackedEntity":"t1","attributes":[{"attribute":"a","value":"1"},`+
				`{"attribute":"b","value":"2"}],"enrollments":[{"enrollment":"e1"}]}]}`)
		}
		return text(200, `{"trackedEntities":[{"trackedEntity":"t1","orgUnit":"o","attributes":[{"attribute":"a",`+
			`"value":"1"}]},{"trackedEntity":"t2","orgUnit":"o"}]}`)
	})
	list, err := c.TrackedEntities(context.Background(), []string{"t1", "t2", "t3"}, "p")
	if err != nil || len(list) != 2 || len(list[0].Attributes) != 2 || len(list[0].Enrollments) != 1 ||
		list[0].OrgUnit != "o" {
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
