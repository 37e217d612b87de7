package sandbox

import (
	"net/http"
)

// task answers /api/system/tasks/<kind>/<id>.
func (c *apiCall) task() {
	j, ok := c.jobs.find(c.at(3))
	if len(c.path) != 4 || !ok || j.kind != c.at(2) {
		c.json(http.StatusOK, []any{})
		return
	}
	c.json(http.StatusOK, j.notes)
}

// taskSummary answers /api/system/taskSummaries/<kind>/<id>.
func (c *apiCall) taskSummary() {
	j, ok := c.jobs.find(c.at(3))
	switch {
	case len(c.path) != 4 || !ok || j.kind != c.at(2):
		c.w.Header().Set("Content-Type", c.manners.jsonType())
		c.w.WriteHeader(http.StatusOK)
	case j.outcome != nil:
		c.json(http.StatusOK, j.outcome)
	default:
		c.json(http.StatusOK, object{})
	}
}
