// Package supervise keeps a runner in order: which rules run and what is paused, the lease that its
// claims rest on, which of several runners leads, the sources that run, and the retention.
package supervise
