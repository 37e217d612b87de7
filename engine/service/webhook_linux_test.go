package service_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/heap"
	"github.com/culvert/culvert/engine/journal"
)

// The load comes from a process of its own, which costs as little as a client can: it shares the
// processors with what is measured. It is this test binary again, told by these variables what to
// do.
const (
	loadAddress = "CULVERT_BENCH_LOAD"
	loadForms   = "CULVERT_BENCH_FORMS"
	loadClients = 64
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(loadAddress); addr != "" {
		if err := sendLoad(addr, os.Getenv(loadForms)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// BenchmarkWebhook accepts forms over HTTP, durably, from 64 clients: with the server paused, so
// that they are only kept, and while they are delivered. The clients and the server share the
// processors with the service. Compare accepts/s with BenchmarkRawInsert of engine/journal/sqlite,
// the ceiling.
func BenchmarkWebhook(b *testing.B) {
	b.Run("kept", func(b *testing.B) { benchmarkWebhook(b, true) })
	b.Run("delivered", func(b *testing.B) { benchmarkWebhook(b, false) })
}

const benchForm = `{"id":"%d","site":"TM-010202","day":"2026-03-02","age":"7","sex":"FEMALE","remarks":"nothing to ` +
	`remark on this case, which is as long as such remarks are"}`

// load is what the clients saw.
type load struct {
	Elapsed, P99 time.Duration
}

func benchmarkWebhook(b *testing.B, paused bool) {
	defer heap.Keep(heap.Percent, heap.Floor)() // as the program has it
	dir := nullProject(b, "webhook: {path: /cases}", "case.json", fmt.Sprintf(benchForm, 1))
	s, addr := runService(b, dir)
	if paused {
		if err := controls.PauseServer(context.Background(), s.Journal(), "national",
			controls.Pause{Since: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
	keepOld(b, s.Journal())
	clients := exec.CommandContext(b.Context(), os.Args[0])
	clients.Env = append(os.Environ(), loadAddress+"="+addr, loadForms+"="+strconv.Itoa(b.N), "GOMAXPROCS=1", "GOGC=off")
	clients.Stderr = os.Stderr
	used := processorTime(b)
	b.ResetTimer()
	out, err := clients.Output()
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	own := processorTime(b) - used
	var seen load
	if err := json.Unmarshal(out, &seen); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/seen.Elapsed.Seconds(), "accepts/s")
	b.ReportMetric(float64(own.Microseconds())/float64(b.N), "cpu-µs/accept")
	b.ReportMetric(float64((clients.ProcessState.UserTime()+clients.ProcessState.SystemTime()).Microseconds())/float64(
		b.N), "client-µs/accept")
	b.ReportMetric(float64(seen.P99.Microseconds())/1000, "p99-ms")
}

// keepOld keeps as many settled records as CULVERT_BENCH_OLD says, such as a journal has after months.
func keepOld(b *testing.B, j journal.Journal) {
	text := os.Getenv("CULVERT_BENCH_OLD")
	if text == "" {
		return
	}
	total, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("CULVERT_BENCH_OLD is a number of records: %v", err)
	}
	now := time.Now()
	for from := 0; from < total; from += 1000 {
		var old []*journal.Record
		for i := from; i < min(from+1000, total); i++ {
			id := fmt.Sprintf("old-%d", i)
			old = append(old, &journal.Record{Rule: "old", ID: id, Key: id, Content: uint64(i), Received: now,
				State: journal.Skipped, Settled: now})
		}
		if _, err := j.Append(b.Context(), old, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// processorTime is what this process has used of all cores.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sendLoad posts so many forms from all clients, each of which sends its next when the last was
// answered, and prints what they saw.
func sendLoad(addr, forms string) error {
	total, err := strconv.Atoi(forms)
	if err != nil {
		return fmt.Errorf("the number of forms: %w", err)
	}
	l := &loader{total: total, poll: -1, in: make([]byte, 64<<10), took: make([]time.Duration, 0, total)}
	began := time.Now()
	if err := l.run(addr); err != nil {
		return err
	}
	slices.Sort(l.took)
	return json.NewEncoder(os.Stdout).Encode(load{Elapsed: time.Since(began), P99: l.took[(total-1)*99/100]})
}

// loader is all clients in one thread, which waits for whichever is answered next.
type loader struct {
	total, sent int
	poll        int // epoll's descriptor
	clients     map[int32]*loadClient
	in          []byte
	out         []byte
	took        []time.Duration
}

type loadClient struct {
	fd    int
	began time.Time
	part  []byte // of an answer that is not complete
}

func (l *loader) run(addr string) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("the service's address: %w", err)
	}
	if l.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	defer syscall.Close(l.poll)
	l.clients = map[int32]*loadClient{}
	for range min(loadClients, l.total) {
		c, err := l.dial(to)
		if err != nil {
			return err
		}
		defer syscall.Close(c.fd)
		if err := l.send(c); err != nil {
			return err
		}
	}
	events := make([]syscall.EpollEvent, loadClients)
	for len(l.took) < l.total {
		n, err := raw(syscall.SYS_EPOLL_PWAIT, l.poll, unsafe.Pointer(&events[0]), len(events), 60_000)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return fmt.Errorf("nothing was answered: %w", cmp.Or(err, errors.New("for a minute")))
		}
		for _, e := range events[:n] {
			if err := l.receive(l.clients[e.Fd]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) dial(to netip.AddrPort) (*loadClient, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &loadClient{fd: fd}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.clients[int32(fd)] = c
	return c, syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_ADD, fd,
		&syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

func (l *loader) send(c *loadClient) error {
	if l.sent == l.total {
		return nil
	}
	l.sent++
	body := fmt.Appendf(nil, benchForm, l.sent+1)
	l.out = fmt.Appendf(l.out[:0],
		"POST /cases HTTP/1.1\r\nHost: culvert\r\nAuthorization: Basic Y29tbWNhcmU6eA==\r\nContent-Type: "+
			"application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	c.began = time.Now()
	if n, err := raw(syscall.SYS_WRITE, c.fd, unsafe.Pointer(&l.out[0]), len(l.out), 0); err != nil || n < len(l.out) {
		return fmt.Errorf("sent %d of %d bytes: %w", n, len(l.out), err)
	}
	return nil
}

// receive reads what there is of an answer, which has to be a success, and sends the next form after it.
func (l *loader) receive(c *loadClient) error {
	n, err := raw(syscall.SYS_READ, c.fd, unsafe.Pointer(&l.in[0]), len(l.in), 0)
	if err != nil || n <= 0 {
		return fmt.Errorf("read an answer: %d bytes: %w", n, err)
	}
	c.part = append(c.part, l.in[:n]...)
	head, rest, complete := bytes.Cut(c.part, []byte("\r\n\r\n"))
	if !complete {
		return nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 20")) {
		return fmt.Errorf("answered %s", c.part)
	}
	_, after, _ := bytes.Cut(head, []byte("Content-Length: "))
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return fmt.Errorf("an answer without its length: %s", c.part)
	}
	if len(rest) < length {
		return nil
	}
	l.took = append(l.took, time.Since(c.began))
	c.part = c.part[:0]
	return l.send(c)
}

// raw makes a system call without telling Go's scheduler, which has nothing else to run here, yet
// would wake a second thread each time this one waits: a third of what the clients used went there.
func raw(call uintptr, fd int, buffer unsafe.Pointer, size, wait int) (int, error) {
	n, _, failed := syscall.RawSyscall6(call, uintptr(fd), uintptr(buffer), uintptr(size), uintptr(wait), 0, 0)
	if failed != 0 {
		return 0, failed
	}
	return int(n), nil
}
