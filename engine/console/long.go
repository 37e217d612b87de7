package console

import (
	"context"
	"net/http"
	"time"
)

// extend gives a request that takes long more time to be read and answered than the server gives all.
func extend(w http.ResponseWriter, limit time.Duration) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(limit)) // a writer that has none keeps the server's own
	_ = control.SetWriteDeadline(time.Now().Add(limit + time.Minute))
}

// long is do with more time.
func long(limit time.Duration, do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		extend(w, limit)
		do(w, r)
	}
}

// detached gives a context for what goes on though the visitor who asked for it goes: until a limit,
// or until the process stops.
func (s *Console) detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	go func() {
		select {
		case <-s.c.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
