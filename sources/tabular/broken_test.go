package tabular

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestBrokenFiles reads files that are wrong in the ways that real ones are, and compares what is
// said of them with findings.txt.
func TestBrokenFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/broken/*")
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&said, "%s\n", filepath.Base(path))
		rows, findings := 0, 0
		r, err := Open(t.Context(), path, Format{})
		for err == nil || errors.As(err, new(*RowError)) {
			if err != nil {
				if findings++; findings <= 3 {
					fmt.Fprintf(&said, "    %v\n", err)
				}
			}
			if _, err = r.Next(); err == nil {
				rows++
			}
		}
		var bad *FileError
		if err != io.EOF && !errors.As(err, &bad) {
			t.Errorf("%s: %v is no finding", path, err)
		}
		if bad != nil {
			fmt.Fprintf(&said, "    %v\n", bad)
		}
		fmt.Fprintf(&said, "    %d rows read, %d bad\n", rows, findings)
		if r != nil {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	const golden = "testdata/findings.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(said.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), said.String()); diff != "" {
		t.Error(diff)
	}
}
