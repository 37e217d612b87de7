package client

import (
	"context"
	"encoding/json"
	"net/url"
)

// EventsOf reads the events of tracked entities in a program, by the uid of the tracked entity; who
// is not enrolled in it, is deleted or cannot be seen is not in the answer. The error is an
// *UnreadError where the server refuses some, an *Error where it refuses all.
func (c *Client) EventsOf(ctx context.Context, people []string, program string) (map[string][]Event, error) {
	type person struct {
		uid    string
		events []Event
	}
	decode := func(text json.RawMessage) (person, error) {
		var w struct {
			TrackedEntity string `json:"trackedEntity"`
			Enrollments   []struct {
				Program string            `json:"program"`
				Events  []json.RawMessage `json:"events"`
			} `json:"enrollments"`
		}
		if err := json.Unmarshal(text, &w); err != nil {
			return person{}, err
		}
		p := person{uid: w.TrackedEntity}
		for _, e := range w.Enrollments {
			for _, raw := range e.Events {
				event, err := decodeEvent(raw)
				if err != nil {
					return person{}, err
				}
				if e.Program == program || event.Program == program {
					p.events = append(p.events, event)
				}
			}
		}
		return p, nil
	}
	list, err := readByUID(ctx, c, "trackedEntities", "trackedEntity",
		"trackedEntity,enrollments[enrollment,program,events["+eventFields+"]]", people,
		url.Values{"program": {program}}, decode, func(p person) string { return p.uid })
	unread := &UnreadError{}
	if !unread.takes(err) {
		return nil, err
	}
	found := map[string][]Event{}
	for _, p := range list {
		found[p.uid] = p.events
	}
	return found, unread.orNil()
}
