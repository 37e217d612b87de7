package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/language"
)

// Condition is something that is not well, or was not.
type Condition struct {
	Kind    string    `json:"kind"`           // failed, away, credentials, held, paused, silent and so on
	Subject string    `json:"subject"`        // the rule, server or file
	Text    string    `json:"text"`           // a sentence without personal data
	Level   int       `json:"level"`          // how bad: it is told again when this grows
	Since   time.Time `json:"since,omitzero"` // zero where that is not known
}

func (c Condition) key() string { return c.Kind + " " + c.Subject }

// Message is what a channel carries.
type Message struct {
	Project  string      `json:"project"`
	At       time.Time   `json:"at"`
	New      []Condition `json:"new"`      // since the last message
	Resolved []Condition `json:"resolved"` // that are over
	Digest   []string    `json:"digest,omitempty"`
	Still    []Condition `json:"still,omitempty"` // beside a digest: what was told before and is so still
	Link     string      `json:"link,omitempty"`  // of the console

	Language *language.Language `json:"-"` // that people are told in; nil: English
}

// Channel carries messages to people.
type Channel interface {
	// Name is how the project calls it.
	Name() string
	// Send gives the message away. An error holds no secret.
	Send(ctx context.Context, m Message) error
}

// Memory keeps what was told over restarts: the journal's notes.
type Memory interface {
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
}

// Settings are what a project asks for.
type Settings struct {
	Project  string
	Channels []Channel
	Quiet    func(t time.Time) bool // nil: never
	Digest   time.Duration          // after midnight; negative: none
	Link     string
	Zone     *time.Location
	Language *language.Language
}

// Notifier compares what is not well with what was told.
type Notifier struct {
	Memory Memory
	Log    *slog.Logger
	Now    func() time.Time
}

// sent is what a channel knows.
type sent struct {
	Conditions map[string]Condition `json:"conditions"`
	Digest     string               `json:"digest,omitempty"` // the day of the last one
	Attempts   int                  `json:"attempts,omitempty"`
	Next       time.Time            `json:"next"` // not before, after a failed attempt
}

// metaName is where the journal keeps what a channel was told.
const metaName = "notify "

// longestPause is how long a channel that takes nothing is left alone at most; attempts begin a
// minute apart and double.
const longestPause = time.Hour

// Step tells every channel what it does not know yet. It is to be called about once a minute, by
// one runner of a project. digest lists the lines of the daily summary. The error is the memory's;
// what a channel says is logged.
func (n *Notifier) Step(ctx context.Context, s Settings, now []Condition,
	digest func(context.Context) ([]string, error)) error {
	at := n.Now().In(cmp.Or(s.Zone, time.UTC))
	if s.Quiet != nil && s.Quiet(at) {
		return nil
	}
	for _, ch := range s.Channels {
		if err := n.notify(ctx, s, ch, at, now, digest); err != nil {
			return fmt.Errorf("notify %s: %w", ch.Name(), err)
		}
	}
	return nil
}

func (n *Notifier) notify(ctx context.Context, s Settings, ch Channel, at time.Time, now []Condition,
	digest func(context.Context) ([]string, error)) error {
	known, err := n.load(ctx, ch.Name())
	if err != nil || at.Before(known.Next) {
		return err
	}
	m := Message{Project: s.Project, At: at, Link: s.Link, Language: s.Language}
	m.New, m.Resolved = difference(known.Conditions, now)
	day := at.Format(time.DateOnly)
	if s.Digest >= 0 && known.Digest != day && at.Sub(startOfDay(at)) >= s.Digest {
		if m.Digest, err = digest(ctx); err != nil {
			return err
		}
		m.Still = still(now, m.New)
	}
	if len(m.New)+len(m.Resolved)+len(m.Digest) == 0 {
		return nil
	}
	if err := ch.Send(ctx, m); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		known.Attempts++
		pause := min(longestPause, time.Minute<<min(known.Attempts-1, 6))
		known.Next = at.Add(pause)
		n.Log.Error("a notification could not be sent; it is sent later", "channel", ch.Name(), "error", err, "next",
			pause.String())
		return n.save(ctx, ch.Name(), known)
	}
	n.Log.Info("notified", "channel", ch.Name(), "new", len(m.New), "resolved", len(m.Resolved), "digest",
		len(m.Digest) > 0)
	known.Attempts, known.Next = 0, time.Time{}
	known.Conditions = map[string]Condition{}
	for _, c := range now {
		known.Conditions[c.key()] = c
	}
	if len(m.Digest) > 0 {
		known.Digest = day
	}
	return n.save(ctx, ch.Name(), known)
}

// still lists what is so and was told before.
func still(now, fresh []Condition) (list []Condition) {
	for _, c := range now {
		if !slices.ContainsFunc(fresh, func(f Condition) bool { return f.key() == c.key() }) {
			list = append(list, c)
		}
	}
	return list
}

// difference gives what is new or much worse, and what is over.
func difference(known map[string]Condition, now []Condition) (fresh, over []Condition) {
	seen := map[string]bool{}
	for _, c := range now {
		if seen[c.key()] {
			continue // several runners say the same
		}
		seen[c.key()] = true
		if before, ok := known[c.key()]; !ok || c.Level > before.Level {
			fresh = append(fresh, c)
		}
	}
	for key, c := range known {
		if !seen[key] {
			over = append(over, c)
		}
	}
	order := func(a, b Condition) int { return strings.Compare(a.key(), b.key()) }
	slices.SortFunc(fresh, order)
	slices.SortFunc(over, order)
	return fresh, over
}

func (n *Notifier) load(ctx context.Context, channel string) (*sent, error) {
	text, err := n.Memory.Meta(ctx, metaName+channel)
	if err != nil {
		return nil, fmt.Errorf("read what was told: %w", err)
	}
	t := &sent{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), t); err != nil {
			return nil, fmt.Errorf("read what was told: %w", err)
		}
	}
	return t, nil
}

func (n *Notifier) save(ctx context.Context, channel string, t *sent) error {
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	if err := n.Memory.SetMeta(ctx, metaName+channel, string(text)); err != nil {
		return fmt.Errorf("keep what was told: %w", err)
	}
	return nil
}

func startOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}
