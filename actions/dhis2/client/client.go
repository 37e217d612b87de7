package client

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Client speaks to one DHIS2 server. Safe for concurrent use.
type Client struct {
	base        *url.URL // without /api
	name        string   // the base as text, for messages
	credentials Credentials
	agent       string
	http        *http.Client
	gate        *gate
	log         *slog.Logger
	now         func() time.Time
	whole       time.Duration
	maxResponse int64
	poll        time.Duration
	wait        time.Duration

	session *session

	asking  sync.Mutex // held while the version is asked for
	mu      sync.Mutex
	version version
}

// URL is the server's address as the client uses it: no trailing slash, no /api.
func (c *Client) URL() string { return c.name }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ping asks for something small that needs valid credentials.
func (c *Client) Ping(ctx context.Context) error {
	var me struct {
		ID string `json:"id"`
	}
	if err := c.Get(ctx, "me", url.Values{"fields": {"id"}}, &me); err != nil {
		return err
	}
	if me.ID == "" {
		return c.notDHIS2(http.StatusOK, "what answers is no DHIS2", "")
	}
	return nil
}

// Get reads one resource into out. The path is relative to /api. The error is an *Error.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	a, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return err
	}
	if err := c.refusal(a); err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return c.brokenReply(a, err)
	}
	return nil
}
