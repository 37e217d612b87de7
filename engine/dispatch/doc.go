// Package dispatch sends works to servers, with one dispatcher for each: it forms batches as a
// controller asks that finds out what the server does best with, sends nothing while the server is
// away, refuses our credentials, is paused or outside its window, reads off each result what it
// means for its record, and hands that to the queue. The decisions (controller, breaker) are plain
// values that can be tested without a server.
package dispatch
