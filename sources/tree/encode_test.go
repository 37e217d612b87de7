package tree

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

// form is as large as the forms of a clinic are.
var form = map[string]any{
	"id": "8d1f", "received_on": "2026-03-01T09:12:45.120000Z", "form": map[string]any{
		"@name": "ANC visit", "visit_date": "2026-03-01", "weight": 61.5, "danger signs": nil, "refer": true,
		"case": map[string]any{"@case_id": "c1", "update": map[string]any{"last_visit": "2026-03-01",
			"risk": "high & rising"}},
		"meds": []any{"iron", "folate"}, "remarks": "seen \"early\"\n<ok> \u2028 é",
	},
}

func TestAppendJSON(t *testing.T) {
	for name, v := range map[string]any{
		"a form": form, "nothing": nil, "no object": map[string]any(nil), "no list": []any(nil), "empty": map[string]any{},
		"an empty list": []any{},
		"numbers": []any{0.0, math.Copysign(0, -1), 1.0, -1.5, 1e20, 1e21, 1e-6, 1e-7, 1.5e-9, -2e-10, 1e100,
			123456789.125, math.MaxFloat64, math.SmallestNonzeroFloat64},
		"texts": []any{"", "\x00\x01\b\f\n\r\t\x1f\x7f", `"\/`, "<a&b>", "\u2028\u2029", "bad \xff utf",
			"\xed\xa0\x80", "Ünïcode 漢字 🙂", "\ufffd"},
		"other types": map[string]any{"int": 7, "time": time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
			"number": json.Number("12345678901234567890"), "bytes": []byte("x")},
		"names to sort": map[string]any{"b": 1.0, "a": 2.0, "B": 3.0, "": 4.0, "é": 5.0, "a<b": 6.0},
	} {
		same(t, name, v)
	}
	for name, v := range map[string]any{"not a number": math.NaN(), "endless": map[string]any{"a": []any{math.Inf(1)}},
		"a channel": make(chan int)} {
		if out, err := AppendJSON(nil, v); err == nil {
			t.Errorf("%s was written as %s", name, out)
		}
	}
}

// same compares with encoding/json.
func same(t *testing.T, name string, v any) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := AppendJSON([]byte("before"), v)
	if err != nil || string(got) != "before"+string(want) {
		t.Errorf("%s:\n got %s, %v\nwant before%s", name, got, err, want)
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5e-9, "x<y", null, true, {"é": "\u2028"}]}`))
	f.Add([]byte("{\"a\": \"\xff\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := JSON(text, Limits{Depth: 32})
		if err != nil {
			return
		}
		same(t, string(text), v)
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := AppendJSON(nil, form); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(form); err != nil {
				b.Fatal(err)
			}
		}
	})
}
