// Package conformance runs every action against a DHIS2 server, twice and with mistakes among the
// records, reads back what the server then holds, and deletes it again. It has tests only.
//
// Without further ado the server is the sandbox, once for each version that Culvert supports. With
// CULVERT_DHIS2_URL, CULVERT_DHIS2_USERNAME and CULVERT_DHIS2_PASSWORD it is the server of that
// address, which must hold the metadata of the invented country Tamala
// (rules/examples/anc/input/tamala.json). `make test-dhis2` does that. The user needs the org unit
// Tamala, and to clean up the authorities F_TEI_CASCADE_DELETE and F_ENROLLMENT_CASCADE_DELETE.
//
// The people, events and relationships of a run have uids of that run alone. Aggregate values have
// no uid: they are written to periods of 2015 and 2016, and a server that holds values there
// already is refused before anything is sent.
package conformance
