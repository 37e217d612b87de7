package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What a tracker request holds, flattened: children that stood inside their parents carry the parent's uid (DHIS2 BodyConverter).

type entityIn struct {
	uid                              string
	typeID, orgUnitID                string // identifiers as sent, in the scheme of the request
	inactive, duplicate              bool
	geometry                         json.RawMessage
	createdAtClient, updatedAtClient *time.Time
	attributes                       []attributeIn

	entityType *entityType
	orgUnit    *orgUnit
	strategy   strategy
	old        *trackedEntity
}

type attributeIn struct {
	id    string
	value *string
	uid   string // resolved; empty when there is no such attribute
}

type noteIn struct{ uid, value string }

type enrollmentIn struct {
	uid, entity                      string
	programID, orgUnitID, comboID    string
	status                           string // empty: sent as null
	enrolled, occurred, completed    *time.Time
	createdAtClient, updatedAtClient *time.Time
	followUp                         bool
	geometry                         json.RawMessage
	attributes                       []attributeIn
	notes                            []noteIn

	program  *program
	orgUnit  *orgUnit
	strategy strategy
	old      *enrollment
}

type valueIn struct {
	id        string
	value     *string
	elsewhere bool
	uid       string
}

type eventIn struct {
	uid, enrollment                  string
	programID, stageID, orgUnitID    string
	status                           string // empty: sent as null
	occurred, scheduled, completed   *time.Time
	createdAtClient, updatedAtClient *time.Time
	comboID                          string
	optionIDs                        []string
	assignedUser                     *userRef
	geometry                         json.RawMessage
	values                           []valueIn
	notes                            []noteIn

	program  *program
	stage    *stage
	orgUnit  *orgUnit
	combo    *optionCombo // resolved; nil when none was given or it does not exist
	options  []string     // uids; "" for one that does not exist
	assigned *user
	strategy strategy
	old      *event
	tracker  bool   // of a tracker program (the distinction that 2.43 makes)
	lent     string // the event program whose own enrollment a server of up to 2.42 gives the event
}

// userRef names a user as a request does.
type userRef struct{ uid, username string }

type relationshipIn struct {
	uid, typeID string
	from, to    *item
	fromCount   int // how many of the three kinds a side names; one is right
	toCount     int

	relType  *relationshipType
	strategy strategy
	old      *relationship
}

type bundle struct {
	entities      []*entityIn
	enrollments   []*enrollmentIn
	events        []*eventIn
	relationships []*relationshipIn

	nullList string // a list that was sent as null, which a real server fails on
	blind    bool   // attributes or data values were sent as null: a real server finds nothing that the request names

	entityBy     map[string]*entityIn
	enrollmentBy map[string]*enrollmentIn
	eventBy      map[string]*eventIn
}

func (b *bundle) size() int {
	return len(b.entities) + len(b.enrollments) + len(b.events) + len(b.relationships)
}

// sizes counts the objects of each kind.
func (b *bundle) sizes() map[string]int {
	return map[string]int{trackedEntityKind: len(b.entities), enrollmentKind: len(b.enrollments), eventKind: len(b.events), relationshipKind: len(b.relationships)}
}

// index finds objects by their uid; of several with one uid the first counts.
func (b *bundle) index() {
	b.entityBy = make(map[string]*entityIn, len(b.entities))
	for _, t := range b.entities {
		if b.entityBy[t.uid] == nil {
			b.entityBy[t.uid] = t
		}
	}
	b.enrollmentBy = make(map[string]*enrollmentIn, len(b.enrollments))
	for _, e := range b.enrollments {
		if b.enrollmentBy[e.uid] == nil {
			b.enrollmentBy[e.uid] = e
		}
	}
	b.eventBy = make(map[string]*eventIn, len(b.events))
	for _, e := range b.events {
		if b.eventBy[e.uid] == nil {
			b.eventBy[e.uid] = e
		}
	}
}

// readBody reads a request's body up to the limit.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, refuse(http.StatusRequestEntityTooLarge, "", "The request could not be read, or is larger than %d MB", maxBody>>20)
	}
	return body, nil
}

// decoder reads a body as DHIS2's parser does, stopping at the first thing that cannot be what it should.
type decoder struct {
	m        manners
	err      error
	nullList string // the first list that is null
	blind    bool   // values were sent as null
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// text reads a scalar as text: numbers and booleans become text.
func (d *decoder) text(n *node, name string) string {
	if p := d.optional(n, name); p != nil {
		return *p
	}
	return ""
}

func (d *decoder) optional(n *node, name string) *string {
	v := n.get(name)
	if v == nil {
		return nil
	}
	s := v.text
	switch v.kind {
	case jsonBool:
		s = strconv.FormatBool(v.bool)
	case jsonArray, jsonObject:
		d.fail("Cannot deserialize value of type `java.lang.String` from %s (field %q)", v.kind, name)
	}
	return &s
}

func (d *decoder) uid(n *node, name string) string {
	p := d.optional(n, name)
	if p == nil {
		return ""
	}
	if d.m.typedUIDs() && !validUID(*p) {
		d.fail("Cannot construct instance of `org.hisp.dhis.common.UID`, problem: UID must be an alphanumeric string of 11 characters starting with a letter, but was: %s", *p)
	}
	return *p
}

func (d *decoder) flag(n *node, name string) bool {
	v := n.get(name)
	if v == nil {
		return false
	}
	switch {
	case v.kind == jsonBool:
		return v.bool
	case v.kind == jsonNumber && !strings.ContainsAny(v.text, ".eE"):
		return v.text != "0"
	case v.kind == jsonString:
		switch strings.TrimSpace(v.text) {
		case "", "false", "False", "FALSE":
			return false
		case "true", "True", "TRUE":
			return true
		}
	}
	d.fail("Cannot deserialize value of type `boolean` from %s: only \"true\"/\"false\" recognized (field %q)", v.kind, name)
	return false
}

// dateForms are those that DHIS2 reads (DateUtils): a date as a whole or in part, with a time as a whole or in part, with a zone or without.
var dateForms = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07", "2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07", "2006-01-02T15:04",
	"2006-01-02T15Z07:00", "2006-01-02T15Z0700", "2006-01-02T15Z07", "2006-01-02T15",
	"2006-01-02", "20060102", "2006-01", "2006",
}

// parseDate reads a date in any of DHIS2's forms; a form without a zone is in that of the server, which is UTC.
func parseDate(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func (d *decoder) date(n *node, name string) *time.Time {
	s := d.text(n, name)
	if s == "" {
		return nil
	}
	t, ok := parseDate(s)
	if !ok {
		d.fail("Invalid date format '%s', only 'yyyy-MM-dd'T'HH:mm:ss.SSS' format is supported (field %q)", s, name)
		return nil
	}
	return &t
}

func (d *decoder) enum(n *node, name string, values ...string) string {
	p := d.optional(n, name)
	if p == nil {
		return ""
	}
	if !contains(values, *p) {
		d.fail("Cannot deserialize value of type %s from String %q: not one of the values accepted for Enum class: %v", name, *p, values)
	}
	return *p
}

// list reads an array of objects.
func (d *decoder) list(n *node, name string) []*node {
	v := n.get(name)
	if v == nil {
		if d.nullList == "" && n.has(name) {
			d.nullList = name
		}
		return nil
	}
	if v.kind != jsonArray {
		d.fail("Cannot deserialize value of type `java.util.ArrayList` from %s (field %q)", v.kind, name)
		return nil
	}
	for i, it := range v.items {
		if it.kind != jsonObject {
			d.fail("Cannot deserialize item %d of %q from %s", i, name, it.kind)
			return nil
		}
	}
	return v.items
}
