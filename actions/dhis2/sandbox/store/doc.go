// Package store is the data that was written: tracker objects, data values, completions, files and
// entries of the data store, in memory, with a log behind it where a state file is asked for.
package store
