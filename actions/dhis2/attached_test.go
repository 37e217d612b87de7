package dhis2

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// TestFetchedFiles sends photos that lie at the source of the record: fetched when they are sent and not
// before, once for each key, waited for while they may come, and failing their record alone where they cannot.
func TestFetchedFiles(t *testing.T) {
	s := newSiteWith(t, "2.42", withFiles(t))
	s.countUploads()
	photo, err := base64.StdEncoding.DecodeString(png(1))
	if err != nil {
		t.Fatal(err)
	}
	content, fetches := map[string][]byte{"a.png": photo, "b.png": photo, "page.png": []byte("<html>")}, 0
	var failure error
	text := strings.Replace(ruleText(fileRule), "Phone number: trigger.photo",
		"Phone number: {from: trigger.photo, blank: clear}", 1)
	none := func(record string) string { return record[:strings.Index(record, `, "attachments"`)] + "}" }
	rule := s.loadRule(text, none(fileRecord("A", "a.png", `""`)))
	rule.attachments = func(name string) (*rules.Attachment, error) {
		if name == "missing.png" {
			return nil, &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there", Message: "names no file",
				Hint: "there is a.png"}}
		}
		return &rules.Attachment{Name: name, Key: "form/" + name,
			Fetch: func(context.Context, int64) ([]byte, string, error) {
				fetches++
				if failure != nil {
					return nil, "", failure
				}
				return content[name], "application/octet-stream", nil
			}}, nil
	}
	step := func(name, record, wanted string, uploads, fetched int) string {
		t.Helper()
		want(t, s.deliver(rule.plans(t, none(record))...), wanted)
		held, _, n := s.held()
		if n != uploads || fetches != fetched {
			t.Errorf("%s: %d uploads and %d fetches, want %d and %d", name, n, fetches, uploads, fetched)
		}
		return held
	}
	failure = &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there", Message: "is not there",
		Hint: "wait"}, Later: true}
	late := s.deliver(rule.plans(t, none(fileRecord("A", "a.png", `""`)))...)[0].Outcomes[0]
	if late.Status != actions.Retry || late.Class != actions.ClassParent || !strings.Contains(late.Message,
		"Phone number") {
		t.Errorf("a photo that comes later: %+v", late)
	}
	failure = &rules.AttachmentError{Problem: diag.Problem{Code: "file-source-away", Message: "is not fetched",
		Hint: "wait"}, Later: true,
		After: time.Minute}
	away := s.deliver(rule.plans(t, none(fileRecord("A", "a.png", `""`)))...)[0].Outcomes[0]
	if away.Status != actions.Retry || away.Class != actions.ClassTransient || away.RetryAfter != time.Minute {
		t.Errorf("a source that is away: %+v", away)
	}
	failure, fetches = nil, 0
	first := step("first", fileRecord("A", "a.png", `""`), "DDD", 1, 1)
	step("the same again", fileRecord("A", "a.png", `""`), "UUU", 1, 1)
	if step("another name", fileRecord("B", "a.png", `""`), "DUU", 1, 1) != first {
		t.Error("the photo changed")
	}
	if step("another photo", fileRecord("B", "b.png", `""`), "DUU", 2, 2) == first {
		t.Error("the photo did not change")
	}
	if held := step("no photo", fileRecord("B", "", `""`), "DUU", 2, 2); held != "" {
		t.Errorf("the photo is %q", held)
	}
	// A photo that is none fails its record, and the other goes on.
	results := s.deliver(rule.plans(t, none(strings.ReplaceAll(fileRecord("C", "page.png", `""`), "case-1", "case-3")),
		none(strings.ReplaceAll(fileRecord("D", "a.png", `""`), "case-1", "case-4")))...)
	if o := results[0].Outcomes[0]; o.Status != actions.Failed || o.Code != "file-wrong-type" {
		t.Errorf("%+v", o)
	}
	want(t, results[1:], "DDD")
	if f := rule.failure(t, none(fileRecord("A", "missing.png", `""`))); f == nil || f.Code != "file-not-there" ||
		f.Field != "Phone number" {
		t.Errorf("%+v", f)
	}
	// Whoever looks at a record fetches nothing.
	before := fetches
	plan := rule.plans(t, none(strings.ReplaceAll(fileRecord("E", "a.png", `""`), "case-1", "case-5")))[0]
	if got := plan.Writes[0].Object.Describe()["attributes"].(map[string]any)["Phone number"]; got !=
		"a.png (fetched when it is sent)" {
		t.Errorf("%v", got)
	}
	if _, err := PreviewPlan(t.Context(), plan, s.index, testOptions()); err != nil {
		t.Fatal(err)
	}
	if fetches != before {
		t.Error("a preview fetched the photo")
	}
}
