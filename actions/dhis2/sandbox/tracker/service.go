package tracker

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/importer"
)

// Service answers what is about tracked entities, enrollments, events and relationships.
type Service struct {
	*rest.Env
	imports *importer.Engine
}

func New(e *rest.Env) *Service {
	return &Service{Env: e, imports: importer.New(e)}
}

// RulesChanged compiles the program rules anew. The metadata must be locked.
func (s *Service) RulesChanged() { s.imports.RulesChanged() }

// SkippedRules are the program rules that are not evaluated.
func (s *Service) SkippedRules() []programrules.Skipped { return s.imports.SkippedRules() }

// call is one request that is about tracker objects.
type call struct {
	*rest.Call
	srv *Service
}

// Serve answers what is below /api/tracker.
func (s *Service) Serve(c *rest.Call) { (&call{c, s}).tracker() }

// ServePairs answers what is below /api/potentialDuplicates.
func (s *Service) ServePairs(c *rest.Call) { (&call{c, s}).potentialDuplicates() }

// tracker answers what is below /api/tracker.
func (c *call) tracker() {
	switch c.At(1) {
	case "":
		if c.Method(http.MethodPost) {
			c.importTracker()
		}
	case "jobs":
		c.trackerJob()
	case "ownership":
		c.ownership()
	case "trackedEntities", "enrollments", "events", "relationships":
		c.readTracker(c.At(1))
	case "trackerEvents", "singleEvents":
		if !c.Version.SplitEvents() {
			c.NotFound()
			return
		}
		c.readTracker(c.At(1))
	default:
		c.NotFound()
	}
}
