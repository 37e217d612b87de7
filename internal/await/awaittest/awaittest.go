// Package awaittest waits in tests: on signals where a program gives them, and by looking again
// for what nobody tells of, such as files and other processes. It never waits for ever.
package awaittest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/await"
)

const (
	// Limit is how long a test waits for what has to happen, also on a busy machine.
	Limit = 2 * time.Minute
	// again is how soon a test looks again that had no signal.
	again = 20 * time.Millisecond
)

// Until waits until something holds, and fails the test when it does not within Limit.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	UntilSignalled(t, what, nil, holds, func() string { return "" })
}

// UntilNoError waits until something succeeds, and fails the test with its last error when it does not within Limit.
func UntilNoError(t testing.TB, what string, do func() error) {
	t.Helper()
	var err error
	UntilSignalled(t, what, nil, func() bool {
		err = do()
		return err == nil
	}, func() string { return fmt.Sprint(err) })
}

// UntilSignalled waits as Until does, and looks at each signal at once. A test that fails shows what story says.
func UntilSignalled(t testing.TB, what string, changed await.Signal, holds func() bool, story func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit) // also in a cleanup
	defer cancel()
	for !holds() {
		if !changed.Wait(ctx, again) {
			t.Fatalf("it never came to this: %s: %s", what, story())
		}
	}
}
