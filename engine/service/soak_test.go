package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/rules/examples"
)

// soakFor asks for a longer soak than the short one that every test run makes.
const soakFor = "CULVERT_SOAK"

// The steady load is a hundred forms a second. As many as fit would end with more people than the
// sandbox, which goes through all of them to find one, can serve.
const (
	soakForms = 50
	soakEvery = 500 * time.Millisecond
)

// TestSoak keeps a project under steady load while its rules are reloaded, its metadata synced and
// its journal expired, and wants memory and goroutines level and every form delivered once.
func TestSoak(t *testing.T) {
	d := 6 * time.Second
	if s := os.Getenv(soakFor); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s: %v", soakFor, err)
		}
	}
	s := startSoak(t)
	s.post(200) // warm
	s.await()
	early := s.measure()
	end := time.Now().Add(d)
	load := time.NewTicker(soakEvery)
	defer load.Stop()
	for n := 0; time.Now().Before(end); n++ {
		s.post(soakForms)
		<-load.C
		s.disturb(n)
	}
	s.await()
	people := s.sandbox.Counts().TrackedEntities
	s.dropServer()
	late := s.measure()
	t.Logf("%d forms in %s; early %s; late %s", s.posted, d, early, late)
	if late.goroutines > early.goroutines*2+50 {
		t.Errorf("goroutines grow: %d, then %d", early.goroutines, late.goroutines)
	}
	if late.heap > early.heap*2+64<<20 {
		t.Errorf("memory grows: %d MiB, then %d MiB", early.heap>>20, late.heap>>20)
	}
	if people != s.posted {
		t.Errorf("%d forms were posted and DHIS2 has %d people", s.posted, people)
	}
}

type soak struct {
	t       *testing.T
	dir     string
	sandbox *sandbox.Server // nil once it was dropped
	server  *httptest.Server
	service *service.Service
	url     string
	posted  int
	form    []byte
}

func startSoak(t *testing.T) *soak {
	t.Helper()
	dir := t.TempDir()
	if err := examples.Write("anc", dir, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(box)
	for name, value := range map[string]string{"DHIS2_URL": srv.URL, "DHIS2_USERNAME": "admin",
		"DHIS2_PASSWORD": "district", "COMMCARE_PASSWORD": "x", "CULVERT_LISTEN": "127.0.0.1:0"} {
		t.Setenv(name, value)
	}
	s := &soak{t: t, dir: dir, sandbox: box, server: srv}
	s.sync()
	if s.form, err = os.ReadFile(filepath.Join(dir, "samples", "anc-registration.json")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	o := service.Options{Dir: dir, Loader: &project.Loader{Sources: project.SourceKinds()},
		Log: slog.New(slog.DiscardHandler), Version: "test", Ready: func(a string) { ready <- a }}
	if s.service, err = service.Open(ctx, o); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.service.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.dropServer()
	})
	select {
	case s.url = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the run ended at once: %v", err)
	}
	return s
}

// dropServer ends the sandbox, which is in this process too and holds everybody who was ever sent.
func (s *soak) dropServer() {
	if s.sandbox == nil {
		return
	}
	s.server.Close()
	if err := s.sandbox.Close(); err != nil {
		s.t.Error(err)
	}
	s.server, s.sandbox = nil, nil
}

func (s *soak) sync() {
	s.t.Helper()
	config, _, _, err := project.ReadConfig(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	server := config.ServerNamed("")
	client, err := project.Connect(config, server, s.dir, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	if _, err := project.Sync(context.Background(), client, s.dir, server.Name, true, nil); err != nil {
		s.t.Fatal(err)
	}
}

// post sends n forms of as many women.
func (s *soak) post(n int) {
	s.t.Helper()
	for range n {
		s.posted++
		form := bytes.ReplaceAll(s.form, []byte("f0f0a1b2-0001"), fmt.Appendf(nil, "f0f0a1b2-%d", s.posted))
		form = bytes.ReplaceAll(form, []byte("8f8f5c3e-5c0e"), fmt.Appendf(nil, "8f8f5c3e-%d", s.posted))
		form = bytes.ReplaceAll(form, []byte("NID-1001"), fmt.Appendf(nil, "NID-S%d", s.posted))
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+s.url+"/commcare/forms",
			bytes.NewReader(form))
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth("commcare", "x")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode/100 != 2 {
			s.t.Fatalf("answer %d %s, %v", resp.StatusCode, text, err)
		}
		if err := resp.Body.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// disturb does what happens to a project in production: a rule is saved, metadata synced, old payloads erased.
func (s *soak) disturb(n int) {
	s.t.Helper()
	switch n % 10 {
	case 3:
		file := filepath.Join(s.dir, "rules", "anc-visit.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(file, fmt.Appendf(bytes.TrimRight(text, "\n# 0123456789"), "\n# %d\n", n), 0o600); err != nil {
			s.t.Fatal(err)
		}
	case 6:
		s.sync()
	case 9:
		if _, err := s.service.Journal().Expire(context.Background(),
			journal.Retention{Payloads: time.Millisecond, Delivered: time.Hour}, time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// await waits until nothing is pending.
func (s *soak) await() {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		sum, err := s.service.Journal().Summary(context.Background())
		if err != nil {
			s.t.Fatal(err)
		}
		var pending int64
		for _, r := range sum.Rules {
			pending += r.Pending
		}
		if pending == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d records are still pending", pending)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

type level struct {
	goroutines int
	heap       uint64
}

func (l level) String() string { return fmt.Sprintf("%d goroutines, %d MiB", l.goroutines, l.heap>>20) }

func (s *soak) measure() level {
	runtime.GC()
	runtime.GC() // what had finalizers goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	http.DefaultClient.CloseIdleConnections()
	return level{runtime.NumGoroutine(), m.HeapInuse}
}
