// Package sandbox answers as a DHIS2 server does, from a file of metadata: for demos, rehearsals
// and tests that need a server nobody has to install. It serves the metadata, takes tracker
// objects, data values and completions, checks them as DHIS2 of the version asked for checks them,
// keeps what it took in memory or in a file, and shows it on a page.
//
// What it answers follows DHIS2's documentation and behaviour, version by version; docs/sandbox.md
// says what it covers and what not.
//
// This package only puts the rooms together. A request goes through faults to api, which finds who
// asks, and on to tracker, aggregate or metadata; these share rest (requests and answers), store
// (what was written) and catalog (the metadata as validation asks it). No room imports one that
// comes before it in this list: api, page; tracker, aggregate, metadata; rest; store; catalog.
package sandbox
