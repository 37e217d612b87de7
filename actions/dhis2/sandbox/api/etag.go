package api

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

// untagged are the addresses whose answers get no entity tag (DHIS2 ExcludableShallowEtagHeaderFilter).
var untagged = regexp.MustCompile(`^/api/(\d{2}/)?(dataValueSets|dataValues|fileResources|dataEntry/metadata|` +
	`tracker/events/[a-zA-Z][a-zA-Z0-9]{10}/dataValues/.*/(file|image)|` +
	`tracker/trackedEntities/[a-zA-Z][a-zA-Z0-9]{10}/attributes/.*/(file|image)|metadata/version/.*/data)`)

// tagging holds an answer back until its entity tag is known (Spring's ShallowEtagHeaderFilter).
type tagging struct {
	http.ResponseWriter
	body   bytes.Buffer
	status int
}

func (t *tagging) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
}

func (t *tagging) Write(b []byte) (int, error) { return t.body.Write(b) }

// tagged answers a request and gives its answer an entity tag, or 304 to a client that holds this very answer.
func tagged(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request)) {
	if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/api/") || untagged.MatchString(r.URL.Path) {
		next(w, r)
		return
	}
	t := &tagging{ResponseWriter: w}
	next(t, r)
	if t.status == 0 {
		t.status = http.StatusOK
	}
	if t.status == http.StatusOK && !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
		sum := md5.Sum(t.body.Bytes())
		tag := `"0` + hex.EncodeToString(sum[:]) + `"`
		w.Header().Set("ETag", tag)
		if match := r.Header.Get("If-None-Match"); match == "*" || strings.Contains(match, tag) {
			w.Header().Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(t.status)
	_, _ = w.Write(t.body.Bytes()) // a client that has gone is no fault of the sandbox
}
