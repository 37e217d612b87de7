package scale

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
)

// password is of everybody in the rehearsal.
const password = "district"

// startLimit is how long a runner may take until it takes records.
const startLimit = 2 * time.Minute

// server is the look-alike of DHIS2, which can be away.
type server struct {
	box     *sandbox.Server
	address string
	http    *http.Server
}

func startServer(metadata string, latency time.Duration) (*server, error) {
	o := sandbox.Options{Metadata: metadata, Version: "2.42", Logger: slog.New(slog.DiscardHandler)}
	var err error
	if latency > 0 {
		if o.Faults, err = sandbox.ParseFaults("latency=" + latency.String()); err != nil {
			return nil, err
		}
	}
	box, err := sandbox.New(o)
	if err != nil {
		return nil, err
	}
	s := &server{box: box, address: "127.0.0.1:0"}
	if err := s.back(); err != nil {
		return nil, errors.Join(err, box.Close())
	}
	return s, nil
}

// back has the server answer, at the address that it had before.
func (s *server) back() error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen for the DHIS2 look-alike: %w", err)
	}
	s.address = l.Addr().String()
	s.http = &http.Server{Handler: s.box, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return nil
}

// away closes every connection and takes no new one.
func (s *server) away() error { return s.http.Close() }

func (s *server) close() error { return errors.Join(s.http.Close(), s.box.Close()) }

// process is a run of the project.
type process struct {
	cmd   *exec.Cmd
	base  string // http://host:port
	ended chan error
	log   *os.File
}

// command is culvert with the project's environment.
func (r *rehearsal) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, r.Program, append([]string{"-C", r.dir, "--log-format", "json"}, args...)...)
	c.Env = append(os.Environ(), "DHIS2_URL=http://"+r.server.address, "DHIS2_USERNAME=admin", "DHIS2_PASSWORD="+password,
		"COMMCARE_PASSWORD="+password, "CULVERT_LISTEN=127.0.0.1:0")
	c.Env = append(c.Env, r.Env...)
	return c
}

// sync has the project learn the country.
func (r *rehearsal) sync(ctx context.Context) error {
	if out, err := r.command(ctx, "sync").CombinedOutput(); err != nil {
		return fmt.Errorf("culvert sync: %w: %s", err, out)
	}
	return nil
}

// startRunner starts the run and waits until it takes records.
func (r *rehearsal) startRunner(ctx context.Context) error {
	p := &process{cmd: r.command(ctx, "run"), ended: make(chan error, 1)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = time.Minute
	log, err := os.Create(filepath.Join(r.dir, "run.log"))
	if err != nil {
		return fmt.Errorf("write the run's log: %w", err)
	}
	p.log = log
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return errors.Join(fmt.Errorf("start culvert run: %w", err), log.Close())
	}
	if err := p.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start culvert run: %w", err), log.Close())
	}
	ready := make(chan string, 1)
	go func() {
		followLog(out, log, ready)
		p.ended <- p.cmd.Wait()
	}()
	r.runner = p
	select {
	case p.base = <-ready:
		return nil
	case err := <-p.ended:
		p.ended <- err
		return fmt.Errorf("culvert run ended at once (%w): see %s", err, log.Name())
	case <-time.After(startLimit):
		return fmt.Errorf("culvert run takes no records after %s: see %s", startLimit, log.Name())
	}
}

// followLog keeps the log and tells where records are taken.
func followLog(from io.Reader, to io.Writer, ready chan<- string) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = fmt.Fprintln(to, lines.Text())
		var said struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg == "taking records" {
			select {
			case ready <- said.Address:
			default:
			}
		}
	}
	_, _ = io.Copy(to, from) // what follows a line that is too long
}

// stop ends the run in good order.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	select {
	case err := <-p.ended:
		return errors.Join(errors.New("culvert run ended early"), err, p.log.Close())
	default:
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		_ = p.cmd.Process.Kill() // where there are no signals
		<-p.ended
		return p.log.Close()
	}
	return errors.Join(<-p.ended, p.log.Close())
}
