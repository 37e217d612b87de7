// Package page shows people what the sandbox holds.
package page
