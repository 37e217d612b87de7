package dhis2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/rules/diag"
)

const (
	nationalID = "IcYmkidyP9K"
	firstName  = "JMYmVp2S0Xl"
	lastName   = "ia1Xt23YTtD"
)

// fake is a DHIS2 that keeps what it is sent and refuses what DHIS2 refuses, for scenarios that
// need a hand inside the server.
type fake struct {
	mu                     sync.Mutex
	entities               map[string]client.TrackedEntity
	enrollments            map[string]client.Enrollment
	events                 map[string]client.Event
	values                 map[string]string
	completions            map[string]bool
	deleted                map[string]bool
	requests               []client.TrackerPayload
	finds                  int
	reserved, reservations int
	reads                  int
	groups                 []client.DataValueSet
	noReserve              error // what a reservation is answered
	// before is called with every tracker request; an error fails it as a whole.
	before func(p *client.TrackerPayload) error
	// entered is called with every tracker request before anything else.
	entered func()
	// beforeValues the same for data values.
	beforeValues func(s *client.DataValueSet) (*client.DataValueReport, error)
	// beforeRead is called with the uids that are asked for, beforeFind with the values; an error is the answer.
	beforeRead, beforeFind func(of []string) error
	// silent uids are written without being confirmed.
	silent map[string]bool
	// hidden people are outside of the user's search scope.
	hidden map[string]bool
}

func newFake() *fake {
	return &fake{
		entities: map[string]client.TrackedEntity{}, enrollments: map[string]client.Enrollment{},
		events: map[string]client.Event{},
		values: map[string]string{}, completions: map[string]bool{}, deleted: map[string]bool{}, silent: map[string]bool{},
		hidden: map[string]bool{},
	}
}

func (f *fake) Reserve(_ context.Context, q client.ReserveQuery) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noReserve != nil {
		return nil, f.noReserve
	}
	values := make([]string, q.Count)
	for i := range values {
		f.reserved++
		values[i] = fmt.Sprintf("%s%s-%d", q.Attribute[:3], q.OrgUnitCode, f.reserved)
	}
	f.reservations++
	return values, nil
}

func (f *fake) PlanOrgUnit(context.Context, client.OrgUnit) (*client.OrgUnitPlan, error) {
	return &client.OrgUnitPlan{}, nil
}

func (f *fake) ApplyOrgUnit(context.Context, *client.OrgUnitPlan) error { return nil }

func (f *fake) Transfer(context.Context, client.Transfer) error { return nil }

func (f *fake) SendValueFile(context.Context, client.ValueFile) error { return nil }

func (f *fake) LetIn(context.Context, client.TemporaryAccess) error { return nil }

func (f *fake) UploadFile(_ context.Context, u client.Upload) (string, error) { return u.UID, nil }

func (f *fake) MarkFollowUps(context.Context, []client.FollowUp) error { return nil }

func (f *fake) Ping(context.Context) error { return nil }

func (f *fake) ImportTracker(_ context.Context, p *client.TrackerPayload,
	o client.TrackerOptions) (*client.TrackerReport, error) {
	if f.entered != nil {
		f.entered()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, *p)
	if f.before != nil {
		if err := f.before(p); err != nil {
			return nil, err
		}
	}
	seen := map[client.ObjectKey]bool{}
	r := &client.TrackerReport{Status: "OK", Written: map[client.ObjectKey]bool{},
		Errors: map[client.ObjectKey][]client.Issue{}, Warnings: map[client.ObjectKey][]client.Issue{}}
	for _, k := range keysOf(p) {
		if seen[k] {
			return nil, &client.Error{Kind: client.Refused, Status: 500,
				Problem: diag.Problem{Message: "duplicate key"},
				Detail:  "the same object twice"}
		}
		seen[k] = true
	}
	if o.Delete {
		f.remove(p, r)
		return r, nil
	}
	fresh := map[string]bool{}
	for _, e := range p.TrackedEntities {
		k := client.ObjectKey{Type: client.TypeTrackedEntity, UID: e.TrackedEntity}
		if code, arg := f.judgeEntity(&e, p, o); code != "" {
			r.Errors[k] = []client.Issue{{Code: code, Message: code + " " + arg, Args: []string{arg}}}
			continue
		}
		fresh[e.TrackedEntity] = true
		if !o.Rehearse {
			f.entities[e.TrackedEntity] = mergeEntity(f.entities[e.TrackedEntity], e)
		}
		f.confirm(r, k)
	}
	for _, e := range p.Enrollments {
		k := client.ObjectKey{Type: client.TypeEnrollment, UID: e.Enrollment}
		if code, arg := f.judgeEnrollment(&e, r, fresh, o); code != "" {
			r.Errors[k] = []client.Issue{{Code: code, Message: code + " " + arg, Args: []string{arg}}}
			continue
		}
		fresh[e.Enrollment] = true
		if !o.Rehearse {
			if e.Status == "" {
				e.Status = "ACTIVE"
			}
			f.enrollments[e.Enrollment] = e
		}
		f.confirm(r, k)
	}
	for _, e := range p.Events {
		k := client.ObjectKey{Type: client.TypeEvent, UID: e.Event}
		if code, arg := f.judgeEvent(&e, r, fresh, o); code != "" {
			r.Errors[k] = []client.Issue{{Code: code, Message: code + " " + arg, Args: []string{arg}}}
			continue
		}
		if !o.Rehearse {
			if e.Status == "" {
				e.Status = "ACTIVE"
			}
			e.DataValues = mergeValues(f.events[e.Event].DataValues, e.DataValues)
			f.events[e.Event] = e
		}
		f.confirm(r, k)
	}
	for _, e := range p.Relationships {
		f.confirm(r, client.ObjectKey{Type: client.TypeRelationship, UID: e.Relationship})
	}
	return r, nil
}

func (f *fake) confirm(r *client.TrackerReport, k client.ObjectKey) {
	if !f.silent[k.UID] {
		r.Written[k] = true
	}
}

func keysOf(p *client.TrackerPayload) []client.ObjectKey {
	var list []client.ObjectKey
	for _, e := range p.TrackedEntities {
		list = append(list, client.ObjectKey{Type: client.TypeTrackedEntity, UID: e.TrackedEntity})
	}
	for _, e := range p.Enrollments {
		list = append(list, client.ObjectKey{Type: client.TypeEnrollment, UID: e.Enrollment})
	}
	for _, e := range p.Events {
		list = append(list, client.ObjectKey{Type: client.TypeEvent, UID: e.Event})
	}
	return list
}

func (f *fake) judgeEntity(e *client.TrackedEntity, p *client.TrackerPayload, o client.TrackerOptions) (code,
	arg string) {
	if f.deleted[e.TrackedEntity] {
		return "E1114", e.TrackedEntity
	}
	if _, there := f.entities[e.TrackedEntity]; there && o.CreateOnly {
		return "E1002", e.TrackedEntity
	}
	id := attribute(e.Attributes, nationalID)
	if id == "" {
		return "", ""
	}
	for uid, other := range f.entities {
		if uid != e.TrackedEntity && attribute(other.Attributes, nationalID) == id {
			return "E1064", nationalID
		}
	}
	for _, other := range p.TrackedEntities {
		if other.TrackedEntity != e.TrackedEntity && attribute(other.Attributes, nationalID) == id {
			return "E1064", nationalID
		}
	}
	return "", ""
}

func (f *fake) judgeEnrollment(e *client.Enrollment, r *client.TrackerReport, fresh map[string]bool,
	o client.TrackerOptions) (code, arg string) {
	if _, there := f.enrollments[e.Enrollment]; there && o.CreateOnly {
		return "E1080", e.Enrollment
	}
	if len(r.Errors[client.ObjectKey{Type: client.TypeTrackedEntity, UID: e.TrackedEntity}]) > 0 {
		return "E5000", e.TrackedEntity
	}
	if f.deleted[e.Enrollment] {
		return "E1113", e.Enrollment
	}
	if _, ok := f.entities[e.TrackedEntity]; !ok && !fresh[e.TrackedEntity] {
		return "E1068", e.TrackedEntity
	}
	for uid, other := range f.enrollments {
		if uid != e.Enrollment && other.TrackedEntity == e.TrackedEntity && other.Program == e.Program &&
			other.Status == "ACTIVE" {
			return "E1015", e.TrackedEntity
		}
	}
	return "", ""
}

func (f *fake) judgeEvent(e *client.Event, r *client.TrackerReport, fresh map[string]bool,
	o client.TrackerOptions) (code, arg string) {
	if _, there := f.events[e.Event]; there && o.CreateOnly {
		return "E1030", e.Event
	}
	if len(r.Errors[client.ObjectKey{Type: client.TypeEnrollment, UID: e.Enrollment}]) > 0 {
		return "E5000", e.Enrollment
	}
	if f.deleted[e.Event] {
		return "E1082", e.Event
	}
	if _, ok := f.enrollments[e.Enrollment]; !ok && !fresh[e.Enrollment] && e.Enrollment != "" {
		return "E1033", e.Enrollment
	}
	for _, v := range e.DataValues {
		if v.Value == "999" {
			return "E1302", v.DataElement
		}
	}
	return "", ""
}

func (f *fake) remove(p *client.TrackerPayload, r *client.TrackerReport) {
	for _, k := range keysOf(p) {
		if f.deleted[k.UID] {
			r.Errors[k] = []client.Issue{{Code: map[string]string{client.TypeTrackedEntity: "E1114",
				client.TypeEnrollment: "E1113", client.TypeEvent: "E1082"}[k.Type]}}
			continue
		}
		f.deleted[k.UID] = true
		delete(f.entities, k.UID)
		delete(f.enrollments, k.UID)
		delete(f.events, k.UID)
		r.Written[k] = true
	}
}

func attribute(list []client.AttributeValue, uid string) string {
	for _, v := range list {
		if v.Attribute == uid {
			return v.Value
		}
	}
	return ""
}

// mergeEntity does what DHIS2 does: attributes are merged, scalars replaced.
func mergeEntity(old, now client.TrackedEntity) client.TrackedEntity {
	values := map[string]string{}
	for _, v := range slices.Concat(old.Attributes, now.Attributes) {
		values[v.Attribute] = v.Value
	}
	now.Attributes = nil
	for _, uid := range slices.Sorted(maps.Keys(values)) {
		if values[uid] != "" {
			now.Attributes = append(now.Attributes, client.AttributeValue{Attribute: uid, Value: values[uid]})
		}
	}
	return now
}

func mergeValues(old, now []client.EventValue) []client.EventValue {
	values := map[string]string{}
	for _, v := range slices.Concat(old, now) {
		values[v.DataElement] = v.Value
	}
	var list []client.EventValue
	for _, uid := range slices.Sorted(maps.Keys(values)) {
		if values[uid] != "" {
			list = append(list, client.EventValue{DataElement: uid, Value: values[uid]})
		}
	}
	return list
}

func (f *fake) ImportDataValues(_ context.Context, s *client.DataValueSet,
	_ client.DataValueOptions) (*client.DataValueReport, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups = append(f.groups, *s)
	if f.beforeValues != nil {
		if r, err := f.beforeValues(s); r != nil || err != nil {
			return r, err
		}
	}
	for _, v := range s.Values {
		key := v.DataElement + "." + v.Period + "." + v.OrgUnit + "." + v.CategoryOptionCombo
		if v.Deleted {
			delete(f.values, key)
			continue
		}
		f.values[key] = v.Value
	}
	return &client.DataValueReport{Issues: map[int][]client.Issue{}, Updated: len(s.Values)}, nil
}

func (f *fake) Complete(_ context.Context, x client.Completion) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.completions[x.DataSet+"."+x.Period+"."+x.OrgUnit] = !x.Undo
	return nil
}
