package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

func (s *Service) route(w http.ResponseWriter, r *http.Request) {
	below, isAPI := strings.CutPrefix(r.URL.Path, "/api")
	if !isAPI || below != "" && below[0] != '/' {
		s.pages.ServeHTTP(w, r)
		return
	}
	c := s.newCall(w, r)
	c.Query = rest.ParseQuery(r.URL.RawQuery)
	for _, p := range strings.Split(below, "/") {
		if p != "" {
			c.Path = append(c.Path, p)
		}
	}
	version, versioned := c.takeVersion()
	if c.public() {
		return
	}
	if c.User = c.authenticate(); c.User == nil {
		return
	}
	if from, to := s.Version.APIVersions(); versioned && (version < from || version > to) {
		c.NotFound()
		return
	}
	c.dispatch()
}

// takeVersion takes the version of the API off a path.
func (c *call) takeVersion() (int, bool) {
	n, err := strconv.Atoi(c.At(0))
	if err != nil {
		return 0, false
	}
	c.Path = c.Path[1:]
	return n, true
}

func (c *call) dispatch() {
	ending := c.cutEnding()
	if n := len(c.Path); n > 0 {
		c.Path[n-1] = strings.TrimSuffix(c.Path[n-1], ".json")
	}
	if c.R.Method == http.MethodGet && c.jsonOnly() && rest.FormOf(c.R.Header.Get("Accept")) != rest.FormJSON {
		c.NotAcceptable()
		return
	}
	switch c.At(0) {
	case "":
		c.NotFound()
	case "system":
		c.system()
	case "me":
		if c.At(1) != "" {
			c.aboutMe()
			return
		}
		c.srv.metadata.ServeMe(c.Call)
	case "apiToken", "apiTokens":
		c.apiTokens()
	case "metadata":
		c.srv.metadata.Serve(c.Call)
	case "tracker":
		c.srv.tracker.Serve(c.Call)
	case "fileResources":
		c.files()
	case "dataValueSets":
		if len(c.Path) > 1 {
			c.NotFound()
			return
		}
		c.srv.values.ServeSets(c.Call, ending)
	case "dataValues":
		if c.At(1) == "file" && len(c.Path) == 2 {
			c.valueFile()
			return
		}
		c.srv.values.ServeOne(c.Call)
	case "completeDataSetRegistrations":
		c.srv.values.ServeCompletions(c.Call)
	case "potentialDuplicates":
		c.srv.tracker.ServePairs(c.Call)
	case "messageConversations":
		c.messageConversation()
	case "dataStore", "userDataStore":
		c.dataStore()
	case "systemSettings", "userSettings":
		c.settings()
	case "schemas":
		c.srv.metadata.ServeSchemas(c.Call)
	case "analytics":
		c.srv.analytics.Serve(c.Call)
	case "configuration":
		if c.At(1) != "dataOutputPeriodTypes" || len(c.Path) != 2 || c.Version < 43 {
			c.srv.metadata.ServeCollection(c.Call)
			return
		}
		c.srv.analytics.OutputTypes(c.Call)
	case "resourceTables":
		c.resourceTables()
	default:
		c.srv.metadata.ServeCollection(c.Call)
	}
}

// cutEnding takes the form that data values are wanted in off their address: .csv, .xml, .adx+xml.
func (c *call) cutEnding() string {
	name, ending, ok := strings.Cut(c.At(0), ".")
	if !ok || name != "dataValueSets" {
		return ""
	}
	c.Path[0] = name
	return "." + ending
}

// jsonOnly tells whether an address has its answer in JSON alone. DHIS2 has some in CSV and XML
// too, which the sandbox says it cannot give.
func (c *call) jsonOnly() bool {
	switch c.At(0) {
	case "dataValueSets", "fileResources", "systemSettings", "userSettings", "system", "me":
		return false
	}
	last := c.At(len(c.Path) - 1)
	return last != "file" && last != "image"
}
