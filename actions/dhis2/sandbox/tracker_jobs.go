package sandbox

import "net/http"

// jobKind is what DHIS2 calls the job of an asynchronous import.
const jobKind = "TRACKER_IMPORT_JOB"

// importLater takes an import on and answers with where its report will be.
func (c *trackerCall) importLater(params *importParams, b *bundle) {
	s, u := c.srv, c.user
	j := s.jobs.start(jobKind, s.now())
	s.background(nil, func() {
		r, p := s.runImport(u, params, b)
		if p != nil {
			s.jobs.finish(j, s.now(), nil, "", p)
			return
		}
		s.jobs.finish(j, s.now(), r, r.inAWord(), nil)
	})
	where := c.base() + "/api/tracker/jobs/" + j.id
	if s.manners >= 42 {
		where = c.base() + "/tracker/jobs/" + j.id
	}
	answer := object{"id": j.id, "location": where}
	switch {
	case s.manners == 42:
		answer["responseType"] = "TrackerJobWebMessageResponse"
	case s.manners != 41:
		answer["responseType"] = "TrackerJob"
	}
	c.w.Header().Set("Location", where)
	c.say(http.StatusOK, "OK", "Tracker job added", answer)
}

// trackerJob answers /api/tracker/jobs/<id> and /api/tracker/jobs/<id>/report.
func (c *trackerCall) trackerJob() {
	if !c.method(http.MethodGet) {
		return
	}
	c.w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	j, ok := c.jobs.find(c.at(2))
	switch {
	case len(c.path) == 3 && ok && j.kind == jobKind:
		c.json(http.StatusOK, j.notes)
	case len(c.path) == 3:
		c.json(http.StatusOK, []any{})
	case len(c.path) == 4 && c.at(3) == "report":
		done, isReport := j.outcome.(*report)
		if !ok || !isReport {
			c.fail(http.StatusNotFound, "E1005", "Summary for job "+c.at(2)+" does not exist")
			return
		}
		r := *done
		if mode := c.query.Get("reportMode"); mode == "ERRORS" || mode == "" {
			r.Validation.Warnings = []warningReport{}
		}
		c.json(http.StatusOK, r)
	default:
		c.notFound()
	}
}
