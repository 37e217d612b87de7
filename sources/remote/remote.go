package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/poll"
)

// Config is what a Source needs.
type Config struct {
	Word    string // of the kind of trigger
	Rules   []Rule
	Dial    Dial
	Connect func(name string) (sources.Connection, error)
	Dir     string // the project's folder, absolute
	Inbox   string // where taken files lie, absolute
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Source takes files for all rules that use one kind of trigger.
type Source struct {
	poll.Bells
	c Config
}

// New makes a source. It asks nothing until Run.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{c: c}
}

// Run takes files until ctx ends. Rules that share a connection do not use it at once.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	if err := os.RemoveAll(s.fetching()); err != nil { // of a run that was killed: what it had half is fetched anew
		s.c.Log.Warn("files that a killed run has left cannot be removed", "folder", s.fetching(), "error", err)
	}
	var turns poll.Turns
	var wg sync.WaitGroup
	for i := range s.c.Rules {
		r := &s.c.Rules[i]
		p := &pull{source: s, rule: r, sink: sink, log: s.c.Log.With("rule", r.Rule, "connection", r.Connection),
			seen: map[string]sighting{}, changed: map[string]int{}, said: map[string]string{}}
		p.people, _ = sink.(sources.Conditions)
		wg.Go(func() {
			defer p.calmAll()
			subject := poll.Subject{Sink: sink, Name: s.c.Word + " folder of rule " + r.Rule, Bell: s.Hang(r.Rule)}
			poll.Loop(ctx, r.Every, subject, p.log, turns.At(r.Connection, p.once))
		})
	}
	wg.Wait()
	return nil
}

// fetching is the folder where files lie while they are fetched, in a folder for each rule.
func (s *Source) fetching() string {
	return filepath.Join(filepath.Dir(s.c.Inbox), "fetching-"+s.c.Word)
}

// pull is the work for one rule.
type pull struct {
	source  *Source
	rule    *Rule
	sink    sources.Sink
	people  sources.Conditions // nil: nobody is told
	log     *slog.Logger
	known   *known
	seen    map[string]sighting // by path
	changed map[string]int      // how often a file, by path, was another one than was listed, one time after the other
	said    map[string]string   // what people are told, by subject
}

// sighting is a file as it was last seen.
type sighting struct {
	version string
	since   time.Time // seen like this for the first time
}

func (p *pull) fetching() string {
	return filepath.Join(p.source.fetching(), url.PathEscape(p.rule.Rule))
}

// once looks what lies at the place, tidies up behind files that are finished, and takes what is new. Where a file
// may still be written to it waits once, and looks again.
func (p *pull) once(ctx context.Context) error {
	connection, err := p.source.c.Connect(p.rule.Connection)
	if err != nil {
		return fmt.Errorf("connection %s: %w", p.rule.Connection, err)
	}
	if p.known == nil {
		if p.known, err = loadKnown(ctx, p.sink, func(part string) string {
			return p.rule.cursor(p.source.c.Word, part)
		}); err != nil {
			return err
		}
	}
	wait, err := p.look(ctx, connection)
	if err != nil || wait <= 0 || wait >= p.rule.Every {
		return err
	}
	if !poll.Sleep(ctx, wait) {
		return nil
	}
	_, err = p.look(ctx, connection)
	return err
}

// look makes one connection and does what can be done. It gives how long to wait for files that may be written to.
func (p *pull) look(ctx context.Context, connection sources.Connection) (wait time.Duration, err error) {
	place, err := p.source.c.Dial(ctx, connection, p.rule, p.log)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	items, err := place.List(ctx)
	if err != nil {
		return 0, err
	}
	items = inOrder(items)
	if err := p.note(ctx, items); err != nil {
		return 0, err
	}
	// What cannot be written back there keeps nothing from being taken.
	settled := p.settle(ctx, place, items)
	wait, err = p.take(ctx, place, items)
	if told, ok := place.(Told); ok && err == nil {
		err = told.Taken(ctx, p.has)
	}
	return wait, errors.Join(err, settled)
}

// has tells whether a file was taken.
func (p *pull) has(item Item) bool {
	e := p.known.byPath[item.Path]
	return e != nil && e.Version == item.Version
}

// note keeps which files are gone, and forgets those that have been gone for long.
func (p *pull) note(ctx context.Context, items []Item) error {
	there := make(map[string]bool, len(items))
	for _, item := range items {
		there[item.Path] = true
	}
	for path := range p.seen {
		if !there[path] {
			delete(p.seen, path)
		}
	}
	for path := range p.changed {
		if !there[path] {
			delete(p.changed, path)
		}
	}
	for subject := range p.said {
		if !there[subject] {
			p.say(subject, "")
		}
	}
	now, changed := p.source.c.Now(), []*entry{}
	var old []string
	for path, e := range p.known.byPath {
		switch {
		case there[path] && !e.Gone.IsZero():
			e.Gone, e.Version = time.Time{}, "" // fetched to see whether it is the same
			changed = append(changed, e)
		case !there[path] && e.Gone.IsZero():
			e.Gone = now
			changed = append(changed, e)
		case !there[path] && now.Sub(e.Gone) > forgetAfter:
			old = append(old, path)
		}
	}
	if err := p.known.put(ctx, changed...); err != nil {
		return err
	}
	return p.known.forget(ctx, old)
}

// say tells people what is wrong with a file, once, until it changes; nothing any more when what is empty.
func (p *pull) say(path, what string) {
	if p.said[path] == what {
		return
	}
	if p.people != nil {
		p.people.SetCondition("file "+path+" of connection "+p.rule.Connection+" for rule "+p.rule.Rule, what)
	}
	if what == "" {
		delete(p.said, path)
		return
	}
	p.said[path] = what
	p.log.Warn("a file is left where it is", "path", path, "cause", what)
}

// calmAll takes everything back: whoever looks next finds out by himself.
func (p *pull) calmAll() {
	for path := range p.said {
		p.say(path, "")
	}
}
