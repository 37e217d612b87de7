// Package catalog is the metadata as the server holds it: the objects as the API shows them, and
// what validation asks of them in a form that is quick to ask.
package catalog
