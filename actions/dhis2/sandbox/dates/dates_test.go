package dates

import (
	"testing"
	"time"
)

func TestParseEpoch(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1772445600000": time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC), "1772445600123": time.UnixMilli(1772445600123).UTC(),
		"20260302": {}, "2026": {}, "-1772445600000": {}, "1772445600000.5": {}, "99999999999999999999": {}, "": {},
	} {
		if got, ok := ParseEpoch(text); ok == want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}
