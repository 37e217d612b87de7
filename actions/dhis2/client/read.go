package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// readChunk is how many uids go into one address: about 5 KB of the 8 KB that servers take for an
// address and all headers.
const readChunk = 400

const (
	entityFields = "trackedEntity,trackedEntityType,orgUnit,inactive,potentialDuplicate,geometry," +
		"attributes[attribute,value]"
	enrollmentFields = "enrollment,trackedEntity,program,orgUnit,status,enrolledAt,occurredAt,completedAt,followUp," +
		"attributeOptionCombo,geometry"
	eventFields = "event,program,programStage,enrollment,orgUnit,status,occurredAt,scheduledAt,completedAt,followUp," +
		"followup," +
		"attributeOptionCombo,attributeCategoryOptions,assignedUser,geometry,dataValues[dataElement,value,providedElsewhere]"
)

// TrackedEntities reads tracked entities by uid, for what an update would otherwise reset; absent,
// deleted and inaccessible ones are not in the answer. With a program, its attributes and
// enrollments are there too; without, only what belongs to the tracked entity type.
func (c *Client) TrackedEntities(ctx context.Context, uids []string, program string) ([]TrackedEntity, error) {
	list, err := readByUID(ctx, c, "trackedEntities", "trackedEntity", entityFields+",enrollments["+enrollmentFields+"]",
		uids, nil, decodeEntity, entityUID)
	unread := &UnreadError{}
	if !unread.takes(err) {
		return nil, err
	}
	if program == "" || len(list) == 0 {
		return list, err
	}
	// Asked with a program the server leaves out who is not enrolled in it, so that question comes second.
	found := make([]string, len(list))
	for i := range list {
		found[i] = list[i].TrackedEntity
	}
	inside, err := readByUID(ctx, c, "trackedEntities", "trackedEntity",
		entityFields+",enrollments["+enrollmentFields+"]", found,
		url.Values{"program": {program}}, decodeEntity, entityUID)
	if !unread.takes(err) {
		return nil, err
	}
	for _, full := range inside {
		for i := range list {
			if list[i].TrackedEntity == full.TrackedEntity {
				list[i].Attributes = mergeAttributes(list[i].Attributes, full.Attributes)
				list[i].Enrollments = mergeEnrollments(list[i].Enrollments, full.Enrollments)
			}
		}
	}
	return list, unread.orNil()
}

// Enrollments reads enrollments by uid; absent, deleted and inaccessible ones are not in the answer.
func (c *Client) Enrollments(ctx context.Context, list []InProgram) ([]Enrollment, error) {
	return readInPrograms(ctx, c, list, "enrollments", "enrollment", enrollmentFields, decodeEnrollment,
		func(e Enrollment) string { return e.Enrollment })
}

// Events reads events by uid; absent, deleted and inaccessible ones are not in the answer.
func (c *Client) Events(ctx context.Context, list []InProgram) ([]Event, error) {
	return readInPrograms(ctx, c, list, "events", "event", eventFields, decodeEvent,
		func(e Event) string { return e.Event })
}

func entityUID(e TrackedEntity) string { return e.TrackedEntity }

// programsAsked is the version from which lists of events and enrollments are refused without a program, even by uid.
const programsAsked = 43

// readInPrograms reads events or enrollments, together where the server's version allows it and by
// program where it does not. An object whose program is not known is asked for alone there, which
// needs none.
func readInPrograms[T any](ctx context.Context, c *Client, list []InProgram, collection, singular, fields string,
	decode func(json.RawMessage) (T, error), uid func(T) string) ([]T, error) {
	_, minor, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	groups := map[string][]string{}
	for _, o := range list {
		program := o.Program
		if minor < programsAsked {
			program = ""
		}
		groups[program] = append(groups[program], o.UID)
	}
	var all []T
	unread := &UnreadError{}
	for _, program := range slices.Sorted(maps.Keys(groups)) {
		var more url.Values
		if program != "" {
			more = url.Values{"program": {program}}
		}
		some, err := readByUID(ctx, c, collection, singular, fields, groups[program], more, decode, uid)
		if !unread.takes(err) {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(uid(a), uid(b)) })
	return all, unread.orNil()
}

// readByUID reads objects in bulk and gives them in the order of their uids. Where a server refuses
// a list for the sake of one uid in it, it is halved until that one is alone; the error is an
// *UnreadError that names those, beside which the others are in the answer.
func readByUID[T any](ctx context.Context, c *Client, collection, singular, fields string, uids []string,
	more url.Values,
	decode func(json.RawMessage) (T, error), uid func(T) string) ([]T, error) {
	r := &reader{c: c, collection: collection, singular: singular, fields: fields, more: more}
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
	for chunk := range chunks(uids, readChunk) {
		if err := r.read(ctx, chunk); err != nil {
			return nil, err
		}
	}
	all := make([]T, 0, len(r.objects))
	for _, o := range r.objects {
		x, err := decode(o)
		if err != nil {
			return nil, c.brokenReply(&answer{status: http.StatusOK}, err)
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(uid(a), uid(b)) })
	return all, r.unread.orNil()
}

// reader reads one collection by uids.
type reader struct {
	c                            *Client
	collection, singular, fields string
	more                         url.Values
	objects                      []json.RawMessage
	unread                       UnreadError
}

// read asks for a list that fits into one address.
func (r *reader) read(ctx context.Context, uids []string) error {
	_, minor, err := r.c.Version(ctx)
	if err != nil {
		return err
	}
	var objects []json.RawMessage
	if minor >= programsAsked && r.collection != "trackedEntities" && r.more == nil {
		err = &Error{Kind: Refused, Status: http.StatusBadRequest,
			Problem: diag.Problem{Message: "a list needs a program"}} // not worth a request
	} else {
		objects, err = r.list(ctx, uids, minor)
	}
	var failed *Error
	switch {
	case err == nil:
		r.objects = append(r.objects, objects...)
		return nil
	case !errors.As(err, &failed) || failed.Kind != Refused:
		return err
	case failed.Status == http.StatusBadRequest && r.c.upgraded(ctx, minor):
		return r.read(ctx, uids)
	case len(uids) == 1:
		return r.alone(ctx, uids[0])
	}
	for _, half := range [][]string{uids[:len(uids)/2], uids[len(uids)/2:]} {
		if len(half) == 1 {
			err = r.alone(ctx, half[0])
		} else {
			err = r.read(ctx, half)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// alone reads one object at its own address, which works where a list does not.
func (r *reader) alone(ctx context.Context, uid string) error {
	object, err := r.c.one(ctx, "tracker/"+r.collection+"/"+url.PathEscape(uid), r.fields, r.more)
	var failed *Error
	if errors.As(err, &failed) && failed.Kind == Refused {
		r.unread.add(uid, failed)
		return nil
	}
	if object != nil {
		r.objects = append(r.objects, object)
	}
	return err
}

func (r *reader) list(ctx context.Context, uids []string, minor int) ([]json.RawMessage, error) {
	query := url.Values{"fields": {r.fields}, "pageSize": {strconv.Itoa(len(uids))}}
	for name, values := range r.more {
		query[name] = values
	}
	if minor >= 41 {
		query.Set(r.collection, join(uids, ","))
	} else {
		query.Set(r.singular, join(uids, ";"))
	}
	return r.c.listed(ctx, "tracker/"+r.collection, r.collection, query)
}

// one reads one object by its own address; nil when it is not there or not for us.
func (c *Client) one(ctx context.Context, path, fields string, more url.Values) (json.RawMessage, error) {
	query := url.Values{"fields": {fields}}
	for name, values := range more {
		query[name] = values
	}
	var object json.RawMessage
	err := c.patiently(ctx, func() error {
		a, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query})
		var failed *Error
		if errors.As(err, &failed) && failed.Kind == Forbidden {
			return nil
		}
		if err != nil {
			return err
		}
		if a.status == http.StatusNotFound || a.status == http.StatusConflict {
			return nil
		}
		object = a.body
		return c.refusal(a)
	})
	if err != nil {
		return nil, err
	}
	return object, nil
}

// listed reads a page of tracker objects: under "instances" to 2.40, under the collection's name later.
func (c *Client) listed(ctx context.Context, path, collection string, query url.Values) ([]json.RawMessage, error) {
	var page map[string]json.RawMessage
	if err := c.patiently(ctx, func() error { return c.Get(ctx, path, query, &page) }); err != nil {
		return nil, err
	}
	text, ok := page[collection]
	if !ok {
		text, ok = page["instances"]
	}
	var objects []json.RawMessage
	if !ok || json.Unmarshal(text, &objects) != nil {
		return nil, c.notDHIS2(http.StatusOK, "the answer is no list of "+collection, "")
	}
	return objects, nil
}

func decodeEntity(text json.RawMessage) (TrackedEntity, error) {
	var w struct {
		TrackedEntity
		Enrollments []json.RawMessage `json:"enrollments"`
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return TrackedEntity{}, err
	}
	for _, raw := range w.Enrollments {
		e, err := decodeEnrollment(raw)
		if err != nil {
			return TrackedEntity{}, err
		}
		w.TrackedEntity.Enrollments = append(w.TrackedEntity.Enrollments, e)
	}
	return w.TrackedEntity, nil
}

func decodeEnrollment(text json.RawMessage) (e Enrollment, err error) {
	err = json.Unmarshal(text, &e)
	return e, err
}

// decodeEvent reads what versions write differently: followup or followUp, options between ; or commas.
func decodeEvent(text json.RawMessage) (Event, error) {
	var w struct {
		Event
		Followup bool   `json:"followup"`
		FollowUp bool   `json:"followUp"`
		Options  string `json:"attributeCategoryOptions"`
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return Event{}, err
	}
	w.Event.FollowUp = w.FollowUp || w.Followup
	w.AttributeCategoryOptions = strings.FieldsFunc(w.Options, func(r rune) bool { return r == ';' || r == ',' })
	return w.Event, nil
}

func mergeAttributes(own, more []AttributeValue) []AttributeValue {
	for _, a := range more {
		if !slices.ContainsFunc(own, func(b AttributeValue) bool { return a.Attribute == b.Attribute }) {
			own = append(own, a)
		}
	}
	return own
}

func mergeEnrollments(own, more []Enrollment) []Enrollment {
	for _, e := range more {
		if !slices.ContainsFunc(own, func(f Enrollment) bool { return e.Enrollment == f.Enrollment }) {
			own = append(own, e)
		}
	}
	return own
}

// chunks cuts a list into parts of at most n.
func chunks(list []string, n int) func(yield func([]string) bool) { return slices.Chunk(list, n) }

func join(list []string, by string) string { return strings.Join(list, by) }
