package client

import (
	"context"
	"encoding/json"
	"net/url"
)

// Client speaks to one DHIS2 server. Safe for concurrent use.
type Client struct{}

// Credentials are what a server asks for; exactly one kind is set.
type Credentials struct {
	Username, Password string
	Token              string // personal access token
	Bearer             string // OAuth2 access token
}

// Version is the server's version, asked for once; major.minor as 42 for 2.42.
func (c *Client) Version(ctx context.Context) (full string, minor int, err error) { panic("unwritten") }

// Ping asks for something small that needs valid credentials.
func (c *Client) Ping(ctx context.Context) error { panic("unwritten") }

// ImportTracker sends a tracker import and reads its reply per object. The error is an *Error when the request failed as a whole.
func (c *Client) ImportTracker(ctx context.Context, p *TrackerPayload, o TrackerOptions) (*TrackerReport, error) {
	panic("unwritten")
}

// ImportDataValues sends one group of data values and reads its reply per value. The error is an *Error.
func (c *Client) ImportDataValues(ctx context.Context, s *DataValueSet, o DataValueOptions) (*DataValueReport, error) {
	panic("unwritten")
}

// Complete registers or withdraws a data set's completion.
func (c *Client) Complete(ctx context.Context, x Completion) error { panic("unwritten") }

// FindTrackedEntities looks people up by a unique attribute, many values in one request; the comparison is exact in the answer even where
// the server's is not.
func (c *Client) FindTrackedEntities(ctx context.Context, q FindQuery) ([]Found, error) {
	panic("unwritten")
}

// TrackedEntities, Enrollments and Events read objects by uid, for what an update would otherwise reset; absent ones are not in the answer.
func (c *Client) TrackedEntities(ctx context.Context, uids []string, program string) ([]TrackedEntity, error) {
	panic("unwritten")
}
func (c *Client) Enrollments(ctx context.Context, uids []string) ([]Enrollment, error) {
	panic("unwritten")
}
func (c *Client) Events(ctx context.Context, uids []string) ([]Event, error) { panic("unwritten") }

// Collection reads a metadata collection whole, page by page, calling each with every object.
func (c *Client) Collection(ctx context.Context, name, fields string, filters []string, each func(json.RawMessage) error) error {
	panic("unwritten")
}

// Get reads one resource into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	panic("unwritten")
}
