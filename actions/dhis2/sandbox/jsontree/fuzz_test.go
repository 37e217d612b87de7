package jsontree

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"{}", `{"a":[1,-2.5e3,"x\u00e9\n",true,false,null]}`, "[", `"\ud83d\ude00"`, "01", " 1 ",
		`{"a":1,"a":2}`, "nul", `{"a"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := Parse([]byte(text))
		if !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
			return // encoding/json fixes what is no UTF-8; an empty body is a matter of its own
		}
		if depth(text) > 200 {
			return
		}
		if json.Valid([]byte(text)) && err != nil {
			t.Errorf("%q is JSON: %v", text, err)
		}
		if err == nil && strings.IndexByte("{[", strings.TrimLeft(text, " \t\r\n")[0]) >= 0 {
			var v any // what follows the first value is not looked at, as Jackson does not
			if err := json.NewDecoder(strings.NewReader(text)).Decode(&v); err != nil {
				t.Errorf("%q was taken, but %v", text, err)
			}
		}
		if err == nil && root == nil {
			t.Errorf("%q: neither a value nor an error", text)
		}
	})
}

func depth(text string) int { return strings.Count(text, "[") + strings.Count(text, "{") }
