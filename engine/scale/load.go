package scale

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// clients are how many forms are on their way at once.
const clients = 16

// answers are how long a runner took to say that it has kept a form.
type answers struct {
	P50  time.Duration `json:"p50"`
	P99  time.Duration `json:"p99"`
	Max  time.Duration `json:"max"`
	Took time.Duration `json:"took"` // all of them
	N    int           `json:"forms"`
}

// post sends n forms: as fast as they are kept, or spread evenly over a time.
func (r *rehearsal) post(ctx context.Context, n int, over time.Duration) (answers, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work, took := make(chan string, clients), make([][]time.Duration, clients)
	began := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for form := range work {
				start := time.Now()
				if err := r.postOne(ctx, form); err != nil {
					cancel(err)
					return
				}
				took[c] = append(took[c], time.Since(start))
			}
		})
	}
	for i := range n {
		if over > 0 && !sleep(ctx, time.Until(began.Add(over*time.Duration(i)/time.Duration(n)))) {
			break
		}
		select {
		case work <- r.forms.next():
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(work)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return answers{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return answers{P50: all[(len(all)-1)/2], P99: all[(len(all)-1)*99/100], Max: all[len(all)-1], Took: time.Since(began),
		N: len(all)}, nil
}

func (r *rehearsal) postOne(ctx context.Context, form string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.runner.base+"/commcare/forms", strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth("commcare", password)
	resp, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("post a form: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("post a form: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

// sleep waits; it answers false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
