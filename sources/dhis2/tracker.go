package dhis2

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
)

// stamp is how times are written without a zone: both sides mean the server's.
const stamp = "2006-01-02T15:04:05.000"

// pluralNames is the version from which lists take orgUnits and orgUnitMode.
const pluralNames = 41

// tracker reads events or tracked entities: always the first page of what changed since the last
// object, so that nothing is passed over while others change.
func (p *pull) tracker(ctx context.Context, m *maker, n *named, about info, s state) error {
	since := ""
	reached := about.notAfter(s.At)
	// What is read again does not set the place back, or pulls that break off would go ever further back.
	behind := func(changed string) string {
		reached = max(reached, about.notAfter(changed))
		return reached
	}
	if !p.rule.Since.IsZero() {
		since = about.local(p.rule.Since, p.source.c.Now()).Format(stamp)
	}
	if at, err := time.Parse(stamp[:19], reached); err == nil {
		since = max(since, at.Add(-overlap).Format(stamp))
	}
	size, page := p.rule.Batch, 1
	seen := map[string]string{} // what was handed over of the time that is asked for again
	for {
		items, full, err := p.page(ctx, m, n, about.minor, since, size, page)
		if err != nil {
			return err
		}
		fresh := slices.DeleteFunc(slices.Clone(items), func(it item) bool { return seen[it.id] == it.changed })
		if err := p.handOver(ctx, fresh, s, behind); err != nil {
			return err
		}
		if !full {
			return nil
		}
		if page > 1 && len(fresh) == 0 {
			return &httpget.Error{Problem: diag.Problem{
				Message: "the server gives the same objects on each page, and does not come to an end",
				Hint:    "check whether a proxy before the server drops what the address asks for"}}
		}
		last := items[len(items)-1].changed
		for _, it := range items {
			seen[it.id] = it.changed
		}
		switch {
		case last > since && last > items[0].changed:
			since, size, page = last, p.rule.Batch, 1
			clear(seen)
			for _, it := range items {
				if it.changed == last {
					seen[it.id] = it.changed
				}
			}
		case size < mostOfOneTime: // all of one time: what follows is behind them
			size = min(2*size, mostOfOneTime)
		default:
			page++
		}
	}
}

// notAfter gives a time of a change, or the server's own where the change lies in the future: after a clock that
// was wrong for a while, it must not hide what changes until then.
func (i info) notAfter(changed string) string {
	if i.now != "" {
		return min(changed, i.now)
	}
	return changed
}

// page reads one page in the order of changes; full tells that there may be more.
func (p *pull) page(ctx context.Context, m *maker, n *named, minor int, since string, size, page int) (items []item,
	full bool, err error) {
	list, fields := "events", eventFields
	if p.rule.Read == readPeople {
		list, fields = "trackedEntities", entityFields
	}
	q := url.Values{"program": {n.program}, "fields": {fields}, "order": {"updatedAt:asc"},
		"pageSize": {strconv.Itoa(size)}, "page": {strconv.Itoa(page)}}
	if n.stage != "" {
		q.Set("programStage", n.stage)
	}
	if since != "" {
		q.Set("updatedAfter", since)
	}
	if p.rule.Deletions {
		q.Set("includeDeleted", "true")
	}
	unit, mode := "orgUnit", "ouMode"
	if minor >= pluralNames {
		mode = "orgUnitMode"
		if p.rule.Read == readPeople {
			unit = "orgUnits"
		}
	}
	switch {
	case n.orgUnit == "":
		q.Set(mode, "ACCESSIBLE")
	case p.rule.Here:
		q.Set(unit, n.orgUnit)
		q.Set(mode, "SELECTED")
	default:
		q.Set(unit, n.orgUnit)
		q.Set(mode, "DESCENDANTS")
	}
	text, err := p.source.c.Lists.Get(ctx, p.rule.Server, "tracker/"+list, q)
	if err != nil {
		return nil, false, fmt.Errorf("read %s: %w", p.rule.Read, err)
	}
	objects, ok := listOf(text, list)
	if !ok {
		return nil, false, strange("list of " + list)
	}
	for _, o := range objects {
		it, err := m.eventItem(o)
		if p.rule.Read == readPeople {
			it, err = m.entityItem(o, n.program)
		}
		if err != nil || it.id == "" || it.changed == "" {
			return nil, false, strange("list of " + list)
		}
		items = append(items, it)
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(a.changed, b.changed) })
	return items, len(objects) >= size, nil
}

// listOf gives the objects of a list: under "instances" up to 2.40, under its own name later.
func listOf(text []byte, name string) ([]json.RawMessage, bool) {
	var reply map[string]json.RawMessage
	if json.Unmarshal(text, &reply) != nil {
		return nil, false
	}
	list, ok := reply[name]
	if !ok {
		list, ok = reply["instances"]
	}
	var objects []json.RawMessage
	return objects, ok && json.Unmarshal(list, &objects) == nil
}
