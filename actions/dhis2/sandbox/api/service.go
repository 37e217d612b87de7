package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/aggregate"
	"github.com/culvert/culvert/actions/dhis2/sandbox/analytics"
	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/metadata"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/tracker"
)

// Service finds who asks and who answers.
type Service struct {
	*rest.Env
	tokens   *tokens
	sessions *sessions
	tracker  *tracker.Service
	values   *aggregate.Service
	metadata *metadata.Service
	pages    http.Handler // what is outside of /api

	analytics *analytics.Service
}

func New(e *rest.Env, tracker *tracker.Service, values *aggregate.Service, metadata *metadata.Service,
	pages http.Handler) *Service {
	return &Service{Env: e, tokens: newTokens(e.Store), sessions: newSessions(), tracker: tracker, values: values,
		metadata: metadata, pages: pages, analytics: analytics.New(e)}
}

// call is one request that the API answers itself.
type call struct {
	*rest.Call
	srv *Service
}

// maxAddress is how long an address may be: the buffer of the servlet container for the head of a request.
const maxAddress = 8 << 10

// ServeHTTP answers one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(w, r)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.Log.Error("sandbox failed at a request", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p))
			c.Fail(http.StatusInternalServerError, "", "Internal Server Error")
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if writesMetadata(r) {
		s.Meta.Lock()
		defer s.Meta.Unlock()
	} else {
		s.Meta.RLock()
		defer s.Meta.RUnlock()
	}
	if len(r.RequestURI) > maxAddress {
		c.TooLong()
		return
	}
	if suspicious(r) {
		c.badAddress()
		return
	}
	if cors(w, r) {
		tagged(w, r, s.route)
	}
}

func (s *Service) newCall(w http.ResponseWriter, r *http.Request) *call {
	return &call{rest.NewCall(s.Env, w, r), s}
}

// dataEndpoints are the resources below /api whose writes leave the metadata as it is.
var dataEndpoints = catalog.SetOf(strings.Fields(`tracker dataValueSets dataValues completeDataSetRegistrations
potentialDuplicates messageConversations fileResources apiToken apiTokens auth resourceTables dataStore userDataStore
systemSettings userSettings system me configuration`))

// writesMetadata tells whether a request may change the metadata, for which it has to be alone.
func writesMetadata(r *http.Request) bool {
	rest, isAPI := strings.CutPrefix(r.URL.Path, "/api/")
	if !isAPI || r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return false
	}
	first, more, _ := strings.Cut(rest, "/")
	if _, err := strconv.Atoi(first); err == nil {
		first, _, _ = strings.Cut(more, "/")
	}
	return !dataEndpoints[first]
}
