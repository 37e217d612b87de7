// Package tracker answers what is about tracked entities, enrollments, events and relationships:
// imports (which importer carries out), reads of one and lists of many, notes, ownership and
// potential duplicates.
package tracker

// object is a JSON object.
type object = map[string]any
