package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// readChunk is how many uids go into one address: about 1.5 KB of the 8 KB that servers take.
const readChunk = 100

const (
	entityFields     = "trackedEntity,trackedEntityType,orgUnit,inactive,potentialDuplicate,geometry,attributes[attribute,value]"
	enrollmentFields = "enrollment,trackedEntity,program,orgUnit,status,enrolledAt,occurredAt,completedAt,followUp,attributeOptionCombo,geometry"
	eventFields      = "event,program,programStage,enrollment,orgUnit,status,occurredAt,scheduledAt,completedAt,followUp,followup," +
		"attributeOptionCombo,attributeCategoryOptions,assignedUser,geometry,dataValues[dataElement,value,providedElsewhere]"
)

// TrackedEntities reads tracked entities by uid, for what an update would otherwise reset; absent, deleted and inaccessible ones are not
// in the answer. With a program, its attributes and enrollments are there too; without, only what belongs to the tracked entity type.
func (c *Client) TrackedEntities(ctx context.Context, uids []string, program string) ([]TrackedEntity, error) {
	list, err := readByUID(ctx, c, "trackedEntities", "trackedEntity", entityFields+",enrollments["+enrollmentFields+"]", uids, nil, decodeEntity, entityUID)
	if err != nil || program == "" || len(list) == 0 {
		return list, err
	}
	// Asked with a program the server leaves out who is not enrolled in it, so that question comes second.
	found := make([]string, len(list))
	for i := range list {
		found[i] = list[i].TrackedEntity
	}
	inside, err := readByUID(ctx, c, "trackedEntities", "trackedEntity", entityFields+",enrollments["+enrollmentFields+"]", found,
		url.Values{"program": {program}}, decodeEntity, entityUID)
	if err != nil {
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
	return list, nil
}

// Enrollments reads enrollments by uid; absent, deleted and inaccessible ones are not in the answer.
func (c *Client) Enrollments(ctx context.Context, uids []string) ([]Enrollment, error) {
	return readByUID(ctx, c, "enrollments", "enrollment", enrollmentFields, uids, nil, decodeEnrollment,
		func(e Enrollment) string { return e.Enrollment })
}

// Events reads events by uid; absent, deleted and inaccessible ones are not in the answer.
func (c *Client) Events(ctx context.Context, uids []string) ([]Event, error) {
	return readByUID(ctx, c, "events", "event", eventFields, uids, nil, decodeEvent, func(e Event) string { return e.Event })
}

func entityUID(e TrackedEntity) string { return e.TrackedEntity }

// readByUID reads objects in bulk and gives them in the order of their uids. Where a server refuses a list for the sake of one uid in it, they are read one by one.
func readByUID[T any](ctx context.Context, c *Client, collection, singular, fields string, uids []string, more url.Values,
	decode func(json.RawMessage) (T, error), uid func(T) string) ([]T, error) {
	_, minor, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	uids = slices.Compact(slices.Sorted(slices.Values(uids)))
	var all []T
	for chunk := range chunks(uids, readChunk) {
		query := url.Values{"fields": {fields}, "pageSize": {strconv.Itoa(len(chunk))}}
		for name, values := range more {
			query[name] = values
		}
		if minor >= 41 {
			query.Set(collection, join(chunk, ","))
		} else {
			query.Set(singular, join(chunk, ";"))
		}
		objects, err := c.listed(ctx, "tracker/"+collection, collection, query)
		var failed *Error
		if errors.As(err, &failed) && failed.Kind == Refused && len(more) == 0 {
			objects, err = c.oneByOne(ctx, "tracker/"+collection+"/", chunk, fields)
		}
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			x, err := decode(o)
			if err != nil {
				return nil, c.brokenReply(&answer{status: http.StatusOK}, err)
			}
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(a, b T) int { return strings.Compare(uid(a), uid(b)) })
	return all, nil
}

// listed reads a page of tracker objects: under "instances" to 2.40, under the collection's name later.
func (c *Client) listed(ctx context.Context, path, collection string, query url.Values) ([]json.RawMessage, error) {
	var page map[string]json.RawMessage
	if err := c.Get(ctx, path, query, &page); err != nil {
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

func (c *Client) oneByOne(ctx context.Context, path string, uids []string, fields string) ([]json.RawMessage, error) {
	var objects []json.RawMessage
	for _, uid := range uids {
		a, err := c.do(ctx, request{method: http.MethodGet, path: path + url.PathEscape(uid), query: url.Values{"fields": {fields}}})
		var failed *Error
		if errors.As(err, &failed) && failed.Kind == Forbidden {
			continue
		}
		if err != nil {
			return nil, err
		}
		if a.status == http.StatusNotFound || a.status == http.StatusConflict {
			continue
		}
		if err := c.refusal(a); err != nil {
			return nil, err
		}
		objects = append(objects, a.body)
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
