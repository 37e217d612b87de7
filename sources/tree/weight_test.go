package tree

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// TestWeight compares what bodies are thought to take with what they do take: a limit of memory
// must hold whatever a body is made of.
func TestWeight(t *testing.T) {
	for name, text := range map[string]string{
		"empty objects":   "[" + strings.Repeat("{},", 200_000) + "{}]",
		"empty lists":     "[" + strings.Repeat("[],", 200_000) + "[]]",
		"zeros":           "[" + strings.Repeat("0,", 200_000) + "0]",
		"texts":           "[" + strings.Repeat(`"ab",`, 200_000) + `""]`,
		"one-key objects": "[" + strings.Repeat(`{"a":1},`, 100_000) + "{}]",
		"records": "[" + strings.Repeat(`{"name":"Amina","facility":"TML-001","visit_date":"2026-01-01",`+
			`"weight":61.5,"kept":true,"group":{"bp":"120/70","signs":["a","b"]}},`, 20_000) + "{}]",
		"keys": "{" + strings.Repeat(`"%d":"",`, 100_000) + `"z":0}`,
	} {
		if name == "keys" {
			numbers := make([]any, 100_000)
			for i := range numbers {
				numbers[i] = i
			}
			text = fmt.Sprintf(text, numbers...)
		}
		var weight int64
		limits := Limits{Room: func(bytes int64) bool { weight = bytes; return true }}
		used := heapOf(func() any { v, err := JSON([]byte(text), limits); mustBe(t, err); return v })
		t.Logf("%s: thought %d, took %d, %d a byte of text", name, weight, used, used/int64(len(text)))
		if weight*2 < used {
			t.Errorf("%s: thought to take %d bytes, took %d", name, weight, used)
		}
	}
	for name, text := range map[string]string{
		"elements":   "<a>" + strings.Repeat("<b/>", 100_000) + "</a>",
		"nested":     "<a>" + strings.Repeat("<b><c>1</c></b>", 50_000) + "</a>",
		"attributes": "<a>" + strings.Repeat(`<b c="" d="1"/>`, 50_000) + "</a>",
	} {
		var weight int64
		limits := Limits{Room: func(bytes int64) bool { weight = bytes; return true }}
		used := heapOf(func() any { v, err := XML([]byte(text), limits); mustBe(t, err); return v })
		t.Logf("%s: thought %d, took %d, %d a byte of text", name, weight, used, used/int64(len(text)))
		if weight*2 < used {
			t.Errorf("%s: thought to take %d bytes, took %d", name, weight, used)
		}
	}
}

func mustBe(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// heapOf tells how many bytes stay in use after do, which gives what it made.
func heapOf(do func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := do()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(v)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func TestMemoryLimit(t *testing.T) {
	text := []byte("[" + strings.Repeat("{},", 100_000) + "{}]")
	var bad *diag.Problem
	if _, err := JSON(text, Limits{Memory: 1 << 20}); !errors.As(err, &bad) ||
		!strings.Contains(bad.Message, "more values") {
		t.Errorf("too many values: %v", err)
	}
	if _, err := JSON(text, Limits{Room: func(int64) bool { return false }}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("no room: %v", err)
	}
	if _, err := XML([]byte("<a>"+strings.Repeat("<b/>", 100_000)+"</a>"), Limits{Memory: 1 << 20}); !errors.As(err,
		&bad) {
		t.Errorf("too many elements: %v", err)
	}
	if _, err := JSON([]byte(`{"id": 1}`), Limits{Memory: 1 << 20}); err != nil {
		t.Errorf("an ordinary body: %v", err)
	}
}
