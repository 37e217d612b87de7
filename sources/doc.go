// Package sources is where records come from. Each kind of trigger is one package below, and one
// line in the list of kinds that the program is given; this one holds what they share: the
// interface Kind, what a source hands over, and the Sink that takes it. Example_addingASource is a
// running example of a kind.
package sources
