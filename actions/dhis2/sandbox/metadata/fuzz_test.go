package metadata

import (
	"encoding/json"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/sandbox/fields"
	"github.com/culvert/culvert/actions/dhis2/sandbox/version"
)

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"code:eq:x", "a.b:in:[1,2]", "a:!null", "a:notIn:[x]", ":", "a:like", "a:$ilike:x",
		"b:gt:1"} {
		f.Add(s)
	}
	o := object{"code": "x", "a": []any{object{"b": 1}}, "b": json.Number("2")}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range []version.Profile{40, 42} {
			if c, p := parseFilter(m, text); p == nil {
				c.Matches(o, fields.Plain{})
			}
		}
	})
}
