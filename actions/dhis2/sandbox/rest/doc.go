// Package rest is what all rooms of the sandbox share of a request and its answer: who asks, the
// body and the parameters as DHIS2 reads them, and the envelopes that it answers with.
package rest
