package service

import (
	"context"
	"errors"
	"testing"
)

// TestSyncWaitsNoLongerThanAsked holds that who waits for another sync can give up.
func TestSyncWaitsNoLongerThanAsked(t *testing.T) {
	t.Parallel()
	s := &Service{synced: syncHistory{one: make(chan struct{}, 1)}}
	s.synced.one <- struct{}{} // one is under way
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.syncServer(ctx, "main"); !errors.Is(err, context.Canceled) {
		t.Errorf("given up while another was under way: %v", err)
	}
}
