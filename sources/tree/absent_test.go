package tree

import "testing"

func TestReplyWithoutItsList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{}`: true, `{"total": 0}`: true, `{"meta": {"total_count": 0}}`: true, `{"pager": {"total": 0, "page": 1}}`: true,
		`{"resourceType": "Bundle", "type": "searchset"}`: true, `{"count": "0", "next": null}`: true, `null`: true,
		`{"error": "too fast"}`: false, `{"total": 3}`: false, `{"items": [1]}`: false, `[1]`: false, `"x"`: false,
	} {
		v, err := JSON([]byte(text), Limits{Depth: 9})
		if err != nil {
			t.Fatal(err)
		}
		if got := SaysNone(v); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	v, _ := JSON([]byte(`{"data": {"rows": null, "0712345678": 1}, "Amina 1994": {}, "next": "x"}`), Limits{Depth: 9})
	if got := Keys(v); got != `"data", "data.rows" and "next"` {
		t.Error(got)
	}
	if rows := WithoutNull(v).(map[string]any)["data"].(map[string]any)["rows"]; rows == nil {
		t.Error("null is not there any more")
	}
}
