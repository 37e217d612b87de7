// Package notify tells people what is not well: by e-mail, to a chat or another program over HTTP,
// by SMS through an HTTP gateway, as a message in DHIS2.
//
// What is told are conditions: sentences about rules, servers and files, never about a record's
// content. Each is told once to each channel, again only when it gets much worse, and once more
// when it is over. What is new at one time goes out as one message. In quiet hours nothing is sent;
// what is still so afterwards is told then. A channel that does not take a message is tried again,
// ever more seldom.
package notify
