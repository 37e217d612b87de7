package fields

import "testing"

func FuzzFields(f *testing.F) {
	for _, s := range []string{"*", "id,name[a,b[c]],!d", ":all,!x", "a~rename(b)~size", "a::size", "a.b.c", "a[b", "]",
		"a~paging(1;2)", "a|size", "a[*,!b]", "!a[b]"} {
		f.Add(s)
	}
	o := object{"id": "x", "a": []any{object{"id": "y", "b": 1}}, "b": object{"id": "z"}}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Parse([]string{text})
		if err == nil {
			Project(o, set, Plain{})
		}
	})
}
