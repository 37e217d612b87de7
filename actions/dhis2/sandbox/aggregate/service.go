package aggregate

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// Service answers what is about data values and the completion of data sets.
type Service struct{ *rest.Env }

func New(e *rest.Env) *Service { return &Service{e} }

// call is one request that is about aggregate data.
type call struct {
	*rest.Call
	srv *Service
}

// ServeSets answers /api/dataValueSets, and with an ending in the form that it names.
func (s *Service) ServeSets(c *rest.Call, ending string) { (&call{c, s}).dataValueSets(ending) }

// ServeOne answers /api/dataValues.
func (s *Service) ServeOne(c *rest.Call) { (&call{c, s}).dataValue() }

// ServeCompletions answers /api/completeDataSetRegistrations.
func (s *Service) ServeCompletions(c *rest.Call) { (&call{c, s}).completions() }

// WriteOne writes the value that the parameters name.
func (s *Service) WriteOne(r *rest.Call) *rest.Problem {
	c := &call{r, s}
	in, p := c.oneValue()
	if p != nil {
		return p
	}
	c.Store.Lock()
	defer c.Store.Unlock()
	if p := c.writeValue(in); p != nil {
		return p
	}
	if err := c.Store.Flush(); err != nil {
		return rest.Refuse(http.StatusInternalServerError, "", "%s", err.Error())
	}
	return nil
}
