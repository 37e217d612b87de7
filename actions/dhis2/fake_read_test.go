package dhis2

import (
	"context"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
)

func (f *fake) EventsOf(context.Context, []string, string) (map[string][]client.Event, error) {
	return nil, nil
}

func (f *fake) FindTrackedEntities(_ context.Context, q client.FindQuery) ([]client.Found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.finds++
	if f.beforeFind != nil {
		if err := f.beforeFind(q.Values); err != nil {
			return nil, err
		}
	}
	var list []client.Found
	for uid, e := range f.entities {
		if v := attribute(e.Attributes, q.Attribute); v != "" && !f.hidden[uid] &&
			slices.ContainsFunc(q.Values, func(asked string) bool {
				return asked == v || q.AnyCase && strings.EqualFold(strings.TrimSpace(asked), strings.TrimSpace(v))
			}) {
			list = append(list, client.Found{TrackedEntity: uid, OrgUnit: e.OrgUnit, Value: v,
				Enrollments: f.enrollmentsOf(uid), Attributes: e.Attributes})
		}
	}
	return list, nil
}

func (f *fake) enrollmentsOf(uid string) []client.Enrollment {
	var list []client.Enrollment
	for _, e := range f.enrollments {
		if e.TrackedEntity == uid {
			list = append(list, e)
		}
	}
	return list
}

func (f *fake) TrackedEntities(_ context.Context, uids []string, _ string) ([]client.TrackedEntity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	if f.beforeRead != nil {
		if err := f.beforeRead(uids); err != nil {
			return nil, err
		}
	}
	var list []client.TrackedEntity
	for _, uid := range uids {
		if e, ok := f.entities[uid]; ok {
			e.Enrollments = f.enrollmentsOf(uid)
			list = append(list, e)
		}
	}
	return list, nil
}

func (f *fake) Enrollments(_ context.Context, asked []client.InProgram) ([]client.Enrollment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	var list []client.Enrollment
	for _, a := range asked {
		if e, ok := f.enrollments[a.UID]; ok && a.Program == e.Program { // from 2.43 on nothing is found without its program
			list = append(list, e)
		}
	}
	return list, nil
}

func (f *fake) Events(_ context.Context, asked []client.InProgram) ([]client.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	var list []client.Event
	for _, a := range asked {
		if e, ok := f.events[a.UID]; ok && a.Program == e.Program { // from 2.43 on nothing is found without its program
			list = append(list, e)
		}
	}
	return list, nil
}
