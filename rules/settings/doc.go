// Package settings declares the keys of a mapping in a file that people write, such as the config of
// a trigger, and reads them. Whoever takes the mapping declares each key once: its type, its bounds,
// what holds when it is left out, and what it says. From that come the checks, which report each
// mistake at its place, the lists of keys that editors complete, the JSON Schemas, and the tables of
// the reference in docs/.
package settings
