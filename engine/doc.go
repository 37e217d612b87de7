// Package engine runs a project: it accepts records from sources into the journal, evaluates rules,
// delivers writes in bulk and records what became of them.
//
// Its parts have rooms of their own, and only this package and service see several of them. The way
// of a record goes one way through them:
//
//	sources -> intake -> journal -> queue (program evaluates) -> dispatch -> queue -> journal
//
// and that of a row of a dropped file:
//
//	sources -> intake -> fileimport (program evaluates) -> queue -> dispatch -> queue -> fileimport -> journal
//
// docs/architecture.md draws both, with the states of records and files and the order of locks.
package engine
