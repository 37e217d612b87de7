package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/culvert/culvert/rules/diag"
)

// Message is one that people find in the inbox of DHIS2.
type Message struct {
	Subject, Text string
	Users, Groups []string // ids of users and of user groups
}

// SendMessage starts a conversation (POST /api/messageConversations). The error is an *Error.
func (c *Client) SendMessage(ctx context.Context, m Message) error {
	body, err := json.Marshal(map[string]any{"subject": m.Subject, "text": m.Text, "users": references(m.Users),
		"userGroups": references(m.Groups)})
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the message cannot be put as JSON"}, Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "messageConversations", body: body})
	if err != nil {
		return err
	}
	if a.status/100 != 2 {
		return c.refusal(a)
	}
	return nil
}

func references(ids []string) []map[string]string {
	list := make([]map[string]string, 0, len(ids))
	for _, id := range ids {
		list = append(list, map[string]string{"id": id})
	}
	return list
}
