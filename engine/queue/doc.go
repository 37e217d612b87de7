// Package queue holds what waits to be sent: it fetches pending records from the journal, no more
// than fit in memory, evaluates them, lets one record per key through at a time in the order of
// acceptance, and keeps the barrier between files and records: a file's rows come before what was
// accepted later.
package queue
