// Package results writes what became of the rows of a file: its results, row by row, and the rows
// that failed in the file's own format, to be fixed and dropped again. It puts both beside the file
// when that is finished.
package results
