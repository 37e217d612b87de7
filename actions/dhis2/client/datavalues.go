package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/culvert/culvert/rules/diag"
)

// ImportDataValues sends one group of data values and reads its reply per value. The error is an *Error.
//
// To 2.42 the good values of a group are written and the bad ones reported (HTTP 409). From 2.43 on
// a value that does not fit its data set refuses the whole group; Issues then names the values at
// fault as far as the server tells, and the others can be sent again. From 2.43 on DataSet must be
// given, or every data element must belong to one data set only.
func (c *Client) ImportDataValues(ctx context.Context, s *DataValueSet, o DataValueOptions) (*DataValueReport, error) {
	minor, err := c.writable(ctx)
	if err != nil {
		return nil, err
	}
	body, err := encodeValues(s, minor)
	if err != nil {
		return nil, &Error{Kind: Refused, Problem: diag.Problem{Message: "the data values cannot be put as JSON"},
			Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "dataValueSets", query: o.query(), body: body})
	if err != nil {
		return nil, err
	}
	summary, err := c.readSummary(a)
	if err != nil {
		return nil, err
	}
	return summary.digest(s), nil
}

func (o DataValueOptions) query() url.Values {
	query := url.Values{"async": {"false"}, "importStrategy": {"CREATE_AND_UPDATE"}}
	if o.Rehearse {
		query.Set("dryRun", "true")
	}
	return query
}

// wireValue is a data value as the server's version takes it.
type wireValue struct {
	*DataValue
	FollowUp bool `json:"followUp,omitempty"` // from 2.43
	Followup bool `json:"followup,omitempty"` // to 2.42
}

func encodeValues(s *DataValueSet, minor int) ([]byte, error) {
	values := make([]wireValue, len(s.Values))
	for i := range s.Values {
		v := wireValue{DataValue: &s.Values[i]}
		if minor >= 43 {
			v.FollowUp = s.Values[i].FollowUp
		} else {
			v.Followup = s.Values[i].FollowUp
		}
		values[i] = v
	}
	return json.Marshal(struct {
		*DataValueSet
		Values []wireValue `json:"dataValues"`
	}{s, values})
}

// importSummary is DHIS2's reply to an import of data values or completions.
type importSummary struct {
	Status      string `json:"status"` // SUCCESS, WARNING, ERROR
	Type        string `json:"responseType"`
	Description string `json:"description"`
	Count       *struct {
		Imported int `json:"imported"`
		Updated  int `json:"updated"`
		Ignored  int `json:"ignored"`
		Deleted  int `json:"deleted"`
	} `json:"importCount"`
	Conflicts []conflict `json:"conflicts"`
	Rejected  []int      `json:"rejectedIndexes"` // absent from 2.38
	Complete  string     `json:"dataSetComplete"`
}

type conflict struct {
	Object   string            `json:"object"`
	Objects  map[string]string `json:"objects"`
	Value    string            `json:"value"` // the message
	Code     string            `json:"errorCode"`
	Property string            `json:"property"`
	Indexes  []int             `json:"indexes"`
}

// readSummary reads the reply, inside a WebMessage or plain. A reply that reports neither counts
// nor conflicts is a refusal as a whole.
func (c *Client) readSummary(a *answer) (*importSummary, error) {
	if len(bytes.TrimSpace(a.body)) == 0 {
		if a.status < 300 {
			return nil, c.brokenReply(a, errors.New("it is empty"))
		}
		return nil, c.refused(a, nil)
	}
	var m webMessage
	if err := json.Unmarshal(a.body, &m); err != nil {
		return nil, c.brokenReply(a, err)
	}
	text := []byte(m.Response)
	if len(text) == 0 {
		text = a.body
	}
	var s importSummary
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, c.brokenReply(a, err)
	}
	if s.Count == nil {
		if m.HTTPStatusCode == 0 {
			return nil, c.notDHIS2(a.status, "the answer is not a summary of an import", "")
		}
		return nil, c.refused(a, &m)
	}
	if s.Status == "ERROR" && len(s.Conflicts) == 0 {
		if s.Description != "" {
			m.Message = s.Description
		}
		return nil, c.refused(a, &m)
	}
	return &s, nil
}

// digest sorts a summary by value.
func (s *importSummary) digest(set *DataValueSet) *DataValueReport {
	out := &DataValueReport{
		Issues: map[int][]Issue{}, Refused: s.Status == "ERROR", Completed: s.Complete != "" && s.Complete != "false",
		Imported: s.Count.Imported, Updated: s.Count.Updated, Ignored: s.Count.Ignored, Deleted: s.Count.Deleted,
		Message: shorten(s.Description),
	}
	for _, f := range s.Conflicts {
		issue := Issue{Code: f.Code, Message: shorten(f.Value)}
		at := f.values(set)
		if len(at) == 0 {
			out.General = append(out.General, issue)
		}
		for _, i := range at {
			out.Issues[i] = append(out.Issues[i], issue)
		}
	}
	for _, i := range s.Rejected {
		if i >= 0 && i < len(set.Values) && len(out.Issues[i]) == 0 && !out.Refused {
			out.Issues[i] = append(out.Issues[i], Issue{Message: "rejected without a reason"})
		}
	}
	return out
}
