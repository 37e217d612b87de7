// Package access tells what a user may do with tracker objects that are stored: by sharing, org
// units, and who owns a tracked entity in a program.
package access
