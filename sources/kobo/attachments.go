package kobo

import (
	"context"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// Attachments finds the photos and other files of submissions, by the names in the answers.
func (Kind) Attachments(rule string, t *rules.Trigger, env sources.AttachmentEnv) sources.AttachmentFinder {
	r := read(t, func(diag.Diagnostic) {})
	if r.Connection == "" {
		return nil
	}
	return func(body any, _ string) rules.Attachments {
		form, ok := body.(map[string]any)
		id, hasID := form["_id"].(float64)
		if !ok || !hasID {
			return nil
		}
		media := &media{rule: r, id: strconv.FormatFloat(id, 'f', -1, 64), form: form, env: env, ruleName: rule}
		return media.named
	}
}

// media are the files of one submission.
type media struct {
	rule     Rule
	ruleName string
	id       string
	form     map[string]any
	env      sources.AttachmentEnv
}

// named gives the file of a name. An edit that replaces a photo gives it another name.
func (m *media) named(name string) (*rules.Attachment, error) {
	return &rules.Attachment{Name: name, Key: "kobo/" + m.rule.Asset + "/" + m.id + "/" + name,
		Fetch: func(ctx context.Context, limit int64) ([]byte, string, error) { return m.fetch(ctx, name, limit) }}, nil
}

func (m *media) fetch(ctx context.Context, name string, limit int64) ([]byte, string, error) {
	c, err := httpget.ForAttachments(m.ruleName, m.rule.Connection, m.env, newClient)
	if err != nil {
		return nil, "", err
	}
	entry := attachmentOf(m.form, name)
	if entry == nil {
		// The record may have come before the photo did.
		c.get.Tries = 1
		reply, err := c.get.Get(ctx, c.base.JoinPath("api", "v2", "assets", m.rule.Asset, "data", m.id+".json"))
		if err != nil {
			return nil, "", httpget.AttachmentError(err)
		}
		now, err := tree.JSON(reply.Body, tree.Limits{Depth: maxDepth})
		form, ok := now.(map[string]any)
		if err != nil || !ok {
			return nil, "", httpget.AttachmentError(&httpget.Error{Problem: diag.Problem{Message: c.base.Host +
				" answers with no submission"}})
		}
		if entry = attachmentOf(form, name); entry == nil {
			return nil, "", httpget.NotThere(c.base.Host)
		}
	}
	if gone, _ := entry["is_deleted"].(bool); gone {
		return nil, "", &rules.AttachmentError{Problem: diag.Problem{Code: "file-not-there",
			Message: "names a file that was deleted at " + c.base.Host,
			Hint:    "edit the form there, or leave the field out"}}
	}
	at := c.addressOf(entry, m.rule.Asset, m.id)
	if at == nil {
		return nil, "", httpget.NotThere(c.base.Host)
	}
	return c.get.Download(ctx, at, limit)
}

// attachmentOf finds what a submission says of a file. Storage replaces what file names cannot hold.
func attachmentOf(form map[string]any, name string) map[string]any {
	list, _ := form["_attachments"].([]any)
	var alike map[string]any
	for _, item := range list {
		entry, ok := item.(map[string]any)
		if !ok {
			continue
		}
		base, _ := entry["media_file_basename"].(string)
		stored, _ := entry["filename"].(string)
		stored = path.Base(stored)
		switch {
		case base == name, stored == name:
			return entry
		case stored == storedName(name), base == storedName(name):
			alike = entry
		}
	}
	return alike
}

// storedName is the name under which the server keeps a file: spaces become _, and what is no
// letter, digit, -, _ or . is left out.
func storedName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case strings.ContainsRune(`/\'"()[]{}<>,;:!?*|&%$#@+=~^`+"`", r):
			return -1
		}
		return r
	}, name)
}

// addressOf gives the address of a file on the connection's own host, nil when the entry has none:
// servers name others, such as the one that takes submissions, where the credentials do not belong.
func (c *client) addressOf(entry map[string]any, asset, id string) *url.URL {
	if text, _ := entry["download_url"].(string); text != "" {
		if u, err := httpget.Follow(c.base, text); err == nil {
			return u
		}
	}
	uid, _ := entry["uid"].(string)
	if n, ok := entry["id"].(float64); ok && uid == "" {
		uid = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if uid == "" {
		return nil
	}
	return c.base.JoinPath("api", "v2", "assets", asset, "data", id, "attachments", url.PathEscape(uid), "/")
}
