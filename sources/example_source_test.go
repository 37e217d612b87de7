package sources_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
	"github.com/culvert/culvert/sources/tree"
)

// A kind of trigger of one's own is two types: the kind, which declares its keys, checks a trigger,
// reads its samples and makes the source; and the source, which hands records over until it is
// stopped. A kind is registered by one line in project.SourceKinds; `go test ./engine/project
// -update` then puts its keys into the schema of rule files and into docs/triggers.md.

// bellKind is the trigger bell: {name: morning, every: 1h}.
type bellKind struct{}

// Name is how rule files name the trigger.
func (bellKind) Name() string { return "bell" }

// Settings declares the keys: checks, completion, schema and reference come from here.
func (bellKind) Settings() settings.Spec {
	return settings.Spec{
		Name: "bell", Doc: "A record comes when the bell rings.", Example: "bell: {name: morning}",
		Fields: []settings.Field{
			{Name: "name", Required: true, Hint: "write name: morning", Doc: "which bell it is"},
			{Name: "every", Type: settings.Duration, Default: "1h", Least: time.Millisecond, Most: 24 * time.Hour,
				Doc: "how often it rings"},
		},
	}
}

// read makes sense of a trigger, and reports what is wrong with it at its place.
func (k bellKind) read(t *rules.Trigger, report func(diag.Diagnostic)) (name string, every time.Duration) {
	c, ok := t.Read(k.Settings(), report)
	if !ok {
		return "", 0
	}
	return c.Text("name"), c.Duration("every")
}

// Check reports what is wrong with a trigger.
func (k bellKind) Check(t *rules.Trigger, report func(diag.Diagnostic)) { k.read(t, report) }

// Sample decodes a sample file as a run would.
func (bellKind) Sample(_ *rules.Trigger, _ string, text []byte, limit int) ([]any, error) {
	return tree.Records(text, limit)
}

// New makes the source of all rules that use the kind. It touches nothing yet.
func (k bellKind) New(bound []sources.Bound, env sources.Env) (sources.Source, error) {
	s := &bell{log: env.Log}
	for _, b := range bound {
		if b.Invalid {
			continue // nothing is asked for while the rule has mistakes
		}
		name, every := k.read(b.Trigger, func(diag.Diagnostic) {})
		s.rules = append(s.rules, ringing{b.Rule, name, every})
	}
	return s, nil
}

// bell rings for its rules.
type bell struct {
	rules []ringing
	log   *slog.Logger
}

type ringing struct {
	rule, name string
	every      time.Duration
}

// Run hands records over until ctx ends. When Accept returns nil they are kept, the cursor with them.
func (s *bell) Run(ctx context.Context, sink sources.Sink) error {
	for _, r := range s.rules {
		record := sources.Record{Rule: r.rule, Received: time.Now(), Origin: sources.Origin{Trigger: "bell"},
			Body: map[string]any{"bell": r.name}}
		_, err := sink.Accept(ctx, sources.Batch{Records: []sources.Record{record},
			Cursor: &sources.Cursor{Name: "bell/" + r.rule, Value: "rung"}})
		if err != nil {
			return fmt.Errorf("hand over a record: %w", err)
		}
	}
	<-ctx.Done()
	return nil
}

// Example_addingASource checks a trigger with two mistakes, and runs one without.
func Example_addingASource() {
	trigger := func(text string) *rules.Trigger {
		var list diag.List
		return &rules.Trigger{Kind: "bell", Config: yamlnode.Parse("rules/a.yaml", []byte(text), &list).Root}
	}
	bellKind{}.Check(trigger("{nmae: morning, every: 2d}"), func(d diag.Diagnostic) {
		fmt.Println(d.Message+":", d.Hint)
	})
	source, err := bellKind{}.New([]sources.Bound{{Rule: "wake-up", Trigger: trigger("{name: morning}")}},
		sources.Env{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	sink, done := sourcetest.New(), make(chan error, 1)
	go func() { done <- source.Run(ctx, sink) }()
	<-sink.Took
	stop()
	fmt.Println(<-done, sink.Bodies(), sink.Cursors())
	// Output:
	// bell has no "nmae": did you mean "name"?
	// bell needs name: write name: morning
	// every "2d" is no length of time from 1ms to 24h: write every: 1h
	// <nil> [map[bell:morning]] map[bell/wake-up:rung]
}
