package schedule

import (
	"errors"

	"github.com/culvert/culvert/sources/sourcetest"

	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "schedule", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func findings(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
			d.Message))
	})
	return got
}

// refuseFirst refuses the first batch.
func refuseFirst(batch int) error {
	if batch == 1 {
		return errors.New("the journal is gone")
	}
	return nil
}

func newSink() *sourcetest.Sink { return sourcetest.New() }

type listsFunc func(path string, query url.Values) (json.RawMessage, error)

func (f listsFunc) Get(_ context.Context, _, path string, query url.Values) (json.RawMessage, error) {
	return f(path, query)
}

func config(r Rule) Config {
	return Config{Rules: []Rule{r}, Log: slog.New(slog.DiscardHandler),
		Resolve: func(s string) (string, error) { return strings.ReplaceAll(s, "${KEY}", "s3cret"), nil }}
}

// runOnce runs a schedule until its first run is done.
func runOnce(t *testing.T, c Config, to *sourcetest.Sink) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(c).Run(ctx, to) }()
	<-to.Saved
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		panic(err)
	}
	return t
}
