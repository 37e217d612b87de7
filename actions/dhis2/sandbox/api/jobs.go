package api

import (
	"net/http"
)

// task answers /api/system/tasks/<kind>/<id>, and of a kind alone the first and the last note of each of its jobs.
func (c *call) task() {
	if len(c.Path) == 3 {
		c.JSON(http.StatusOK, c.Jobs.OfKind(c.At(2)))
		return
	}
	j, ok := c.Jobs.Find(c.At(3))
	if len(c.Path) != 4 || !ok || j.Kind != c.At(2) {
		c.JSON(http.StatusOK, []any{})
		return
	}
	c.JSON(http.StatusOK, j.Notes)
}

// taskSummary answers /api/system/taskSummaries/<kind>/<id>.
func (c *call) taskSummary() {
	j, ok := c.Jobs.Find(c.At(3))
	switch {
	case len(c.Path) != 4 || !ok || j.Kind != c.At(2):
		c.W.Header().Set("Content-Type", c.Version.JSONType())
		c.W.WriteHeader(http.StatusOK)
	case j.Outcome != nil:
		c.JSON(http.StatusOK, j.Outcome)
	default:
		c.JSON(http.StatusOK, object{})
	}
}
