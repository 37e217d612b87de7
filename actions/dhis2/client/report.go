package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"slices"
	"unicode/utf8"
)

// codeRelationshipExists is the warning on a relationship that is there already.
const codeRelationshipExists = "E4015"

// maxArg bounds an argument of an error: 2.42 puts whole objects there, written by Java.
const maxArg = 200

// importReport is DHIS2's reply to a tracker import.
type importReport struct {
	Status     string `json:"status"`
	Message    string `json:"message"` // of a failure inside, to 2.40
	Validation *struct {
		Errors   []reportLine `json:"errorReports"`
		Warnings []reportLine `json:"warningReports"`
	} `json:"validationReport"`
	Stats struct {
		Created int `json:"created"`
		Updated int `json:"updated"`
		Deleted int `json:"deleted"`
		Ignored int `json:"ignored"`
	} `json:"stats"`
	Bundle *struct {
		Types map[string]struct {
			Objects []struct {
				Type   string       `json:"trackerType"`
				UID    string       `json:"uid"`
				Errors []reportLine `json:"errorReports"`
			} `json:"objectReports"`
		} `json:"typeReportMap"`
	} `json:"bundleReport"`
}

type reportLine struct {
	Message     string            `json:"message"`
	ErrorCode   string            `json:"errorCode"`
	WarningCode string            `json:"warningCode"`
	Type        string            `json:"trackerType"`
	UID         string            `json:"uid"`
	Args        []json.RawMessage `json:"args"`
}

// readReport reads the reply to an import, in whichever of its forms: an ImportReport with 200 or
// 409, or a WebMessage when the import failed inside. Neither the HTTP status nor the report's own
// status says what was written.
func (c *Client) readReport(a *answer) (*TrackerReport, error) {
	if len(bytes.TrimSpace(a.body)) == 0 {
		if a.status < 300 {
			return nil, c.brokenReply(a, errors.New("it is empty"))
		}
		return nil, c.refused(a, nil)
	}
	var r importReport
	if err := json.Unmarshal(a.body, &r); err != nil {
		return nil, c.brokenReply(a, err)
	}
	if r.Validation == nil {
		m := webMessageOf(a)
		if m == nil {
			return nil, c.notDHIS2(a.status, "the answer is not a report of an import", "")
		}
		return nil, c.refused(a, m)
	}
	if r.Message != "" && len(r.Validation.Errors) == 0 {
		// 2.40 and before: an exception, told in a report without errors. Nothing was written.
		return nil, c.refused(a, &webMessage{Message: r.Message})
	}
	return r.digest(a.status), nil
}

// digest sorts a report by object.
func (r *importReport) digest(status int) *TrackerReport {
	objects := 0
	if r.Bundle != nil {
		for _, t := range r.Bundle.Types {
			objects += len(t.Objects)
		}
	}
	out := &TrackerReport{
		Status: r.Status, Message: r.Message, Refused: r.Status == "ERROR" || status == http.StatusConflict,
		Created: r.Stats.Created, Updated: r.Stats.Updated, Deleted: r.Stats.Deleted, Ignored: r.Stats.Ignored,
		Written: make(map[ObjectKey]bool, objects), Errors: map[ObjectKey][]Issue{}, Warnings: map[ObjectKey][]Issue{},
	}
	for _, l := range r.Validation.Errors {
		out.Errors[l.key()] = append(out.Errors[l.key()], l.issue())
	}
	for _, l := range r.Validation.Warnings {
		out.Warnings[l.key()] = append(out.Warnings[l.key()], l.issue())
		if l.WarningCode == codeRelationshipExists && !out.Refused {
			out.Written[l.key()] = true
		}
	}
	if r.Bundle == nil || out.Refused {
		return out
	}
	for name, t := range r.Bundle.Types {
		for _, o := range t.Objects {
			key := ObjectKey{Type: o.Type, UID: o.UID}
			if key.Type == "" {
				key.Type = name
			}
			for _, l := range o.Errors {
				out.Errors[key] = append(out.Errors[key], l.issue())
			}
			if len(out.Errors[key]) == 0 {
				out.Written[key] = true
			}
		}
	}
	return out
}

func (l *reportLine) key() ObjectKey { return ObjectKey{Type: l.Type, UID: l.UID} }

func (l *reportLine) issue() Issue {
	i := Issue{Code: l.ErrorCode, Message: shorten(l.Message)}
	if i.Code == "" {
		i.Code = l.WarningCode
	}
	for _, raw := range l.Args {
		var arg string
		if json.Unmarshal(raw, &arg) != nil {
			arg = string(raw)
		}
		if len(arg) > maxArg {
			arg = arg[:maxArg]
			for !utf8.ValidString(arg) {
				arg = arg[:len(arg)-1]
			}
		}
		i.Args = append(i.Args, arg)
	}
	return i
}

// assumeWritten fills in what a rehearsal does not tell: objects without an error would have been written.
func (r *TrackerReport) assumeWritten(p *TrackerPayload) {
	if r.Refused {
		return
	}
	for key := range p.objects() {
		if len(r.Errors[key]) == 0 {
			r.Written[key] = true
		}
	}
}

// codeParentFailed is what DHIS2 itself says of an object whose parent could not be written.
const codeParentFailed = "E5000"

// followParents adds what DHIS2 leaves out: it names an object whose parent fails, but not always
// the children of that object (the event of an enrollment of a person who breaks a uniqueness is
// not mentioned at all by 2.40 to 2.43).
func (r *TrackerReport) followParents(p *TrackerPayload) {
	for key, parents := range p.objects() {
		if r.Written[key] || len(r.Errors[key]) > 0 {
			continue
		}
		for _, parent := range parents {
			if parent.UID != "" && len(r.Errors[parent]) > 0 {
				r.Errors[key] = []Issue{{Code: codeParentFailed,
					Message: "not mentioned by the server; " + parent.Type + " " + parent.UID + " could not be written",
					Args:    []string{key.Type, key.UID, parent.Type, parent.UID}}}
				break
			}
		}
	}
}

// objects walks the keys of all objects of a payload, nested ones too, parents before children,
// each with those of its parents.
func (p *TrackerPayload) objects() iter.Seq2[ObjectKey, []ObjectKey] {
	return func(yield func(ObjectKey, []ObjectKey) bool) {
		events := func(list []Event, parent string) bool {
			for i := range list {
				above := ObjectKey{TypeEnrollment, orElse(parent, list[i].Enrollment)}
				if !yield(ObjectKey{TypeEvent, list[i].Event}, []ObjectKey{above}) {
					return false
				}
			}
			return true
		}
		enrollments := func(list []Enrollment, parent string) bool {
			for i := range list {
				above := ObjectKey{TypeTrackedEntity, orElse(parent, list[i].TrackedEntity)}
				if !yield(ObjectKey{TypeEnrollment, list[i].Enrollment}, []ObjectKey{above}) ||
					!events(list[i].Events, list[i].Enrollment) {
					return false
				}
			}
			return true
		}
		for i := range p.TrackedEntities {
			t := &p.TrackedEntities[i]
			if !yield(ObjectKey{TypeTrackedEntity, t.TrackedEntity}, nil) || !enrollments(t.Enrollments, t.TrackedEntity) {
				return
			}
		}
		if !enrollments(p.Enrollments, "") || !events(p.Events, "") {
			return
		}
		for i := range p.Relationships {
			r := &p.Relationships[i]
			if !yield(ObjectKey{TypeRelationship, r.Relationship}, slices.Concat(r.From.keys(), r.To.keys())) {
				return
			}
		}
	}
}

func (r RelationshipItem) keys() []ObjectKey {
	return []ObjectKey{{TypeTrackedEntity, r.TrackedEntity}, {TypeEnrollment, r.Enrollment}, {TypeEvent, r.Event}}
}
