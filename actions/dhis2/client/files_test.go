package client

import (
	"context"
	"net/http"
	"testing"
)

// TestARefusedUploadThatMayHaveComeThrough: only what the server says of the file makes a refusal of
// the record.
func TestARefusedUploadThatMayHaveComeThrough(t *testing.T) {
	const conflict = `{"httpStatus":"Conflict","httpStatusCode":409,"status":"ERROR","message":"no"}`
	for name, c := range map[string]struct {
		status int
		body   string
		there  bool
		kind   FailureKind
	}{
		"it is there": {200, `{"id":"f1"}`, true, 0},
		"it is not": {404, `{"httpStatus":"Not Found","httpStatusCode":404,"status":"ERROR","message":"no"}`, false,
			Refused},
		"it is not shown": {403, `{"httpStatus":"Forbidden","httpStatusCode":403,"status":"ERROR","message":"no"}`, false,
			Refused},
		"the server is away": {503, "", false, Overloaded},
		"the server failed":  {500, "", false, Overloaded},
	} {
		client, _ := note(t, "2.42", func(a asked) *http.Response {
			if a.Method == http.MethodPost {
				return text(409, conflict)
			}
			return text(c.status, c.body)
		})
		uid, err := client.UploadFile(context.Background(), Upload{UID: "f1", Name: "a.png", Type: "image/png"})
		if c.there {
			if uid != "f1" || err != nil {
				t.Errorf("%s: %q, %v", name, uid, err)
			}
			continue
		}
		if e := asError(t, err); e.Kind != c.kind || e.Kind == Refused && e.Status != 409 {
			t.Errorf("%s: kind %d, status %d: %v", name, e.Kind, e.Status, e)
		}
	}
}
