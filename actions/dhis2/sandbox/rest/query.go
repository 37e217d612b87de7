package rest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
)

// ParseQuery reads a query as servlets do: only & separates, so that a ; may stand in a value.
func ParseQuery(raw string) url.Values {
	out := url.Values{}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		out.Add(plain(name), plain(value))
	}
	return out
}

func plain(s string) string {
	if out, err := url.QueryUnescape(s); err == nil {
		return out
	}
	return s
}

// QueryInOrder splits a query into names and values as they stand.
func QueryInOrder(raw string) [][2]string {
	var out [][2]string
	for _, part := range strings.Split(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 == nil && err2 == nil {
			out = append(out, [2]string{n, v})
		}
	}
	return out
}

// ParseFlag reads a boolean parameter as DHIS2's framework does.
func ParseFlag(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "1":
		return true, true
	case "false", "off", "no", "0":
		return false, true
	}
	return false, false
}

func IsTrue(s string) bool {
	f, ok := ParseFlag(s)
	return ok && f
}

func (c *Call) ListOf(name string) []string {
	var out []string
	for _, v := range c.Query[name] {
		out = append(out, strings.FieldsFunc(v, func(r rune) bool { return r == ',' })...)
	}
	return out
}

// Fields reads the fields parameter, or takes what is usual when there is none.
func (c *Call) Fields(usual string) (*fields.Set, bool) {
	params := c.Query["fields"]
	if len(params) == 0 || strings.Join(params, "") == "" {
		params = []string{usual}
	}
	set, err := fields.Parse(params)
	if err != nil {
		c.Refused(Refuse(http.StatusBadRequest, "E1003", "%s", err.Error()))
		return nil, false
	}
	return set, true
}

const DefaultPageSize = 50

// Positive reads a whole number above zero from a parameter.
func Positive(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

// AttributeCombo gives the option combo of a category combo and options; both or none must be given.
func (c *Call) AttributeCombo(combo string, options []string) (string, *Problem) {
	cat := c.Catalog
	switch {
	case combo == "" && len(options) == 0:
		return "", nil
	case combo == "" || len(options) == 0:
		return "", Conflicting("E2040", "Both category combination and category options must be specified")
	case cat.ByID[combo].Kind != catalog.KindCombo:
		return "", Conflicting("E1110", "Category combo not found or not accessible: `%s`", combo)
	}
	for _, o := range options {
		if cat.CatOptions[o] == nil {
			return "", Conflicting("E1111", "Category option not found or not accessible: `%s`", o)
		}
	}
	if oc := cat.ComboOf(combo, options); oc != nil {
		return oc.UID, nil
	}
	return "", Conflicting("E2041", "Attribute option combo does not exist for given category combo and category options")
}

func Conflicting(code, format string, args ...any) *Problem {
	return Refuse(http.StatusConflict, code, format, args...)
}
