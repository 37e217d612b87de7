package odk

import (
	"context"
	"net/url"
	"strconv"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
)

// Attachments finds the photos and other files of submissions, by the names in the answers.
func (Kind) Attachments(rule string, t *rules.Trigger, env sources.AttachmentEnv) sources.AttachmentFinder {
	r := read(t, func(diag.Diagnostic) {})
	if r.Connection == "" || r.Form == "" { // entities have none
		return nil
	}
	return func(body any, _ string) rules.Attachments {
		form, _ := body.(map[string]any)
		id, _ := form["__id"].(string)
		if id == "" {
			return nil
		}
		return func(name string) (*rules.Attachment, error) {
			// An edit that replaces a photo gives it another name.
			return &rules.Attachment{Name: name, Key: "odk/" + strconv.Itoa(r.Project) + "/" + r.Form + "/" + id + "/" + name,
				Fetch: func(ctx context.Context, limit int64) ([]byte, string, error) {
					c, err := httpget.ForAttachments(rule, r.Connection, env, newClient)
					if err != nil {
						return nil, "", err
					}
					// Central lists a file that has not come yet, and answers 404 to it.
					return c.get.Download(ctx, c.attachment(&r, id, name), limit)
				}}, nil
		}
	}
}

// attachment gives the address of a file of a submission.
func (c *client) attachment(r *Rule, id, name string) *url.URL {
	return c.base.JoinPath("v1", "projects", strconv.Itoa(r.Project), "forms", url.PathEscape(r.Form), "submissions",
		url.PathEscape(id), "attachments", url.PathEscape(name))
}
