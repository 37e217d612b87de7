package main

import "golang.org/x/sys/windows"

// systemLanguage is the one in which Windows shows itself to the user: LANG is not set there.
func systemLanguage() string {
	if names, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME); err == nil && len(names) > 0 {
		return names[0]
	}
	return ""
}
