package sources_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

func TestVersionOf(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a CommCare form": {`{"id": "f", "received_on": "2026-08-20T10:00:00.000000Z", "server_modified_on": ` +
			`"2026-08-21T11:00:00.25Z", "form": {"a": "1"}}`, "2026-08-21T11:00:00.25Z"},
		"a CommCare form of old": {`{"received_on": "2026-08-20T10:00:00.000000Z", "server_modified_on": null, "form": {}}`,
			"2026-08-20T10:00:00Z"},
		"a CommCare case": {`{"case_id": "c", "date_modified": "2031-01-01T00:00:00Z", "server_date_modified": ` +
			`"2026-08-20T10:00:00Z", "properties": {}}`, "2026-08-20T10:00:00Z"},
		"a Kobo submission": {`{"_id": 7, "_uuid": "u", "_submission_time": "2026-03-01T06:31:22"}`,
			"2026-03-01T06:31:22Z"},
		"an edited Kobo submission": {`{"_id": 7, "_uuid": "v", "_submission_time": "2026-03-01T06:31:22", ` +
			`"meta/deprecatedID": "uuid:u"}`, "2026-03-01T06:31:22.000001Z"},
		"an edited Ona submission": {`{"_id": 7, "_uuid": "v", "_submission_time": "2026-03-01T06:31:22", ` +
			`"_edited": true, "_last_edited": "2026-03-04T10:00:00"}`, "2026-03-04T10:00:00Z"},
		"an ODK submission": {`{"__id": "uuid:1", "__system": {"submissionDate": "2026-03-01T06:31:22.417Z", ` +
			`"updatedAt": null}}`, "2026-03-01T06:31:22.417Z"},
		"an edited ODK submission": {`{"__id": "uuid:1", "__system": {"submissionDate": "2026-03-01T06:31:22.417Z", ` +
			`"updatedAt": "2026-03-04T11:02:09.120Z"}}`, "2026-03-04T11:02:09.12Z"},
		"a register with received_on": {`{"received_on": "2026-03-01T06:31:22Z", "sample": "blood"}`, ""},
		"a time that cannot be read":  {`{"_uuid": "u", "_submission_time": "yesterday"}`, ""},
		"a list":                      {`[]`, ""},
		"a form that says " +
			"nothing of it": {`{"form": {"received_on": "2026-03-01T06:31:22Z"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var body any
			if err := json.Unmarshal([]byte(c.body), &body); err != nil {
				t.Fatal(err)
			}
			got := ""
			if v := sources.VersionOf(body); !v.IsZero() {
				got = v.UTC().Format(time.RFC3339Nano)
			}
			if got != c.want {
				t.Errorf("the version is %q, want %q", got, c.want)
			}
		})
	}
}
