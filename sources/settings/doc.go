// Package settings declares the keys of a trigger's config and reads them. A kind of trigger
// declares each key once: its type, its bounds, what holds when it is left out, and what it says.
// From that come the checks, which report each mistake at its place, the lists of keys that editors
// complete, the JSON Schema of rule files, and the tables of docs/triggers.md.
package settings
