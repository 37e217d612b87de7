package client

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

func TestDataValuesRequest(t *testing.T) {
	set := &DataValueSet{DataSet: "ds", Period: "202601", OrgUnit: "ou", CompleteDate: "2026-02-03", Values: []DataValue{
		{DataElement: "de", CategoryOptionCombo: "coc", Value: "1", FollowUp: true}, {DataElement: "de2", Deleted: true}}}
	for version, name := range map[string]string{"2.42": "followup", "2.43": "followUp"} {
		c, got := note(t, version, func(asked) *http.Response {
			return text(200, `{"httpStatusCode":200,"status":"OK","response":{"status":"SUCCESS",`+
				`"importCount":{"updated":2},"dataSetComplete":"2026-02-03"}}`)
		})
		r, err := c.ImportDataValues(context.Background(), set, DataValueOptions{Rehearse: true})
		if err != nil || !r.Completed || r.Updated != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		want := `{"dataSet":"ds","completeDate":"2026-02-03","period":"202601","orgUnit":"ou",` +
			`"dataValues":[{"dataElement":"de","categoryOptionCombo":"coc","value":"1","` +
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
		"plain, as 2.37": {`{"status":"SUCCESS","importCount":{"imported":3,"updated":0,"ignored":0,"deleted":0},` +
			`"dataSetComplete":"false"}`, "im3 up0 ig0 de0"},
		"2.38, no positions": {`{"status":"WARNING","importCount":{"imported":1,"ignored":2},"conflicts":[` +
			`{"object":"d2","objects":{"dataElement":"d2","value":"value_not_numeric"},"value":"m","errorCode":"E7619",` +
			`"property":"value"},` +
			`{"object":"o2","objects":{"organisationUnit":"o2"},"value":"m","errorCode":"E7612","property":"orgUnit"}]}`,
			"im1 up0 ig2 de0\nvalue 1 of 3 E7619\nvalue 2 of 3 E7612"},
		"rejected without a conflict": {`{"status":"WARNING","importCount":{"imported":2,"ignored":1},"rejectedIndexes":[1]}`,
			"im2 up0 ig1 de0\nvalue 1 of 3 "},
		"positions that do not exist": {`{"status":"WARNING","importCount":{"imported":3},"conflicts":[{"value":"m",` +
			`"errorCode":"E7619","indexes":[7,-3]}],"rejectedIndexes":[9]}`,
			"im3 up0 ig0 de0 general E7619"},
		"2.43, some good": {`{"status":"WARNING","importCount":{"updated":2,"ignored":1},` +
			`"conflicts":[{"objects":{"args":"1-x-INTEGER-value_not_integer"},` +
			`"value":"Value #1 value x is no valid INTEGER","errorCode":"E8122","indexes":[1]}],"rejectedIndexes":[1]}`,
			"im0 up2 ig1 de0\nvalue 1 of 3 E8122"},
		"2.43, one org unit": {`{"status":"ERROR","importCount":{"updated":0},"conflicts":[{"objects":{"args":"ds-[o2]"},` +
			`"value":"m","errorCode":"E8022","indexes":[0,1,2]}],` +
			`"rejectedIndexes":[0,1,2]}`, "im0 up0 ig0 de0 refused\nvalue 2 of 3 E8022"},
		"2.43, two elements": {`{"status":"ERROR","importCount":{"updated":0},"conflicts":[{"objects":{"args":"ds-[d2, ` +
			`d9]"},"value":"m","errorCode":"E8020","indexes":[0,1,2]}]}`,
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
	good := `{"httpStatusCode":200,"status":"OK","response":{"status":"SUCCESS","importCount":{"imported":1},` +
		`"conflicts":[]}}`
	for want, x := range map[string]Completion{
		`POST  {"completeDataSetRegistrations":[{"completed":true,"dataSet":"ds","date":"2026-03-02",` +
			`"organisationUnit":"ou","period":"202602"}]}`: {
			DataSet: "ds", Period: "202602", OrgUnit: "ou", Date: "2026-03-02"},
		`POST  {"completeDataSetRegistrations":[{"attributeOptionCombo":"aoc","completed":false,"dataSet":"ds",` +
			`"organisationUnit":"ou","period":"202602"}]}`: {
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

// The recorded refusal of a completion names what is unknown and gives no code.
func TestCompletionIsRefusedWithACode(t *testing.T) {
	for _, e := range exchanges(t, "2.42") {
		if e.Scenario != "aggregate/single" || e.Note != "unknown data set" {
			continue
		}
		c, _ := note(t, "2.42", func(asked) *http.Response { return e.reply() })
		err := c.Complete(context.Background(), Completion{DataSet: "aaaaaaaaaaa", Period: "202602", OrgUnit: "ygq0iefHYLW"})
		if failed := asError(t, err); failed.Code != "E7600" || failed.Kind != Refused {
			t.Errorf("%+v", failed)
		}
		return
	}
	t.Fatal("the exchange is not there")
}
