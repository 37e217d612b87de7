package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// parseQuery reads a query as servlets do: only & separates, so that a ; may stand in a value.
func parseQuery(raw string) url.Values {
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

// queryInOrder splits a query into names and values as they stand.
func queryInOrder(raw string) [][2]string {
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

// springBool reads a boolean parameter as DHIS2's framework does.
func springBool(s string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "yes", "1":
		return true, true
	case "false", "off", "no", "0":
		return false, true
	}
	return false, false
}

func springTrue(s string) bool {
	f, ok := springBool(s)
	return ok && f
}

func (c *call) listOf(name string) []string {
	var out []string
	for _, v := range c.query[name] {
		out = append(out, strings.FieldsFunc(v, func(r rune) bool { return r == ',' })...)
	}
	return out
}

// fields reads the fields parameter, or takes what is usual when there is none.
func (c *call) fields(usual string) (*fieldSet, bool) {
	params := c.query["fields"]
	if len(params) == 0 || strings.Join(params, "") == "" {
		params = []string{usual}
	}
	set, err := parseFields(params)
	if err != nil {
		c.refused(refuse(http.StatusBadRequest, "E1003", "%s", err.Error()))
		return nil, false
	}
	return set, true
}

const defaultPageSize = 50

// positive reads a whole number above zero from a parameter.
func positive(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

// attributeCombo gives the option combo of a category combo and options; both or none must be given.
func (c *call) attributeCombo(combo string, options []string) (string, *problem) {
	cat := c.catalog
	switch {
	case combo == "" && len(options) == 0:
		return "", nil
	case combo == "" || len(options) == 0:
		return "", conflicting("E2040", "Both category combination and category options must be specified")
	case cat.byID[combo].kind != kindCombo:
		return "", conflicting("E1110", "Category combo not found or not accessible: `%s`", combo)
	}
	for _, o := range options {
		if cat.catOptions[o] == nil {
			return "", conflicting("E1111", "Category option not found or not accessible: `%s`", o)
		}
	}
	if oc := cat.comboOf(combo, options); oc != nil {
		return oc.uid, nil
	}
	return "", conflicting("E2041", "Attribute option combo does not exist for given category combo and category options")
}

func conflicting(code, format string, args ...any) *problem {
	return refuse(http.StatusConflict, code, format, args...)
}
