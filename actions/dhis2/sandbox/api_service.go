package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// apiService finds who asks and who answers.
type apiService struct {
	*env
	tokens   *tokens
	sessions *sessions
	tracker  *trackerService
	values   *valueService
	metadata *metadataService
	pages    http.Handler // what is outside of /api
}

func newAPI(e *env, tracker *trackerService, values *valueService, metadata *metadataService, pages http.Handler) *apiService {
	return &apiService{env: e, tokens: newTokens(e.store), sessions: newSessions(), tracker: tracker, values: values, metadata: metadata, pages: pages}
}

// apiCall is one request that the API answers itself.
type apiCall struct {
	*call
	srv *apiService
}

// maxAddress is how long an address may be: the buffer of the servlet container for the head of a request.
const maxAddress = 8 << 10

// ServeHTTP answers one request.
func (s *apiService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.newCall(w, r)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.Error("sandbox failed at a request", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(p))
			c.fail(http.StatusInternalServerError, "", "Internal Server Error")
		}
	}()
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if writesMetadata(r) {
		s.meta.Lock()
		defer s.meta.Unlock()
	} else {
		s.meta.RLock()
		defer s.meta.RUnlock()
	}
	if len(r.RequestURI) > maxAddress {
		c.tooLong()
		return
	}
	if cors(w, r) {
		tagged(w, r, s.route)
	}
}

func (s *apiService) newCall(w http.ResponseWriter, r *http.Request) *apiCall {
	return &apiCall{newCall(s.env, w, r), s}
}

// dataEndpoints are the resources below /api whose writes leave the metadata as it is.
var dataEndpoints = setOf(strings.Fields(`tracker dataValueSets dataValues completeDataSetRegistrations potentialDuplicates messageConversations fileResources
apiToken apiTokens auth resourceTables dataStore userDataStore systemSettings userSettings system me`))

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
