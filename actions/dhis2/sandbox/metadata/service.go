package metadata

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// Service answers what is about metadata.
type Service struct {
	*rest.Env
	rulesChanged func() // is called when what program rules are made of was written
}

func New(e *rest.Env, rulesChanged func()) *Service {
	return &Service{Env: e, rulesChanged: rulesChanged}
}

// call is one request that is about metadata.
type call struct {
	*rest.Call
	srv *Service
}

// Serve answers /api/metadata.
func (s *Service) Serve(c *rest.Call) { (&call{c, s}).metadata() }

// ServeCollection answers what is below /api/<collection>.
func (s *Service) ServeCollection(c *rest.Call) { (&call{c, s}).collection() }

// ServeSchemas answers what is below /api/schemas.
func (s *Service) ServeSchemas(c *rest.Call) { (&call{c, s}).schemas() }

// ServeMe answers /api/me.
func (s *Service) ServeMe(c *rest.Call) { (&call{c, s}).me() }
