// Package aggregate answers what is about data values and the completion of data sets: value by
// value as up to 2.42 (sets.go, check.go), data set by data set as from 2.43 on (entry.go).
package aggregate

// object is a JSON object.
type object = map[string]any
