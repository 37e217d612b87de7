package service

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/culvert/culvert/engine/project"
)

// lists reads lists of the project's servers.
type lists struct{ s *Service }

// Get reads one resource of a server.
func (l lists) Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error) {
	c := l.s.clients.get(server)
	if c == nil {
		return nil, fmt.Errorf("server %q is not in %s", server, project.ConfigFile)
	}
	var text json.RawMessage
	err := c.Get(ctx, path, query, &text)
	return text, err
}
