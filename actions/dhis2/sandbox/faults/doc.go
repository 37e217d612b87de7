// Package faults lets requests go wrong on purpose, as a network and a busy server do.
package faults
