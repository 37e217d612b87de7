// Package delivery holds the decisions of the delivery engine as plain values that can be tested without a server or a journal: which record
// may go next so that the records of one key keep their order, how many records to send at once, when to try again, and when to leave a server alone.
package delivery
