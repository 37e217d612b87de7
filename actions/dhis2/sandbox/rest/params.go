package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/dates"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

// paramKind is how the value of a parameter is read.
type paramKind uint8

const (
	Text    paramKind = iota // as it stands; given several times, joined with commas
	UID                      // one uid
	UIDs                     // uids with commas between them
	OldUIDs                  // uids with semicolons between them, as up to 2.41
	Number
	Flag
	Enum
	Time
	End // a time; a day counts to its end
	Order
)

// Param is one parameter of a list with the versions that know it; 0 stands for the first and the
// last. What a version does not know it overlooks (DHIS2 EventRequestParams,
// EnrollmentRequestParams, TrackedEntityRequestParams of each version).
type Param struct {
	Name        string
	Kind        paramKind
	Values      []string // of an enum
	From, Until version.Profile
}

// Bound are the parameters of a list as its version reads them.
type Bound struct {
	Text    map[string]string
	IDs     map[string][]string
	Numbers map[string]int
	Flags   map[string]bool
	Times   map[string]time.Time
	Order   []SortKey
}

func (b *Bound) Has(name string) bool {
	if _, ok := b.Text[name]; ok {
		return true
	}
	return len(b.IDs[name]) > 0
}

// Bind reads the parameters of a list. One that cannot be read refuses the request.
func (c *Call) Bind(declared ...[]Param) (*Bound, *Problem) {
	b := &Bound{Text: map[string]string{}, IDs: map[string][]string{}, Numbers: map[string]int{},
		Flags: map[string]bool{}, Times: map[string]time.Time{}}
	for _, group := range declared {
		for _, p := range group {
			given := c.Query[p.Name]
			if len(given) == 0 || c.Version < p.From || p.Until != 0 && c.Version > p.Until {
				continue
			}
			if wrong := c.bindOne(b, p, given); wrong != nil {
				return nil, wrong
			}
		}
	}
	return b, nil
}

func (c *Call) bindOne(b *Bound, p Param, given []string) *Problem {
	invalid := func(value, should string) *Problem {
		return Refuse(http.StatusBadRequest, "", "Value '%s' is not valid for parameter %s. %s", value, p.Name, should)
	}
	all, first := strings.Join(given, ","), strings.TrimSpace(given[0])
	switch p.Kind {
	case UIDs, OldUIDs:
		return c.bindUIDs(b, p, all)
	case Order:
		return b.bindOrder(all, invalid)
	case Text:
		if first = all; first == "" {
			return nil
		}
	default:
		if first == "" {
			return nil
		}
	}
	switch p.Kind {
	case UID:
		if c.Version >= 41 && !ids.Valid(first) {
			return c.notUID(first, p.Name)
		}
	case Number:
		n, err := strconv.Atoi(first)
		if err != nil {
			return invalid(first, "It should be of type Integer")
		}
		b.Numbers[p.Name] = n
	case Flag:
		f, ok := ParseFlag(first)
		if !ok {
			return invalid(first, "It should be of type Boolean")
		}
		b.Flags[p.Name] = f
	case Enum:
		known, ok := OneOf(p.Values, first)
		if !ok {
			return invalid(first, "Valid values are: ["+strings.Join(p.Values, ", ")+"]")
		}
		first = known
	case Time, End:
		t, ok := dates.Parse(first)
		if !ok {
			return invalid(first, "Invalid date format '"+first+"', only ISO format currently supported.")
		}
		if p.Kind == End && len(first) <= len(time.DateOnly) {
			t = t.AddDate(0, 0, 1).Add(-time.Millisecond)
		}
		b.Times[p.Name] = t
	}
	b.Text[p.Name] = first
	return nil
}

// OneOf finds a value among those of an enum, in whatever case it is written (CrudControllerAdvice).
func OneOf(values []string, text string) (string, bool) {
	at := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, text) })
	if at < 0 {
		return "", false
	}
	return values[at], true
}

func (c *Call) bindUIDs(b *Bound, p Param, all string) *Problem {
	separators := ","
	switch {
	case c.Version.PlainLists():
		separators = ",;"
	case p.Kind == OldUIDs:
		separators = ";"
	}
	items := strings.FieldsFunc(all, func(r rune) bool { return strings.ContainsRune(separators, r) })
	for _, id := range items {
		if c.Version >= 41 && !ids.Valid(id) {
			return c.notUID(id, p.Name)
		}
	}
	b.IDs[p.Name] = items
	return nil
}

// bindOrder reads field:direction, with commas between (DHIS2 OrderCriteria).
func (b *Bound) bindOrder(all string, invalid func(value, should string) *Problem) *Problem {
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
			return invalid(part, "Valid formats are 'field:direction' or 'field'. Valid directions are 'asc' or 'desc'. "+
				"Direction defaults to 'asc'.")
		}
		b.Order = append(b.Order, SortKey{field, direction == "desc"})
	}
	return nil
}

// Either gives the parameter that replaced another, or that other; both at once are refused.
func (c *Call) Either(b *Bound, name, old string) (string, *Problem) {
	if b.Has(name) && b.Has(old) {
		return "", c.Invalid("Only one parameter of '%s' and '%s' must be specified. Prefer '%s' as '%s' will be removed.",
			old, name, name, old)
	}
	if b.Has(old) {
		return old, nil
	}
	return name, nil
}

// EitherIDs is either for lists of uids.
func (c *Call) EitherIDs(b *Bound, name, old string) ([]string, *Problem) {
	name, p := c.Either(b, name, old)
	if p != nil {
		return nil, p
	}
	return b.IDs[name], nil
}

// CheckOrder refuses orders that a list does not know, and the same one twice. uids stand for
// attributes or data elements.
func (c *Call) CheckOrder(b *Bound, known map[string]bool, uids bool) *Problem {
	seen := map[string]bool{}
	for _, k := range b.Order {
		if !known[k.Field] && (!uids || !ids.Valid(k.Field)) {
			return c.Invalid("order parameter is invalid. Cannot order by '%s'.", k.Field)
		}
		if seen[k.Field] {
			return c.Invalid("order parameter is invalid. '%s' are repeated.", k.Field)
		}
		seen[k.Field] = true
	}
	return nil
}

// CheckWithin refuses a duration beside times, and one that is none.
func (c *Call) CheckWithin(b *Bound) *Problem {
	within, ok := b.Text["updatedWithin"]
	if !ok {
		return nil
	}
	if b.Has("updatedAfter") || b.Has("updatedBefore") {
		return c.Invalid("`updatedAfter` or `updatedBefore` and `updatedWithin` cannot be specified simultaneously")
	}
	d, err := dates.ParseDuration(within)
	if err != nil {
		return c.Invalid("`updatedWithin` is not valid: %s", within)
	}
	b.Times["updatedAfter"] = c.Now().Add(-d)
	return nil
}

// Span gives the times between which something must have happened.
func (b *Bound) Span(name string) Span {
	var s Span
	if t, ok := b.Times[name+"After"]; ok {
		s.After = &t
	}
	if t, ok := b.Times[name+"Before"]; ok {
		s.Before = &t
	}
	return s
}

// maxEntities is how many tracked entities a page may hold (KeyTrackedEntityMaxLimit).
const maxEntities = 50_000

// Paging is which page is wanted; size 0 means all.
type Paging struct {
	Page, Size int
	Totals     bool
}

// Paging checks what is said about pages.
func (c *Call) Paging(b *Bound, entities bool) (Paging, *Problem) {
	m := c.Version
	page, hasPage := b.Numbers["page"]
	size, hasSize := b.Numbers["pageSize"]
	on, said := b.Flags["paging"]
	skip, saidSkip := b.Flags["skipPaging"]
	switch {
	case said && saidSkip && on == skip:
		return Paging{}, c.Invalid("Paging can either be enabled or disabled. Prefer 'paging' as 'skipPaging' will be " +
			"removed.")
	case !said && saidSkip:
		on = !skip
	case !said:
		on = true
	}
	switch {
	case !on && m >= 41 && (hasPage || hasSize || b.Flags["totalPages"]):
		return Paging{}, c.Invalid("Paging cannot be disabled with paging=false while also requesting a paginated " +
			"response with page, pageSize and/or totalPages=true")
	case m >= 41 && hasPage && page < 1:
		return Paging{}, c.Invalid("page must be greater than or equal to 1 if specified")
	case m >= 41 && hasSize && size < 1:
		return Paging{}, c.Invalid("pageSize must be greater than or equal to 1 if specified")
	case m >= 41 && entities && size > maxEntities:
		return Paging{}, c.Invalid("Invalid page size: %d. It must not exceed the system limit of "+
			"KeyTrackedEntityMaxLimit %d.", size, maxEntities)
	case !on:
		return Paging{}, nil
	}
	if !hasPage || page < 1 {
		page = 1
	}
	if !hasSize || size < 1 {
		size = DefaultPageSize
	}
	return Paging{page, size, b.Flags["totalPages"]}, nil
}

// SortKey is one part of an order parameter.
type SortKey struct {
	Field string
	Down  bool
}

// Span is a time limit of a list: from a time on, up to a time, or over the last while.
type Span struct{ After, Before *time.Time }

func (s Span) Holds(t *time.Time) bool {
	if s.After == nil && s.Before == nil {
		return true
	}
	return t != nil && (s.After == nil || !t.Before(*s.After)) && (s.Before == nil || !t.After(*s.Before))
}
