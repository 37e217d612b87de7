package tree

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"github.com/culvert/culvert/rules/diag"
)

// counts are the names under which replies say how many there are.
var counts = []string{"total", "count", "totalCount", "total_count", "totalResults", "total_records", "totalElements",
	"totalItems", "recordsTotal", "matching_records", "numFound", "found", "size"}

// SaysNone tells whether a reply without the list that is looked for says itself that there is nothing: it is an empty
// object, it counts none, or it is a Bundle of FHIR, which leaves out a list without entries.
func SaysNone(reply any) bool {
	o, ok := reply.(map[string]any)
	if !ok {
		return reply == nil
	}
	if len(o) == 0 || o["resourceType"] == "Bundle" {
		return true
	}
	for _, in := range []string{"", "meta", "pager", "pagination", "page"} {
		at := o
		if in != "" {
			at, _ = o[in].(map[string]any)
		}
		for _, name := range counts {
			switch n := at[name].(type) {
			case float64:
				if n == 0 {
					return true
				}
			case json.Number:
				if n == "0" {
					return true
				}
			case string:
				if n == "0" {
					return true
				}
			}
		}
	}
	return false
}

// WithoutNull gives a copy of a reply in which an empty list stands for each null: what finds something in it finds a
// null in the reply itself.
func WithoutNull(v any) any {
	switch v := v.(type) {
	case nil:
		return []any{}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = WithoutNull(value)
		}
		return out
	}
	return v // what stands in lists is not looked for
}

// keyName is what a program calls a part of its replies; what people are called is none.
var keyName = regexp.MustCompile(`^[A-Za-z_@$][A-Za-z_.@-]{0,40}$`)

const mostKeys = 10

// Keys names what stands in a reply, two levels deep, for a message; "" where that is nothing that can be named.
func Keys(reply any) string {
	o, _ := reply.(map[string]any)
	var names []string
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if !keyName.MatchString(key) || len(names) == mostKeys {
			continue
		}
		names = append(names, key)
		inner, _ := o[key].(map[string]any)
		for _, within := range slices.Sorted(maps.Keys(inner)) {
			if keyName.MatchString(within) && len(names) < mostKeys {
				names = append(names, key+"."+within)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return diag.Names(names, "and")
}
