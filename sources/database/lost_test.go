package database

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestLost has something between here and the database end the connection: it is said in words, and
// not by the name of a driver's type.
func TestLost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	for _, address := range []string{"postgres://u:p@" + l.Addr().String() + "/d?sslmode=disable", "mysql://u:p@" + l.Addr().String() + "/d"} {
		d, err := Open(Connection{Name: "d", URL: address})
		if err != nil {
			t.Fatal(err)
		}
		q, _ := ParseLookup("SELECT 1")
		q.Timeout = time.Minute
		_, err = d.Ask(t.Context(), &q, nil, []Wanted{{}})
		if err == nil || strings.Contains(err.Error(), "*") ||
			!strings.Contains(err.Error(), "lost") && !strings.Contains(err.Error(), "reached") {
			t.Errorf("%s: %v", address, err)
		}
		_ = d.Close()
	}
}
