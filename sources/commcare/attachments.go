package commcare

import (
	"context"
	"net/url"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// Attachments finds the photos and other files of forms, by the names in the answers.
func (Kind) Attachments(rule string, t *rules.Trigger, env sources.AttachmentEnv) sources.AttachmentFinder {
	r := read(t, func(diag.Diagnostic) {})
	if r.Connection == "" || r.Cases {
		return nil
	}
	return func(body any, _ string) rules.Attachments {
		form, _ := body.(map[string]any)
		id, _ := form["id"].(string)
		if id == "" {
			return nil
		}
		return func(name string) (*rules.Attachment, error) {
			return &rules.Attachment{Name: name, Key: "commcare/" + id + "/" + name,
				Fetch: func(ctx context.Context, limit int64) ([]byte, string, error) {
					c, err := httpget.ForAttachments(rule, r.Connection, env, newClient)
					if err != nil {
						return nil, "", err
					}
					return c.attachment(ctx, form, id, name, limit)
				}}, nil
		}
	}
}

// attachment fetches a file of a form. A form that came before its files does not list them: then it
// is asked for anew.
func (c *client) attachment(ctx context.Context, form map[string]any, id, name string, limit int64) ([]byte, string,
	error) {
	at := c.addressOf(form, name)
	if at == nil {
		c.get.Tries = 1
		reply, err := c.get.Get(ctx, c.base.JoinPath("api/v0.5/form", id, "/"))
		if err != nil {
			return nil, "", httpget.AttachmentError(err)
		}
		v, err := tree.JSON(reply.Body, tree.Limits{Depth: maxDepth})
		now, ok := v.(map[string]any)
		if err != nil || !ok {
			return nil, "", httpget.AttachmentError(&httpget.Error{Problem: diag.Problem{Message: c.base.Host +
				" answers with no form"}})
		}
		if at = c.addressOf(now, name); at == nil {
			return nil, "", httpget.NotThere(c.base.Host)
		}
	}
	return c.get.Download(ctx, at, limit)
}

// addressOf gives the address of a file of a form on the connection's own host, nil when the form does
// not list the file, or another host's address: the credentials do not belong there.
func (c *client) addressOf(form map[string]any, name string) *url.URL {
	for _, key := range []string{"attachments", "external_blobs"} {
		list, _ := form[key].(map[string]any)
		entry, _ := list[name].(map[string]any)
		text, _ := entry["url"].(string)
		if text == "" {
			continue
		}
		if u, err := httpget.Follow(c.base, text); err == nil {
			return u
		}
	}
	return nil
}
