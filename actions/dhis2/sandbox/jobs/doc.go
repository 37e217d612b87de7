// Package jobs remembers asynchronous imports and what became of them.
package jobs
