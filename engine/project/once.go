package project

import (
	"fmt"

	"github.com/culvert/culvert/rules/diag"
)

// Once gives findings for people: that a server's metadata is missing is one thing to do, however many rules wait for it.
func Once(list diag.List) diag.List {
	names := map[string]string{} // what is said of a file: what names the server, which is longer than what does not
	for i := range list {
		if d := &list[i]; d.Code == noSnapshot && len(d.Message) > len(names[d.Place.File]) {
			names[d.Place.File] = d.Message
		}
	}
	first, files := map[string]int{}, map[string]int{}
	out := make(diag.List, 0, len(list))
	for _, d := range list {
		if d.Code != noSnapshot {
			out = append(out, d)
			continue
		}
		if d.Message != names[d.Place.File] {
			continue
		}
		delete(names, d.Place.File)
		if files[d.Message]++; files[d.Message] == 1 {
			first[d.Message] = len(out)
			out = append(out, d)
		}
	}
	for message, i := range first {
		switch more := files[message] - 1; {
		case more == 1:
			out[i].Message += ", nor one other rule"
		case more > 1:
			out[i].Message += fmt.Sprintf(", nor %d other rules", more)
		}
	}
	return out
}

const noSnapshot = "no-snapshot"
