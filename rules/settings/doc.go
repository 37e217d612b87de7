// Package settings declares the keys of a mapping in a file that people write, such as the config of
// a trigger, and reads them. Whoever takes the mapping declares each key once: its type, its bounds,
// what holds when it is left out, and what it says. From that come the checks, which report each
// mistake at its place, the lists of keys that editors complete, the JSON Schemas, and the tables of
// the reference in docs/.
//
// So are declared culvert.yaml (engine/project/keys.go), rule files (rules/keys.go), lookups
// (rules/lookup_keys.go, and each kind of what may be asked for), triggers and connections (each kind
// of source) and actions (each kind). Some values are read by those who declare them, for no
// declaration can say more of them than their types: expressions and values in their long form, which
// belong to the scope and the metadata around them (rules.ActionSpec.Field, actions/dhis2/compile);
// the entries of a value map, and what a test expects, whose keys are names that people choose; and
// logins and connections, whose texts become fields of a type (engine/project/auth.go).
package settings
