// Package fileimport works on dropped files, which are kept by reference: it reads open files,
// those of one server one after the other, evaluates their rows, hands them to the queue, records
// what became of them in the order of the file together with the file's progress, and finishes a
// file once every row has an outcome: its results are completed, and it is moved away. Afterwards
// it keeps the results of finished files up to date.
package fileimport
