//go:build !windows

package main

// systemLanguage is empty: the environment says it all.
func systemLanguage() string { return "" }
