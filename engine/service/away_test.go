package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/project"
)

// onRecord calls do for every record of a log.
type onRecord struct{ do func(message string) }

func (onRecord) Enabled(context.Context, slog.Level) bool { return true }
func (h onRecord) Handle(_ context.Context, r slog.Record) error {
	h.do(r.Message)
	return nil
}
func (h onRecord) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h onRecord) WithGroup(string) slog.Handler      { return h }

// TestStartWaitsForItsDatabase starts before PostgreSQL does.
func TestStartWaitsForItsDatabase(t *testing.T) {
	dsn := os.Getenv("CULVERT_TEST_POSTGRES")
	if dsn == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that a start waits for")
		}
		t.Skip("CULVERT_TEST_POSTGRES is not set: it names the PostgreSQL that a start waits for")
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	real := u.Host
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = reserved.Addr().String()
	if err := reserved.Close(); err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", fmt.Sprintf("away_%d", time.Now().UnixNano()))
	u.RawQuery = q.Encode()
	config, findings := project.ParseConfig(t.TempDir(), project.ConfigFile,
		[]byte("project: away\nservers: {n: {url: https://x.example.org, token: \"${T}\"}}\nstore: ${CULVERT_TEST_AWAY}\n"))
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	t.Setenv("CULVERT_TEST_AWAY", u.String())
	var once sync.Once
	log := slog.New(onRecord{func(string) { once.Do(func() { forward(t, u.Host, real) }) }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j, err := awaitJournal(ctx, config, t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	again, err := awaitJournal(ctx, config, t.TempDir(), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// forward passes connections on to another address until the test ends.
func forward(t *testing.T, from, to string) {
	l, err := net.Listen("tcp", from)
	if err != nil {
		t.Error(err)
		return
	}
	var open sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			open.Go(func() { pipe(in, out) })
			open.Go(func() { pipe(out, in) })
		}
	})
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}
