package sandbox

// valueService answers what is about data values and the completion of data sets.
type valueService struct{ *env }

func newValues(e *env) *valueService { return &valueService{e} }

// valueCall is one request that is about aggregate data.
type valueCall struct {
	*call
	srv *valueService
}

// serveSets answers /api/dataValueSets, and with an ending in the form that it names.
func (s *valueService) serveSets(c *call, ending string) { (&valueCall{c, s}).dataValueSets(ending) }

// serveOne answers /api/dataValues.
func (s *valueService) serveOne(c *call) { (&valueCall{c, s}).dataValue() }

// serveCompletions answers /api/completeDataSetRegistrations.
func (s *valueService) serveCompletions(c *call) { (&valueCall{c, s}).completions() }
