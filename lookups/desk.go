package lookups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/internal/kept"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// Desk answers the lookups of all rules that ask other systems than DHIS2. It implements
// actions.Outside, and is safe for concurrent use.
type Desk struct {
	finders []Finder
	now     func() time.Time
	log     *slog.Logger

	kept kept.Answers[string]

	mu    sync.Mutex
	turns map[string]*turn // by what is asked for
	away  map[string]absence
}

// turn lets one batch at a time ask what is kept afterwards: the next one finds the answers.
type turn struct {
	sync.Mutex
	users int
}

// absence is a system that does not answer.
type absence struct {
	since Error
	times int
	until time.Time
}

const (
	maxKeptAbsent = time.Minute
	maxAsking     = 4 // lookups asked at once for one batch
)

// whileAway is how long a system that did not answer is left alone.
var whileAway = await.Backoff{Base: 2 * time.Second, Cap: 2 * time.Minute}

// NewDesk makes the desk of the kinds.
func NewDesk(kinds []Kind, env Env) *Desk {
	if env.Now == nil {
		env.Now = time.Now
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	d := &Desk{now: env.Now, log: env.Log, turns: map[string]*turn{}, away: map[string]absence{}}
	for _, k := range kinds {
		d.finders = append(d.finders, k.New(env))
	}
	return d
}

// Close lets go what the kinds have open.
func (d *Desk) Close() {
	for _, f := range d.finders {
		f.Close()
	}
}

// Takes tells whether a lookup is asked here; see actions.Outside.
func (d *Desk) Takes(a rules.Asked) bool {
	_, ok := a.(Asked)
	return ok
}

// Unanswered is the outcome of a record whose lookup could not be answered; see actions.Asker.
func (d *Desk) Unanswered(err error) actions.Outcome { return outcome(err) }

// Answer answers each question; see actions.Asker. What cannot be answered is the error of its answer.
func (d *Desk) Answer(ctx context.Context, questions []rules.Question) ([]actions.Answer, error) {
	answers := make([]actions.Answer, len(questions))
	groups := map[string]*group{}
	for i, q := range questions {
		asked, ok := q.Asked.(Asked)
		if !ok {
			return nil, fmt.Errorf("the lookup %s is not asked here", q.Lookup)
		}
		g := groups[asked.Same()]
		if g == nil {
			g = &group{asked: asked, places: map[string][]int{}}
			groups[asked.Same()] = g
		}
		g.add(q, i)
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, maxAsking)
	for _, g := range groups {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			d.answer(ctx, g, answers)
		})
	}
	wg.Wait()
	return answers, ctx.Err()
}

// group is what one batch asks of one lookup, each question once.
type group struct {
	asked     Asked
	questions []rules.Question
	keys      []string
	places    map[string][]int // of the answers, by the question's key
}

func (g *group) add(q rules.Question, at int) {
	key := strings.Join(q.Fields, "\x00") + "\x00\x00" + strings.Join(q.Values, "\x00")
	if r := q.Record; r != (rules.RecordRef{}) {
		key += strings.Join([]string{"", q.Lookup, r.Rule, r.ID, strconv.FormatInt(r.Seq, 10)}, "\x00")
	}
	if g.places[key] == nil {
		g.questions, g.keys = append(g.questions, q), append(g.keys, key)
	}
	g.places[key] = append(g.places[key], at)
}

// answer answers a group: from what is kept, and by asking.
func (d *Desk) answer(ctx context.Context, g *group, answers []actions.Answer) {
	give := func(key string, a actions.Answer) {
		for _, at := range g.places[key] {
			answers[at] = a
		}
	}
	defer Recovered(func(err error) {
		d.log.Error("a lookup broke down", "connection", systemOf(g.asked), "fault", err)
		for _, key := range g.keys {
			give(key, actions.Answer{Err: brokeDown()})
		}
	})
	if long, _ := g.asked.Cache(); long > 0 {
		defer d.takeTurn(g.asked.Same())()
	}
	var open []rules.Question
	var keys []string
	for i, q := range g.questions {
		if found, ok := d.known(g.asked, g.keys[i]); ok {
			give(g.keys[i], actions.Answer{Found: found})
			continue
		}
		open, keys = append(open, q), append(keys, g.keys[i])
	}
	if len(open) == 0 {
		return
	}
	found, err := d.ask(ctx, g.asked, open)
	for i, key := range keys {
		if err != nil {
			give(key, actions.Answer{Err: err})
			continue
		}
		if found[i].Err == nil {
			d.keep(g.asked, key, found[i].Found)
		}
		give(key, found[i])
	}
}

// ask asks the finder of a lookup, unless its system was away a moment ago.
func (d *Desk) ask(ctx context.Context, asked Asked, questions []rules.Question) ([]actions.Answer, error) {
	system := systemOf(asked)
	if err := d.absent(system); err != nil {
		return nil, err
	}
	for _, f := range d.finders {
		if !f.Takes(asked) {
			continue
		}
		found, err := f.Find(ctx, asked, questions)
		if err == nil && len(found) != len(questions) {
			err = &Error{Problem: diag.Problem{Code: CodeAway,
				Message: fmt.Sprintf("%d of %d questions were answered", len(found), len(questions)),
				Hint:    "report it to Culvert's developers"}}
		}
		if ctx.Err() == nil {
			d.met(system, found, err)
		}
		return found, err
	}
	return nil, &Error{Problem: diag.Problem{Code: CodeAway, Message: "nothing here can ask what the lookup wants",
		Hint: "start culvert again"}}
}

// systemOf names the connection of a lookup.
func systemOf(asked Asked) string {
	if at, _ := asked.Connection(); at != nil {
		return at.Value
	}
	return ""
}

// brokeDown is the error of questions on which the program itself failed.
func brokeDown() error {
	return &Error{Problem: diag.Problem{Code: CodeAway, Message: "Culvert itself broke down while it looked this up",
		Hint: "the log tells more: report that line to Culvert's developers"}}
}

// Recovered, deferred, tells of a panic instead of letting it end the program.
func Recovered(tell func(error)) {
	if p := recover(); p != nil {
		if err, ok := p.(runtime.Error); ok {
			tell(fmt.Errorf("%w\n%s", err, debug.Stack()))
			return
		}
		tell(fmt.Errorf("panic with a value of type %T\n%s", p, debug.Stack()))
	}
}

// absent is the error of a system that is left alone.
func (d *Desk) absent(system string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, ok := d.away[system]
	if wait := a.until.Sub(d.now()); ok && wait > 0 {
		e := a.since
		e.After = wait
		return &e
	}
	return nil
}

// met notes whether a system answered.
func (d *Desk) met(system string, found []actions.Answer, err error) {
	away, _ := errors.AsType[*Error](err)
	for _, a := range found {
		if e, ok := errors.AsType[*Error](a.Err); ok && e.Away {
			away = e
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before, known := d.away[system]
	if away == nil || !away.Away {
		if known {
			d.log.Info("a system that lookups ask answers again", "connection", system)
		}
		delete(d.away, system)
		return
	}
	if !known {
		d.log.Warn(
			"a system that lookups ask does not answer; their records wait",
			"connection",
			system,
			"reason",
			away.Message,
		)
	}
	a := absence{since: *away, times: before.times + 1}
	a.until = d.now().Add(max(away.After, whileAway.Wait(a.times, nil)))
	d.away[system] = a
}

// known gives an answer that is kept.
func (d *Desk) known(asked Asked, key string) ([]any, bool) {
	return d.kept.Get(asked.Same()+"\x00"+key, d.now())
}

// keep keeps an answer as long as its lookup says; that there is nothing, a minute at the most, for
// somebody may be adding it.
func (d *Desk) keep(asked Asked, key string, found []any) {
	long, each := asked.Cache()
	if len(found) == 0 {
		long = min(long, maxKeptAbsent)
	}
	if long <= 0 || !each {
		return
	}
	now := d.now()
	d.kept.Put(asked.Same()+"\x00"+key, found, now, now.Add(long))
}

// takeTurn waits until no other batch asks the same, and gives what ends the turn.
func (d *Desk) takeTurn(same string) func() {
	d.mu.Lock()
	t := d.turns[same]
	if t == nil {
		t = &turn{}
		d.turns[same] = t
	}
	t.users++
	d.mu.Unlock()
	t.Lock()
	return func() {
		t.Unlock()
		d.mu.Lock()
		defer d.mu.Unlock()
		if t.users--; t.users == 0 {
			delete(d.turns, same)
		}
	}
}
