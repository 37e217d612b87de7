package webhook

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSlowBodiesStopNobody has many callers send the beginning of a body and no more, each without
// saying how long it is.
func TestSlowBodiesStopNobody(t *testing.T) {
	h, s := serve(t, open)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	for range 49 {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c,
			"POST /forms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		h.callers.mu.Lock()
		under := h.callers.paths["/forms"]
		h.callers.mu.Unlock()
		if under == 49 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are under way", under)
		}
		time.Sleep(time.Millisecond)
	}
	resp, err := http.Post(srv.URL+"/forms", "application/json", strings.NewReader(`{"a": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 202 || len(s.bodies()) != 1 {
		t.Errorf("answered %d, %d records", resp.StatusCode, len(s.bodies()))
	}
}

// TestDripIsCutOff has a body come at a byte now and then: the time it has does not grow with the bytes.
func TestDripIsCutOff(t *testing.T) {
	for bytes, want := range map[int64]time.Duration{0: bodyGrace, 100: bodyGrace, bodyRate: bodyGrace + time.Second,
		100 * bodyRate: bodyGrace + 100*time.Second, 1 << 40: longestBody} {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		began := time.Now()
		s := &steady{body: strings.NewReader("x"), control: http.NewResponseController(w), began: began, read: bytes}
		if _, err := s.Read(make([]byte, 1)); err != nil || w.read.Sub(began) != want {
			t.Errorf("after %d bytes a body has %s, want %s: %v", bytes, w.read.Sub(began), want, err)
		}
	}
}

// deadlines keeps what a connection is told.
type deadlines struct {
	*httptest.ResponseRecorder
	read time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = at
	return nil
}

// TestManyValuesInFewBytes sends packed bodies that cost far more than their bytes, at the same time.
func TestManyValuesInFewBytes(t *testing.T) {
	h, s := serve(t, open)
	body := packed(t, "["+strings.Repeat("{},", 3_000_000)+"{}]")
	var wg sync.WaitGroup
	codes := make(chan int, 12)
	for range 12 {
		wg.Go(func() {
			codes <- send(h, post("/forms", "application/json", body,
				func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })).Code
		})
	}
	wg.Wait()
	close(codes)
	for code := range codes {
		if code != http.StatusUnprocessableEntity && code != http.StatusServiceUnavailable {
			t.Errorf("answered %d", code)
		}
	}
	if len(s.bodies()) > 0 {
		t.Errorf("%d records were kept", len(s.bodies()))
	}
	if !h.held.TryAcquire(DefaultMaxHeld) {
		t.Error("a finished request still holds memory")
	}
}

func TestCrowd(t *testing.T) {
	var c crowd
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var leave []func()
	for range perCaller {
		l, ok := c.enter("/forms", one)
		if !ok {
			t.Fatal("refused too early")
		}
		leave = append(leave, l)
	}
	if _, ok := c.enter("/forms", one); ok {
		t.Error("one sender takes more than its share")
	}
	if l, ok := c.enter("/forms", other); !ok {
		t.Error("another sender is stopped by it")
	} else {
		l()
	}
	for _, l := range leave {
		l()
	}
	if len(c.paths)+len(c.froms) > 0 {
		t.Errorf("counted after all have left: %v %v", c.paths, c.froms)
	}
}
