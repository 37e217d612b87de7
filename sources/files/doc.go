// Package files takes records from dropped files: it watches the folders that rules name, takes
// what lies there into the inbox, and moves it to where finished files go, with what became of its
// rows. What is in a file is read by package tabular.
package files
