package tracker

import (
	"net/http"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker/importer"
)

// jobKind is what DHIS2 calls the job of an asynchronous import.
const jobKind = "TRACKER_IMPORT_JOB"

// importLater takes an import on and answers with where its report will be.
func (c *call) importLater(params *importer.Params, b *importer.Bundle) {
	s, u := c.srv, c.User
	j := s.Jobs.Start(jobKind, s.Now())
	s.Background(nil, func() {
		r, p := s.imports.Run(u, params, b)
		if p != nil {
			s.Jobs.Finish(j, s.Now(), nil, "", p)
			return
		}
		s.Jobs.Finish(j, s.Now(), r, r.InAWord(), nil)
	})
	where := c.Base() + "/api/tracker/jobs/" + j.ID
	if s.Version >= 42 {
		where = c.Base() + "/tracker/jobs/" + j.ID
	}
	answer := object{"id": j.ID, "location": where}
	switch {
	case s.Version == 42:
		answer["responseType"] = "TrackerJobWebMessageResponse"
	case s.Version != 41:
		answer["responseType"] = "TrackerJob"
	}
	c.W.Header().Set("Location", where)
	c.Say(http.StatusOK, "OK", "Tracker job added", answer)
}

// trackerJob answers /api/tracker/jobs/<id> and /api/tracker/jobs/<id>/report.
func (c *call) trackerJob() {
	if !c.Method(http.MethodGet) {
		return
	}
	c.W.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	j, ok := c.Jobs.Find(c.At(2))
	switch {
	case len(c.Path) == 3 && ok && j.Kind == jobKind:
		c.JSON(http.StatusOK, j.Notes)
	case len(c.Path) == 3:
		c.JSON(http.StatusOK, []any{})
	case len(c.Path) == 4 && c.At(3) == "report":
		done, isReport := j.Outcome.(*importer.Report)
		if !ok || !isReport {
			c.Fail(http.StatusNotFound, "E1005", "Summary for job "+c.At(2)+" does not exist")
			return
		}
		r := *done
		if mode := c.Query.Get("reportMode"); mode == "ERRORS" || mode == "" {
			r.Validation.Warnings = []importer.WarningReport{}
		}
		c.JSON(http.StatusOK, r)
	default:
		c.NotFound()
	}
}

// importTracker answers POST /api/tracker.
func (c *call) importTracker() {
	if !c.AcceptsJSON() {
		return
	}
	params, p := importer.ReadParams(c.Version, c.Query)
	if p != nil {
		c.Refused(p)
		return
	}
	body, p := c.ReadBody()
	if p != nil {
		c.Refused(p)
		return
	}
	b, err := importer.ReadBundle(c.Version, body)
	if err != nil {
		c.Unreadable(err.Error())
		return
	}
	if b.NullList != "" {
		c.Refused(rest.Refuse(http.StatusInternalServerError, "",
			"Cannot invoke \"java.util.List.stream()\" because %q is null", b.NullList))
		return
	}
	if b.Crash != "" {
		c.Refused(rest.Refuse(http.StatusInternalServerError, "", "%s", b.Crash))
		return
	}
	if params.Async {
		c.importLater(params, b)
		return
	}
	rep, p := c.srv.imports.Run(c.User, params, b)
	switch {
	case p != nil:
		c.Refused(p)
	case rep.Status == "ERROR":
		c.JSON(http.StatusConflict, rep)
	default:
		c.JSON(http.StatusOK, rep)
	}
}
