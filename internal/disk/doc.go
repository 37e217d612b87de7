// Package disk writes and moves files so that they appear whole or not at all, and are still there
// after the power fails.
package disk
