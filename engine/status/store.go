package status

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

// Names under which the journal keeps how runners stand.
const (
	runnerName  = "status/"
	runnersName = "runners"
)

// expired is after how long without a word a runner no longer counts as running.
const expired = 20 * time.Second

// Reader is what an overview reads.
type Reader interface {
	Meta(ctx context.Context, name string) (string, error)
	Summary(ctx context.Context) (journal.Summary, error)
	Encryption(ctx context.Context) (journal.Encryption, error)
	Files(ctx context.Context, state journal.FileState) ([]journal.File, error)
	Causes(ctx context.Context, f journal.Filter) ([]journal.Cause, error)
}

// Store keeps how runners stand.
type Store interface {
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
}

// Save keeps how a runner stands, for other processes.
func Save(ctx context.Context, j Store, r Runner) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the status: %w", err)
	}
	runners, err := lastSeen(ctx, j)
	if err != nil {
		return err
	}
	if seen, ok := runners[r.Owner]; !ok || r.At.Sub(seen) > expired/4 || r.Stopped {
		for owner, at := range runners {
			if r.At.Sub(at) > time.Hour {
				delete(runners, owner)
			}
		}
		runners[r.Owner] = r.At
		list, err := json.Marshal(runners)
		if err != nil {
			return fmt.Errorf("encode the list of runners: %w", err)
		}
		if err := j.SetMeta(ctx, runnersName, string(list)); err != nil {
			return err
		}
	}
	return j.SetMeta(ctx, runnerName+r.Owner, string(text))
}

type metaReader interface {
	Meta(ctx context.Context, name string) (string, error)
}

// lastSeen gives the runners that have reported within the last hour or so, with the times.
func lastSeen(ctx context.Context, j metaReader) (map[string]time.Time, error) {
	text, err := j.Meta(ctx, runnersName)
	if err != nil {
		return nil, fmt.Errorf("read the list of runners: %w", err)
	}
	runners := map[string]time.Time{}
	if text == "" {
		return runners, nil
	}
	if err := json.Unmarshal([]byte(text), &runners); err != nil {
		return nil, fmt.Errorf("read the list of runners: %w", err)
	}
	return runners, nil
}

// Runners gives the runners that are alive, by owner, and what the one that stopped last had to say, nil when none did.
func Runners(ctx context.Context, j metaReader, now time.Time) (alive []Runner, last *Runner, err error) {
	paused, err := controls.Read(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	owners, err := lastSeen(ctx, j)
	if err != nil {
		return nil, nil, err
	}
	gone := func(r Runner) {
		if last == nil || r.At.After(last.At) {
			last = &r
		}
	}
	leased, knows := liveOwners(ctx, j)
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		r, known, err := read(ctx, j, owner, paused)
		switch {
		case err != nil:
			return nil, nil, err
		case !known:
		case r.Stopped || now.Sub(r.At) >= expired:
			gone(r)
		case knows && !slices.Contains(leased, owner) && r.At.Sub(r.Started) > journal.DefaultLease:
			gone(r) // its lease is over, whatever it said last
		default:
			alive = append(alive, r)
		}
	}
	if len(alive) > 0 && hasNoRunner(ctx, j) {
		for _, r := range alive {
			gone(r)
		}
		alive = nil
	}
	return alive, last, nil
}

// liveOwners gives the runners whose lease has not ended, where the journal knows that.
func liveOwners(ctx context.Context, j metaReader) (owners []string, knows bool) {
	l, ok := j.(interface {
		LiveOwners(ctx context.Context) ([]string, error)
	})
	if !ok {
		return nil, false
	}
	owners, err := l.LiveOwners(ctx)
	return owners, err == nil
}

// hasNoRunner tells whether the journal knows that nobody runs on it, also when somebody did a moment ago.
func hasNoRunner(ctx context.Context, j metaReader) bool {
	v, ok := j.(interface {
		Vacant(ctx context.Context) bool
	})
	return ok && v.Vacant(ctx)
}

// read gives what a runner said last; false when it has not said anything that we understand.
func read(ctx context.Context, j metaReader, owner string, paused *controls.Controls) (r Runner, known bool,
	err error) {
	text, err := j.Meta(ctx, runnerName+owner)
	if err != nil {
		return r, false, fmt.Errorf("read the status of runner %s: %w", owner, err)
	}
	if text == "" || json.Unmarshal([]byte(text), &r) != nil {
		return r, false, nil
	}
	// a pause holds as soon as it is in the journal, though the runner says so only with its next word
	for i := range r.Servers {
		if p := paused.Servers[r.Servers[i].Name]; p != nil && r.Servers[i].State != ServerUnusable {
			r.Servers[i].State, r.Servers[i].Since, r.Servers[i].Reason = ServerPaused, p.Since, p.Why
		}
	}
	return r, true, nil
}
