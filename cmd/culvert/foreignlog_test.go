package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// TestForeignLog holds that what libraries log is a line like others, without what a server sent.
func TestForeignLog(t *testing.T) {
	var b bytes.Buffer
	w := foreignLines{slog.New(slog.NewJSONHandler(&b, nil))}
	for _, line := range []string{"Unsolicited response received on idle HTTP channel starting with \"Fatou\"; err=<nil>\n",
		"http: panic serving: x\n" + strings.Repeat("stack\n", 10_000)} {
		b.Reset()
		if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%d of %d bytes: %v", n, len(line), err)
		}
		var one struct{ Text string }
		if err := json.Unmarshal(b.Bytes(), &one); err != nil || one.Text == "" || strings.Contains(one.Text, "Fatou") ||
			b.Len() > 6000 {
			t.Errorf("%d bytes: %.200s", b.Len(), b.String())
		}
	}
}
