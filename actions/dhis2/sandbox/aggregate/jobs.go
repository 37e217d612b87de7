package aggregate

import (
	"fmt"
	"net/http"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
)

// valueJobKind is what DHIS2 calls the job of an asynchronous import.
const valueJobKind = "DATAVALUE_IMPORT"

// valuesLater takes an import of data values on and answers with where it can be followed.
func (c *call) valuesLater(o *dataOptions, sets []*valueSet) {
	s, u := c.srv, c.User
	j := s.Jobs.Start(valueJobKind, s.Now())
	var turn <-chan time.Time
	if s.Version.QueuedJobs() {
		turn = s.JobTurn()
	}
	s.Background(turn, func() {
		sum, p := s.importValues(u, o, sets)
		if p != nil {
			s.Jobs.Finish(j, s.Now(), nil, "", p)
			return
		}
		s.Jobs.Finish(j, s.Now(), sum, "Import complete", nil)
	})
	name, status := fmt.Sprintf("DATAVALUE_IMPORT (%d)", j.Started.UnixMilli()), "NOT_STARTED"
	response := object{"id": j.ID, "created": dates.Stamp(j.Started), "jobType": valueJobKind,
		"relativeNotifierEndpoint": "/api/system/tasks/DATAVALUE_IMPORT/" + j.ID}
	switch {
	case s.Version <= 40:
		name, status = "dataValueImport", "SCHEDULED"
	case s.Version == 41: // without a type
	case s.Version == 42:
		response["responseType"] = "JobConfigurationWebMessageResponse"
	default:
		response["responseType"] = "JobConfiguration"
	}
	response["name"], response["jobStatus"] = name, status
	c.Say(http.StatusOK, "OK", "Initiated "+name, response)
}
