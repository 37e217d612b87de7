package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request to the API: who asks, and the rest of its path.
type call struct {
	srv   *Server
	w     http.ResponseWriter
	r     *http.Request
	user  *user
	path  []string
	query url.Values
}

// method checks the method of a request, answering 405 when it is none of those allowed.
func (c *call) method(allowed ...string) bool {
	if c.r.Method == http.MethodOptions {
		c.w.Header().Set("Allow", strings.Join(append(allowed, http.MethodHead, http.MethodOptions), ","))
		c.w.WriteHeader(http.StatusOK)
		return false
	}
	for _, m := range allowed {
		if c.r.Method == m || m == http.MethodGet && c.r.Method == http.MethodHead {
			return true
		}
	}
	c.srv.methodNotAllowed(c.w, c.r, allowed...)
	return false
}

// at gives a segment of the path; empty beyond its end.
func (c *call) at(i int) string {
	if i < len(c.path) {
		return c.path[i]
	}
	return ""
}

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	rest, isAPI := strings.CutPrefix(r.URL.Path, "/api")
	if !isAPI || rest != "" && rest[0] != '/' {
		s.page(w, r)
		return
	}
	c := &call{srv: s, w: w, r: r, query: parseQuery(r.URL.RawQuery)}
	for _, p := range strings.Split(rest, "/") {
		if p != "" {
			c.path = append(c.path, p)
		}
	}
	version, versioned := c.version()
	if c.public() {
		return
	}
	if c.user = s.authenticate(w, r); c.user == nil {
		return
	}
	if from, to := s.manners.apiVersions(); versioned && (version < from || version > to) {
		s.notFound(w, r)
		return
	}
	c.dispatch()
}

// version takes the version of the API off a path.
func (c *call) version() (int, bool) {
	n, err := strconv.Atoi(c.at(0))
	if err != nil {
		return 0, false
	}
	c.path = c.path[1:]
	return n, true
}

func (c *call) dispatch() {
	if n := len(c.path); n > 0 {
		c.path[n-1] = strings.TrimSuffix(c.path[n-1], ".json")
	}
	if c.r.Method == http.MethodGet && c.jsonOnly() && formOf(c.r.Header.Get("Accept")) != formJSON {
		c.notAcceptable()
		return
	}
	switch c.at(0) {
	case "":
		c.srv.notFound(c.w, c.r)
	case "system":
		c.system()
	case "me":
		c.me()
	case "apiToken", "apiTokens":
		c.apiTokens()
	case "metadata":
		c.metadata()
	case "tracker":
		c.tracker()
	case "fileResources":
		c.files()
	case "dataValueSets", "dataValueSets.csv", "dataValueSets.xml":
		if len(c.path) > 1 {
			c.srv.notFound(c.w, c.r)
			return
		}
		c.dataValueSets(strings.TrimPrefix(c.at(0), "dataValueSets"))
	case "dataValues":
		c.dataValue()
	case "completeDataSetRegistrations":
		c.completions()
	case "potentialDuplicates":
		c.potentialDuplicates()
	case "messageConversations":
		c.messageConversation()
	case "dataStore", "userDataStore":
		c.dataStore()
	case "systemSettings", "userSettings":
		c.settings()
	case "schemas":
		c.schemas()
	case "resourceTables":
		c.resourceTables()
	default:
		c.collection()
	}
}

// jsonOnly tells whether an address has its answer in JSON alone. DHIS2 has some in CSV and XML too, which the sandbox says it cannot give.
func (c *call) jsonOnly() bool {
	switch c.at(0) {
	case "dataValueSets", "dataValueSets.csv", "dataValueSets.xml", "fileResources", "systemSettings", "userSettings", "system", "me":
		return false
	}
	last := c.at(len(c.path) - 1)
	return last != "file" && last != "image"
}

// tracker answers what is below /api/tracker.
func (c *call) tracker() {
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
		if !c.srv.manners.splitEvents() {
			c.srv.notFound(c.w, c.r)
			return
		}
		c.readTracker(c.at(1))
	default:
		c.srv.notFound(c.w, c.r)
	}
}

// parseQuery reads a query as servlets do: only & separates, so that a ; may stand in a value.
func parseQuery(raw string) url.Values {
	out := url.Values{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out.Add(plain(name), plain(value))
	}
	return out
}

func plain(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}
