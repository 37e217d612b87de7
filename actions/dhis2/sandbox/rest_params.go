package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// paramKind is how the value of a parameter is read.
type paramKind uint8

const (
	aText    paramKind = iota // as it stands; given several times, joined with commas
	aUID                      // one uid
	someUIDs                  // uids with commas between them
	oldUIDs                   // uids with semicolons between them, as up to 2.41
	aNumber
	aFlag
	anEnum
	aTime
	anEnd // a time; a day counts to its end
	orders
)

// param is one parameter of a list with the versions that know it; 0 stands for the first and the last. What a version does not know it
// overlooks (DHIS2 EventRequestParams, EnrollmentRequestParams, TrackedEntityRequestParams of each version).
type param struct {
	name        string
	kind        paramKind
	values      []string // of an enum
	from, until manners
}

// bound are the parameters of a list as its version reads them.
type bound struct {
	text    map[string]string
	ids     map[string][]string
	numbers map[string]int
	flags   map[string]bool
	times   map[string]time.Time
	order   []sortKey
}

func (b *bound) has(name string) bool {
	if _, ok := b.text[name]; ok {
		return true
	}
	return len(b.ids[name]) > 0
}

// bind reads the parameters of a list. One that cannot be read refuses the request.
func (c *call) bind(declared ...[]param) (*bound, *problem) {
	b := &bound{text: map[string]string{}, ids: map[string][]string{}, numbers: map[string]int{}, flags: map[string]bool{}, times: map[string]time.Time{}}
	for _, group := range declared {
		for _, p := range group {
			given := c.query[p.name]
			if len(given) == 0 || c.manners < p.from || p.until != 0 && c.manners > p.until {
				continue
			}
			if wrong := c.bindOne(b, p, given); wrong != nil {
				return nil, wrong
			}
		}
	}
	return b, nil
}

func (c *call) bindOne(b *bound, p param, given []string) *problem {
	invalid := func(value, should string) *problem {
		return refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. %s", value, p.name, should)
	}
	all, first := strings.Join(given, ","), strings.TrimSpace(given[0])
	switch p.kind {
	case someUIDs, oldUIDs:
		return c.bindUIDs(b, p, all)
	case orders:
		return b.bindOrder(all, invalid)
	case aText:
		if first = all; first == "" {
			return nil
		}
	default:
		if first == "" {
			return nil
		}
	}
	switch p.kind {
	case aUID:
		if c.manners >= 41 && !validUID(first) {
			return c.notUID(first, p.name)
		}
	case aNumber:
		n, err := strconv.Atoi(first)
		if err != nil {
			return invalid(first, "It should be of type Integer")
		}
		b.numbers[p.name] = n
	case aFlag:
		f, ok := springBool(first)
		if !ok {
			return invalid(first, "It should be of type Boolean")
		}
		b.flags[p.name] = f
	case anEnum:
		if !slices.Contains(p.values, first) {
			return invalid(first, "Valid values are: ["+strings.Join(p.values, ", ")+"]")
		}
	case aTime, anEnd:
		t, ok := parseDate(first)
		if !ok {
			return invalid(first, "Invalid date format '"+first+"', only ISO format currently supported.")
		}
		if p.kind == anEnd && len(first) <= len(time.DateOnly) {
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		b.times[p.name] = t
	}
	b.text[p.name] = first
	return nil
}

func (c *call) bindUIDs(b *bound, p param, all string) *problem {
	separators := ","
	switch {
	case c.manners.plainLists():
		separators = ",;"
	case p.kind == oldUIDs:
		separators = ";"
	}
	items := strings.FieldsFunc(all, func(r rune) bool { return strings.ContainsRune(separators, r) })
	for _, id := range items {
		if c.manners >= 41 && !validUID(id) {
			return c.notUID(id, p.name)
		}
	}
	b.ids[p.name] = items
	return nil
}

// bindOrder reads field:direction, with commas between (DHIS2 OrderCriteria).
func (b *bound) bindOrder(all string, invalid func(value, should string) *problem) *problem {
	for _, part := range strings.Split(all, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		props := strings.Split(part, ":")
		direction := "asc"
		if len(props) == 2 {
			direction = strings.ToLower(strings.TrimSpace(props[1]))
		}
		field := strings.TrimSpace(props[0])
		if len(props) > 2 || field == "" || direction != "asc" && direction != "desc" {
			return invalid(part, "Valid formats are 'field:direction' or 'field'. Valid directions are 'asc' or 'desc'. Direction defaults to 'asc'.")
		}
		b.order = append(b.order, sortKey{field, direction == "desc"})
	}
	return nil
}

// either gives the parameter that replaced another, or that other; both at once are refused.
func (c *call) either(b *bound, name, old string) (string, *problem) {
	if b.has(name) && b.has(old) {
		return "", c.invalid("Only one parameter of '%s' and '%s' must be specified. Prefer '%s' as '%s' will be removed.", old, name, name, old)
	}
	if b.has(old) {
		return old, nil
	}
	return name, nil
}

// eitherIDs is either for lists of uids.
func (c *call) eitherIDs(b *bound, name, old string) ([]string, *problem) {
	name, p := c.either(b, name, old)
	if p != nil {
		return nil, p
	}
	return b.ids[name], nil
}

// checkOrder refuses orders that a list does not know, and the same one twice. uids stand for attributes or data elements.
func (c *call) checkOrder(b *bound, known map[string]bool, uids bool) *problem {
	seen := map[string]bool{}
	for _, k := range b.order {
		if !known[k.field] && (!uids || !validUID(k.field)) {
			return c.invalid("order parameter is invalid. Cannot order by '%s'.", k.field)
		}
		if seen[k.field] {
			return c.invalid("order parameter is invalid. '%s' are repeated.", k.field)
		}
		seen[k.field] = true
	}
	return nil
}

// checkWithin refuses a duration beside times, and one that is none.
func (c *call) checkWithin(b *bound) *problem {
	within, ok := b.text["updatedWithin"]
	if !ok {
		return nil
	}
	if b.has("updatedAfter") || b.has("updatedBefore") {
		return c.invalid("`updatedAfter` or `updatedBefore` and `updatedWithin` cannot be specified simultaneously")
	}
	d, err := duration(within)
	if err != nil {
		return c.invalid("`updatedWithin` is not valid: %s", within)
	}
	b.times["updatedAfter"] = c.now().Add(-d)
	return nil
}

// span gives the times between which something must have happened.
func (b *bound) span(name string) span {
	var s span
	if t, ok := b.times[name+"After"]; ok {
		s.after = &t
	}
	if t, ok := b.times[name+"Before"]; ok {
		s.before = &t
	}
	return s
}

// maxEntities is how many tracked entities a page may hold (KeyTrackedEntityMaxLimit).
const maxEntities = 50_000

// paging is which page is wanted; size 0 means all.
type paging struct {
	page, size int
	totals     bool
}

// paging checks what is said about pages.
func (c *call) paging(b *bound, entities bool) (paging, *problem) {
	m := c.manners
	page, hasPage := b.numbers["page"]
	size, hasSize := b.numbers["pageSize"]
	on, said := b.flags["paging"]
	skip, saidSkip := b.flags["skipPaging"]
	switch {
	case said && saidSkip && on == skip:
		return paging{}, c.invalid("Paging can either be enabled or disabled. Prefer 'paging' as 'skipPaging' will be removed.")
	case !said && saidSkip:
		on = !skip
	case !said:
		on = true
	}
	switch {
	case !on && m >= 41 && (hasPage || hasSize || b.flags["totalPages"]):
		return paging{}, c.invalid("Paging cannot be disabled with paging=false while also requesting a paginated response with page, pageSize and/or totalPages=true")
	case m >= 41 && hasPage && page < 1:
		return paging{}, c.invalid("page must be greater than or equal to 1 if specified")
	case m >= 41 && hasSize && size < 1:
		return paging{}, c.invalid("pageSize must be greater than or equal to 1 if specified")
	case m >= 41 && entities && size > maxEntities:
		return paging{}, c.invalid("Invalid page size: %d. It must not exceed the system limit of KeyTrackedEntityMaxLimit %d.", size, maxEntities)
	case !on:
		return paging{}, nil
	}
	if !hasPage || page < 1 {
		page = 1
	}
	if !hasSize || size < 1 {
		size = defaultPageSize
	}
	return paging{page, size, b.flags["totalPages"]}, nil
}

var pageParams = []param{{name: "page", kind: aNumber}, {name: "pageSize", kind: aNumber}, {name: "totalPages", kind: aFlag},
	{name: "paging", kind: aFlag, from: 41}, {name: "skipPaging", kind: aFlag, until: 41}, {name: "order", kind: orders},
	{name: "includeDeleted", kind: aFlag}, {name: "orgUnitMode", kind: anEnum, values: scopeModes, from: 41},
	{name: "ouMode", kind: anEnum, values: scopeModes, until: 41}, {name: "program", kind: aUID}, {name: "followUp", kind: aFlag},
	{name: "programStatus", kind: anEnum, values: enrollmentStatuses}, {name: "updatedAfter", kind: aTime}, {name: "updatedWithin", kind: aText}}

// sortKey is one part of an order parameter.
type sortKey struct {
	field string
	down  bool
}

// span is a time limit of a list: from a time on, up to a time, or over the last while.
type span struct{ after, before *time.Time }

func (s span) holds(t *time.Time) bool {
	if s.after == nil && s.before == nil {
		return true
	}
	return t != nil && (s.after == nil || !t.Before(*s.after)) && (s.before == nil || !t.After(*s.before))
}
