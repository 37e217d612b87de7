package sandbox

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/programrules"
)

// trackerService answers what is about tracked entities, enrollments, events and relationships.
type trackerService struct {
	*env
	rules *ruleEngine
}

func newTracker(e *env) *trackerService {
	return &trackerService{env: e, rules: newRuleEngine(e.catalog, e.manners, e.log)}
}

// rulesChanged compiles the program rules anew. The metadata must be locked.
func (s *trackerService) rulesChanged() { s.rules = newRuleEngine(s.catalog, s.manners, s.log) }

// skippedRules are the program rules that are not evaluated.
func (s *trackerService) skippedRules() []programrules.Skipped { return s.rules.skipped }

// trackerCall is one request that is about tracker objects.
type trackerCall struct {
	*call
	srv *trackerService
}

// serve answers what is below /api/tracker.
func (s *trackerService) serve(c *call) { (&trackerCall{c, s}).tracker() }

// servePairs answers what is below /api/potentialDuplicates.
func (s *trackerService) servePairs(c *call) { (&trackerCall{c, s}).potentialDuplicates() }

// tracker answers what is below /api/tracker.
func (c *trackerCall) tracker() {
	switch c.at(1) {
	case "":
		if c.method(http.MethodPost) {
			c.importTracker()
		}
	case "jobs":
		c.trackerJob()
	case "ownership":
		c.ownership()
	case "trackedEntities", "enrollments", "events", "relationships":
		c.readTracker(c.at(1))
	case "trackerEvents", "singleEvents":
		if !c.manners.splitEvents() {
			c.notFound()
			return
		}
		c.readTracker(c.at(1))
	default:
		c.notFound()
	}
}
