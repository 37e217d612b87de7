package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources"
)

// Sources runs the sources: those of the runner throughout, those of the program until the next
// one, and those that must run once only while we lead.
type Sources struct {
	Gate    *Gate
	Runner  []program.Intake // that live as long as the runner
	Sink    sources.Sink
	Log     *slog.Logger
	Now     func() time.Time
	changed await.Signal

	Conditions *status.Conditions
}

// NewSources makes them.
func NewSources(s Sources) *Sources {
	s.changed = await.NewSignal()
	return &s
}

// Notify says that the program or the leadership has changed.
func (s *Sources) Notify() { s.changed.Notify() }

// runningSource is one source that runs.
type runningSource struct {
	intake  program.Intake
	program *program.Program // that brought it, nil for those of the runner
	cancel  context.CancelFunc
	done    chan struct{}
}

func (r *runningSource) stop() {
	r.cancel()
	<-r.done
}

// Run runs sources until ctx ends and they have ended.
func (s *Sources) Run(ctx context.Context) {
	var running []*runningSource
	for {
		prog, leading := s.Gate.Program(), s.Gate.Leading()
		kept := running[:0]
		for _, r := range running {
			if r.program != nil && r.program != prog || r.intake.Once && !leading {
				r.stop()
				continue
			}
			kept = append(kept, r)
		}
		running = kept
		running = s.start(ctx, running, nil, s.Runner, leading)
		running = s.start(ctx, running, prog, prog.Intakes, leading)
		select {
		case <-ctx.Done():
			for _, r := range running {
				r.stop()
			}
			return
		case <-s.changed:
		}
	}
}

// start starts those that do not run yet.
func (s *Sources) start(ctx context.Context, running []*runningSource, prog *program.Program, intakes []program.Intake,
	leading bool) []*runningSource {
next:
	for _, in := range intakes {
		if in.Once && !leading {
			continue
		}
		for _, r := range running {
			if r.intake.Source == in.Source && r.program == prog {
				continue next
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		r := &runningSource{intake: in, program: prog, cancel: cancel, done: make(chan struct{})}
		running = append(running, r)
		go func() {
			defer close(r.done)
			defer cancel()
			s.run(ctx, in)
		}()
	}
	return running
}

// sourceBackoff is for sources that end with an error: a person must act, but may do so without telling us.
var sourceBackoff = await.Backoff{Base: 2 * time.Second, Cap: 2 * time.Minute}

// run runs one source until ctx ends. A source that gives up is said so, and started again now and then.
func (s *Sources) run(ctx context.Context, in program.Intake) {
	for tries := 1; ; tries++ {
		err := in.Source.Run(ctx, s.Sink)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				s.Log.Warn("a source did not end cleanly", "source", in.Name, "error", err)
			}
			return
		}
		if err == nil {
			return // it has delivered all that it ever will
		}
		s.Conditions.Set("source "+in.Name, fmt.Sprintf("source %s does not run: %v", in.Name, err), s.Now())
		s.Log.Error("a source does not run", "source", in.Name, "error", err)
		if !await.Sleep(ctx, sourceBackoff.Wait(tries, nil)) {
			return
		}
		s.Conditions.Clear("source " + in.Name)
	}
}
