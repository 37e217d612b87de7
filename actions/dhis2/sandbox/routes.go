package sandbox

import (
	"net/http"
	"strconv"
	"strings"
)

func (s *apiService) route(w http.ResponseWriter, r *http.Request) {
	rest, isAPI := strings.CutPrefix(r.URL.Path, "/api")
	if !isAPI || rest != "" && rest[0] != '/' {
		s.pages.ServeHTTP(w, r)
		return
	}
	c := s.newCall(w, r)
	c.query = parseQuery(r.URL.RawQuery)
	for _, p := range strings.Split(rest, "/") {
		if p != "" {
			c.path = append(c.path, p)
		}
	}
	version, versioned := c.takeVersion()
	if c.public() {
		return
	}
	if c.user = c.authenticate(); c.user == nil {
		return
	}
	if from, to := s.manners.apiVersions(); versioned && (version < from || version > to) {
		c.notFound()
		return
	}
	c.dispatch()
}

// takeVersion takes the version of the API off a path.
func (c *apiCall) takeVersion() (int, bool) {
	n, err := strconv.Atoi(c.at(0))
	if err != nil {
		return 0, false
	}
	c.path = c.path[1:]
	return n, true
}

func (c *apiCall) dispatch() {
	if n := len(c.path); n > 0 {
		c.path[n-1] = strings.TrimSuffix(c.path[n-1], ".json")
	}
	if c.r.Method == http.MethodGet && c.jsonOnly() && formOf(c.r.Header.Get("Accept")) != formJSON {
		c.notAcceptable()
		return
	}
	switch c.at(0) {
	case "":
		c.notFound()
	case "system":
		c.system()
	case "me":
		if c.at(1) != "" {
			c.aboutMe()
			return
		}
		c.srv.metadata.serveMe(c.call)
	case "apiToken", "apiTokens":
		c.apiTokens()
	case "metadata":
		c.srv.metadata.serve(c.call)
	case "tracker":
		c.srv.tracker.serve(c.call)
	case "fileResources":
		c.files()
	case "dataValueSets", "dataValueSets.csv", "dataValueSets.xml":
		if len(c.path) > 1 {
			c.notFound()
			return
		}
		c.srv.values.serveSets(c.call, strings.TrimPrefix(c.at(0), "dataValueSets"))
	case "dataValues":
		c.srv.values.serveOne(c.call)
	case "completeDataSetRegistrations":
		c.srv.values.serveCompletions(c.call)
	case "potentialDuplicates":
		c.srv.tracker.servePairs(c.call)
	case "messageConversations":
		c.messageConversation()
	case "dataStore", "userDataStore":
		c.dataStore()
	case "systemSettings", "userSettings":
		c.settings()
	case "schemas":
		c.srv.metadata.serveSchemas(c.call)
	case "resourceTables":
		c.resourceTables()
	default:
		c.srv.metadata.serveCollection(c.call)
	}
}

// jsonOnly tells whether an address has its answer in JSON alone. DHIS2 has some in CSV and XML too, which the sandbox says it cannot give.
func (c *apiCall) jsonOnly() bool {
	switch c.at(0) {
	case "dataValueSets", "dataValueSets.csv", "dataValueSets.xml", "fileResources", "systemSettings", "userSettings", "system", "me":
		return false
	}
	last := c.at(len(c.path) - 1)
	return last != "file" && last != "image"
}
