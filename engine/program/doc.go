// Package program holds the rules as they run: which there are, and what one makes of a record. It
// is pure: no journal, no request, no clock of its own, no goroutine. What try, test and plan do
// with a record is the same code.
package program
