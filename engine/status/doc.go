// Package status says how a project stands: what runs, what waits, what failed, and what a person
// should do about it. Every runner says in the journal how it stands; the command line, the
// console, /health and the metrics all read the same types, so that they never disagree.
package status
