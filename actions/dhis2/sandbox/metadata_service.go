package sandbox

// metadataService answers what is about metadata.
type metadataService struct {
	*env
	rulesChanged func() // is called when what program rules are made of was written
}

func newMetadata(e *env, rulesChanged func()) *metadataService {
	return &metadataService{env: e, rulesChanged: rulesChanged}
}

// metadataCall is one request that is about metadata.
type metadataCall struct {
	*call
	srv *metadataService
}

// serve answers /api/metadata.
func (s *metadataService) serve(c *call) { (&metadataCall{c, s}).metadata() }

// serveCollection answers what is below /api/<collection>.
func (s *metadataService) serveCollection(c *call) { (&metadataCall{c, s}).collection() }

// serveSchemas answers what is below /api/schemas.
func (s *metadataService) serveSchemas(c *call) { (&metadataCall{c, s}).schemas() }

// serveMe answers /api/me.
func (s *metadataService) serveMe(c *call) { (&metadataCall{c, s}).me() }
