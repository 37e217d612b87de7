package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// valueJobKind is what DHIS2 calls the job of an asynchronous import.
const valueJobKind = "DATAVALUE_IMPORT"

// valuesLater takes an import of data values on and answers with where it can be followed.
func (c *valueCall) valuesLater(o *dataOptions, set *valueSet) {
	s, u := c.srv, c.user
	j := s.jobs.start(valueJobKind, s.now())
	var turn <-chan time.Time
	if s.manners.queuedJobs() {
		turn = s.jobTurn()
	}
	s.background(turn, func() {
		sum, p := s.importValues(u, o, set)
		if p != nil {
			s.jobs.finish(j, s.now(), nil, "", p)
			return
		}
		s.jobs.finish(j, s.now(), sum, "Import complete", nil)
	})
	name, status := fmt.Sprintf("DATAVALUE_IMPORT (%d)", j.started.UnixMilli()), "NOT_STARTED"
	response := object{"id": j.id, "created": stamp(j.started), "jobType": valueJobKind, "relativeNotifierEndpoint": "/api/system/tasks/DATAVALUE_IMPORT/" + j.id}
	switch {
	case s.manners <= 40:
		name, status = "dataValueImport", "SCHEDULED"
	case s.manners == 41: // without a type
	case s.manners == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	default:
		response["responseType"] = "JobConfiguration"
	}
	response["name"], response["jobStatus"] = name, status
	c.say(http.StatusOK, "OK", "Initiated "+name, response)
}
